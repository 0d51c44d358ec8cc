import { MODES } from '../traffic/setting.ts'
import type { Result, ResultRow } from './result.ts'

const BEGIN = '<!-- results: begin -->'
const END = '<!-- results: end -->'

/** The columns of a table, and what stands in them. */
const COLUMNS: readonly (readonly [title: string, cellOf: (row: ResultRow) => string])[] = [
  ['Fault', ({ fault, lastedS }) => `${fault} (${lastedS} s)`],
  ['Reads', ({ reads }) => String(reads)],
  ['Wrong', ({ wrong }) => String(wrong)],
  ['Lost', ({ lost }) => String(lost)],
  ['Failed', ({ failed }) => String(failed)],
  ['Unsettled', ({ unsettled }) => String(unsettled)],
  ['Late', ({ lateMs }) => `${lateMs} ms`],
  ['Stale', ({ staleMs }) => `${staleMs} ms`],
  ['Loads', ({ loadsInFault, readsInFault }) => `${loadsInFault} for ${readsInFault}`],
  ['Heap', ({ heapGrowthBytes }) => `${(heapGrowthBytes / 2 ** 20).toFixed(1)} MiB`],
  [
    'First hits',
    ({ firstHitMs }) =>
      MODES.map((mode) => (firstHitMs[mode] === null ? 'never' : (firstHitMs[mode] ?? '–'))).join(' / '),
  ],
]

/** The page with the tables of these results in the place of those that it holds. */
export function withTables(page: string, results: readonly Result[]): string {
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin === -1 || end < begin) throw new Error(`The page has no place for tables: ${BEGIN} … ${END}`)
  const tables = results.toSorted((one, other) => one.server.localeCompare(other.server)).map(tableOf)
  return `${page.slice(0, begin + BEGIN.length)}\n\n${tables.join('\n')}\n${page.slice(end)}`
}

function tableOf({ node, rows, server }: Result): string {
  const lines = [
    COLUMNS.map(([title]) => title),
    ...rows.map((row) => COLUMNS.map(([, cellOf]) => cellOf(row))),
  ]
  const widths = COLUMNS.map((_, column) =>
    Math.max(...lines.map((cells) => (cells[column] as string).length)),
  )
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  const [head, ...body] = lines.map((cells) =>
    cells.map((cell, column) => {
      const width = widths[column] as number
      return column === 0 ? cell.padEnd(width) : cell.padStart(width)
    }),
  ) as [string[], ...string[][]]
  const table = [head, rule, ...body].map((cells) => `| ${cells.join(' | ')} |\n`)
  return `### ${server}, Node ${node}\n\n${table.join('')}`
}
