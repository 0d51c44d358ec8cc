import type { Kind } from '../contenders/contender.ts'
import { FIGURES, type Section } from '../measure/section.ts'
import type { Spread } from '../measure/statistics.ts'
import { formatRatio } from './format.ts'
import { ratioOf, rowOf } from './ratios.ts'

const COLUMNS = 3
const PANEL_WIDTH = 650
const NAME_WIDTH = 305
const VALUE_WIDTH = 65
const BAR_WIDTH = PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH
const ROW_HEIGHT = 20
const TITLE_HEIGHT = 46
const GAP = 28
const LEGEND_HEIGHT = 30
const LEGEND: readonly (readonly [Kind, string])[] = [
  ['ours', 'cachewright'],
  ['peer', 'other libraries'],
  ['by hand', 'hand-written code'],
  ['limit', 'limits: what does less'],
]
/** Where the best is so many times the worst, equal steps are equal factors. */
const WIDE = 30

/** The file stands for itself, wherever it is shown: dark where its reader's system is. */
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 14px }
  .quiet { fill: #6e7781; font-size: 11px }
  .ground { fill: #ffffff }
  .ours { fill: #2f6fde } .by-hand { fill: #8c959f } .peer { fill: #d98324 } .limit { fill: #b7bdc4 }
  .one { stroke: #6e7781; stroke-dasharray: 3 3 }
  .whisker { stroke: #24292f; stroke-width: 1.2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .quiet { fill: #9198a1 } .ground { fill: #0d1117 }
    .ours { fill: #4f8ff7 } .by-hand { fill: #6e7681 } .peer { fill: #e09b4a } .limit { fill: #484f58 }
    .one { stroke: #9198a1 } .whisker { stroke: #e6edf3 }
  }`

interface Bar {
  readonly name: string
  readonly kind: Kind
  readonly ratio: Spread
}

/** Ratios as bars with whiskers from the lowest to the highest round: a panel a section, for a web page. */
export function drawChart(sections: readonly Section[]): string {
  const columnHeights = new Array<number>(COLUMNS).fill(GAP + LEGEND_HEIGHT)
  const panels = sections.flatMap((section) => {
    const bars = barsOf(section)
    if (bars.length < 2) return []
    const column = columnHeights.indexOf(Math.min(...columnHeights))
    const top = columnHeights[column] as number
    columnHeights[column] = top + TITLE_HEIGHT + bars.length * ROW_HEIGHT + GAP
    return [drawPanel(section, bars, GAP + column * (PANEL_WIDTH + GAP), top)]
  })
  const width = GAP + COLUMNS * (PANEL_WIDTH + GAP)
  const height = Math.max(...columnHeights)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<style>${STYLE}\n</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    ...LEGEND.map(([kind, text], position) => drawLegend(kind, text, GAP + position * 190)),
    ...panels,
    '</svg>\n',
  ].join('\n')
}

function drawLegend(kind: Kind, text: string, left: number): string {
  const swatch = `<rect class="${kind.replace(' ', '-')}" x="${left}" y="18" width="14" height="14" rx="2"/>`
  return `${swatch}<text x="${left + 20}" y="29">${text}</text>`
}

function barsOf(section: Section): readonly Bar[] {
  const baseline = rowOf(section, section.baseline)
  if (baseline === undefined) return []
  return section.rows.flatMap((row) => {
    const ratio = ratioOf(row, baseline, section.figure)
    if (ratio === undefined || !(ratio.median > 0 && ratio.median < Number.POSITIVE_INFINITY)) return []
    return [{ name: row.contender, kind: row.kind, ratio }]
  })
}

function drawPanel(section: Section, bars: readonly Bar[], left: number, top: number): string {
  const x = scaleOf(bars)
  const bottom = TITLE_HEIGHT + bars.length * ROW_HEIGHT
  const figure = FIGURES[section.figure].title
  const note = `${figure}, times as good as ${section.baseline}${isWide(bars) ? ', by factors' : ''}`
  return [
    `<g transform="translate(${left} ${top})">`,
    `<text class="title" y="14">${escapeText(section.title)}</text>`,
    `<text class="quiet" y="31">${escapeText(note)}</text>`,
    `<line class="one" x1="${x(1).toFixed(1)}" x2="${x(1).toFixed(1)}" y1="${TITLE_HEIGHT - 6}" y2="${bottom}"/>`,
    ...bars.map((bar, position) => drawBar(bar, x, TITLE_HEIGHT + position * ROW_HEIGHT)),
    '</g>',
  ].join('\n')
}

function isWide(bars: readonly Bar[]): boolean {
  const medians = bars.map(({ ratio }) => ratio.median)
  return Math.max(...medians) > WIDE * Math.min(...medians)
}

/** Where a ratio lies, from the left edge of the panel. */
function scaleOf(bars: readonly Bar[]): (ratio: number) => number {
  const medians = bars.map(({ ratio }) => ratio.median)
  const widest = Math.max(1, ...medians) * 1.15
  const least = Math.min(1, ...medians) / 2
  const share = isWide(bars)
    ? (ratio: number) => Math.log(ratio / least) / Math.log(widest / least)
    : (ratio: number) => ratio / widest
  return (ratio) => NAME_WIDTH + Math.min(Math.max(share(ratio), 0), 1) * BAR_WIDTH
}

function drawBar({ kind, name, ratio }: Bar, x: (ratio: number) => number, top: number): string {
  const middle = top + ROW_HEIGHT / 2 - 2
  const width = Math.max(1, x(ratio.median) - NAME_WIDTH)
  const [from, to] = [x(ratio.lowest).toFixed(1), x(ratio.highest).toFixed(1)]
  return [
    `<text x="${NAME_WIDTH - 8}" y="${middle + 4}" text-anchor="end">${escapeText(name)}</text>`,
    `<rect class="${kind.replace(' ', '-')}" x="${NAME_WIDTH}" y="${top}" width="${width.toFixed(1)}" height="${ROW_HEIGHT - 5}" rx="2"/>`,
    `<path class="whisker" d="M${from} ${middle}H${to}M${from} ${middle - 4}v8M${to} ${middle - 4}v8"/>`,
    `<text x="${NAME_WIDTH + BAR_WIDTH + 6}" y="${middle + 4}">${formatRatio(ratio.median)}</text>`,
  ].join('')
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
