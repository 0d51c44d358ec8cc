import { FIGURES, type FigureName, type Row, type Section } from '../measure/section.ts'
import { formatFigure, formatNumber, formatRatio, formatTable } from './format.ts'
import type { Growth } from './growth.ts'
import { medianOf, ratioOf, rowOf } from './ratios.ts'
import type { Report } from './report.ts'
import type { Verdict } from './verdicts.ts'

/** The whole of a report: the targets first, then how costs grow, then every section. */
export function formatReport(report: Report): string {
  const { growths, machine, sections, verdicts } = report
  const scenarios = [...new Set(sections.map(({ id }) => id.split('/')[0] as string))]
  return [
    `# Benchmark of ${report.date}`,
    `Node ${machine.node}, Redis ${machine.redis}, ${machine.cores} cores (${machine.cpu}), ${report.rounds} interleaved rounds, ${Math.round(report.tookMs / 6_000) / 10} minutes. Figures are medians; a ratio is the median of the ratios within each round, with the lowest and the highest; more than 1 is better. \`npm run bench\` measures anew.`,
    ...(verdicts.length > 0 ? ['## Targets', formatVerdicts(verdicts)] : []),
    ...(growths.length > 0
      ? ['## How cost grows', 'The power of the size with which the cost grows.', formatGrowth(growths)]
      : []),
    ...scenarios.flatMap((scenario) => [
      `## ${scenario}`,
      ...sections
        .filter(({ id }) => id.startsWith(`${scenario}/`))
        .map((section) => formatSection(section, verdicts)),
    ]),
    '',
  ].join('\n\n')
}

/** One section as a table under its title; figures that nobody has are left out. */
export function formatSection(section: Section, verdicts: readonly Verdict[]): string {
  const names = (Object.keys(FIGURES) as FigureName[]).filter((name) =>
    section.rows.some((row) => row.samples[name] !== undefined),
  )
  const baseline = rowOf(section, section.baseline)
  const own = verdicts.filter(({ of }) => of === section.id)
  const rows = section.rows.map((row) => [
    row.contender,
    ...ratioCells(row, baseline, section.figure),
    own
      .filter(({ contender }) => contender === row.contender)
      .map(shortVerdict)
      .join('; '),
    ...names.map((name) => {
      const value = medianOf(row, name)
      return value === undefined ? '—' : formatFigure(value, name)
    }),
  ])
  const header = [
    'contender',
    'ratio',
    'spread',
    'target',
    ...names.map((name) => FIGURES[name].title as string),
  ]
  return `### ${section.title}\n\n${formatTable(header, rows)}`
}

function ratioCells(row: Row, baseline: Row | undefined, figure: FigureName): readonly string[] {
  const ratio = baseline && ratioOf(row, baseline, figure)
  if (ratio === undefined || Number.isNaN(ratio.median)) return ['—', '—']
  return [formatRatio(ratio.median), `${formatRatio(ratio.lowest)} – ${formatRatio(ratio.highest)}`]
}

function shortVerdict(verdict: Verdict): string {
  const whom = verdict.against === '' ? '' : ` of ${verdict.against}`
  return `${wordFor(verdict)}: ${reachedIn(verdict)} (${verdict.bound})${whom}`
}

function wordFor({ isAside, isMet }: Verdict): string {
  return `${isAside ? 'beside: ' : ''}${isMet ? 'met' : 'MISSED'}`
}

function reachedIn({ against, figure, reached }: Verdict): string {
  if (against !== '') return formatRatio(reached.median)
  return figure === undefined ? reached.median.toFixed(3) : formatFigure(reached.median, figure)
}

export function formatVerdicts(verdicts: readonly Verdict[]): string {
  return formatTable(
    ['what', 'contender', 'against', 'target', 'reached', 'spread', 'verdict'],
    verdicts.map((verdict) => {
      const { against, bound, contender, figure, reached, title } = verdict
      const about = figure === undefined || against !== '' ? title : `${title}: ${FIGURES[figure].title}`
      const show = (value: number) => reachedIn({ ...verdict, reached: { ...reached, median: value } })
      const spread = `${show(reached.lowest)} – ${show(reached.highest)}`
      return [about, contender, against || '—', bound, show(reached.median), spread, wordFor(verdict)]
    }),
  )
}

function formatGrowth(growths: readonly Growth[]): string {
  return formatTable(
    ['series', 'contender', 'from', 'to', 'exponent'],
    growths.map(({ contender, exponent, series, sizes, unit }) => [
      series,
      contender,
      formatNumber(sizes[0] ?? 0),
      `${formatNumber(sizes.at(-1) ?? 0)} ${unit}`,
      exponent.toFixed(2),
    ]),
  )
}
