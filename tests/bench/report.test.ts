import { describe, expect, it } from 'vitest'
import type { Row, Section } from '../../bench/measure/section.ts'
import { drawChart } from '../../bench/report/chart.ts'
import { formatNumber, formatRatio, formatTable } from '../../bench/report/format.ts'
import { growthOf } from '../../bench/report/growth.ts'
import { formatSection } from '../../bench/report/markdown.ts'
import { bestPeer, ratioOf } from '../../bench/report/ratios.ts'
import { verdictsOn } from '../../bench/report/verdicts.ts'

const hand: Row = { contender: 'hand', kind: 'by hand', samples: { perSecond: [100, 200, 100] } }
const ours: Row = {
  contender: 'ours',
  kind: 'ours',
  samples: { perSecond: [150, 200, 200], commands: [1, 1, 1] },
}
const slow: Row = { contender: 'slow <peer>', kind: 'peer', samples: { perSecond: [50, 50, 50] } }
const fast: Row = { contender: 'fast peer', kind: 'peer', samples: { perSecond: [75, 100, 50] } }
const section: Section = {
  id: 'hit/1',
  title: 'a hit',
  figure: 'perSecond',
  baseline: 'hand',
  rows: [hand, ours, slow, fast],
}

describe('a ratio', () => {
  it('compares the two contenders round by round', () => {
    expect(ratioOf(ours, hand, 'perSecond')).toEqual({ median: 1.5, lowest: 1, highest: 2 })
  })

  it('is above 1 for the better contender, also if a lower figure is better', () => {
    const quick: Row = { ...ours, samples: { ms: [1] } }
    const tardy: Row = { ...hand, samples: { ms: [4] } }
    expect(ratioOf(quick, tardy, 'ms')?.median).toBe(4)
  })

  it('is undefined if one contender lacks the figure', () => {
    expect(ratioOf(ours, hand, 'commands')).toBeUndefined()
  })

  it('against the best peer leaves out the excluded peers', () => {
    expect(bestPeer(section, 'perSecond')?.contender).toBe('fast peer')
    expect(bestPeer(section, 'perSecond', ['fast peer'])?.contender).toBe('slow <peer>')
  })
})

describe('a verdict', () => {
  const target = { section: 'hit/1', contender: 'ours' }

  it('is decided by the median and names the opponent', () => {
    const [met, missed] = verdictsOn(
      [
        { ...target, against: 'hand', atLeast: 1.5 },
        { ...target, against: { bestPeerExcept: [] }, atLeast: 3 },
      ],
      [section],
      [],
    )
    expect(met).toMatchObject({ isMet: true, against: 'hand', bound: '≥ 1.5x' })
    expect(missed).toMatchObject({ isMet: false, against: 'fast peer', reached: { median: 2 } })
  })

  it('can bound a figure', () => {
    const [verdict] = verdictsOn([{ ...target, figure: 'commands', atMost: 1 }], [section], [])
    expect(verdict).toMatchObject({ isMet: true, bound: '≤ 1' })
  })

  it('can bound growth in both directions', () => {
    const growth = { series: 's', unit: 'keys', contender: 'ours', sizes: [1, 10], exponent: -0.2 }
    const about = { series: 's', contender: 'ours', exponent: 0 }
    const verdicts = verdictsOn(
      [
        { ...about, tolerance: 0.1 },
        { ...about, tolerance: 0.3 },
      ],
      [],
      [growth],
    )
    expect(verdicts.map(({ isMet }) => isMet)).toEqual([false, true])
  })

  it('is left out for an unmeasured target', () => {
    const unmeasured = [
      { ...target, section: 'other', against: 'hand', atLeast: 1 },
      { ...target, contender: 'nobody', against: 'hand', atLeast: 1 },
      { ...target, figure: 'ms', atMost: 1 } as const,
    ]
    expect(verdictsOn(unmeasured, [section], [])).toEqual([])
  })
})

it('growth is reported only for contenders measured at two sizes', () => {
  const at = (size: number, perSecond: number): Section => ({
    ...section,
    rows: [{ ...ours, samples: { perSecond: [perSecond] } }, ...(size === 10 ? [slow] : [])],
    series: { name: 's', unit: 'keys', size },
  })
  const growths = growthOf([at(10, 100), at(100, 10)])
  expect(growths).toHaveLength(1)
  expect(growths[0]).toMatchObject({ contender: 'ours', sizes: [10, 100] })
  expect(growths[0]?.exponent).toBeCloseTo(1)
})

describe('a table', () => {
  it('aligns its columns and has a row for each contender', () => {
    const verdicts = verdictsOn(
      [{ section: 'hit/1', contender: 'ours', against: 'hand', atLeast: 2 }],
      [section],
      [],
    )
    const lines = formatSection(section, verdicts).split('\n')
    expect(lines[0]).toBe('### a hit')
    expect(lines[2]).toMatch(
      /^\| contender +\| ratio \| +spread \| +target \| operations\/s \| commands\/op \|$/,
    )
    expect(lines[5]).toMatch(
      /^\| ours +\| 1\.50x \| 1\.00x – 2\.00x \| MISSED: 1\.50x \(≥ 2x\) of hand \| +200 \| +1\.000 \|$/,
    )
    expect(lines[6]).toMatch(/—/)
    expect(new Set(lines.slice(2).map((line) => line.length)).size).toBe(1)
  })

  it('can have no rows', () => {
    expect(formatTable(['a', 'b'], [])).toBe('| a   |   b |\n| --- | --: |')
  })

  it('formats numbers for readers', () => {
    expect(formatNumber(1_234_567.8)).toBe('1,234,568')
    expect(formatNumber(0.5, 2)).toBe('0.50')
    expect([0.0123, 0.333, 12.34, 1_234].map(formatRatio)).toEqual(['0.012x', '0.33x', '12.3x', '1234x'])
  })
})

describe('a chart', () => {
  it('has a bar for each contender and escapes markup', () => {
    const svg = drawChart([section])
    expect(svg.match(/<rect class="(ours|by-hand|peer|limit)"/g)).toHaveLength(8) // with the legend
    expect(svg).toContain('slow &lt;peer&gt;')
    expect(svg).not.toContain('NaN')
  })

  it('leaves out a section with a single contender', () => {
    expect(drawChart([{ ...section, rows: [hand] }])).not.toContain('a hit')
  })
})
