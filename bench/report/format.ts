import { FIGURES, type FigureName } from '../measure/section.ts'

/** A Markdown table, padded so that it reads well in a terminal too: the first column flush left. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    `| ${widths
      .map((width, column) => {
        const cell = cells[column] ?? ''
        return column === 0 ? cell.padEnd(width) : cell.padStart(width)
      })
      .join(' | ')} |`
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(header), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n')
}

/** `1234567.8` as `1,234,568`. */
export function formatNumber(value: number, digits = 0): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

export function formatFigure(value: number, figure: FigureName): string {
  return formatNumber(value, FIGURES[figure].digits)
}

/** With as many digits as tell something. */
export function formatRatio(ratio: number): string {
  return `${ratio.toFixed(ratio < 0.0995 ? 3 : ratio < 9.95 ? 2 : ratio < 99.5 ? 1 : 0)}x`
}
