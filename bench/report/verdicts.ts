import type { FigureName, Section } from '../measure/section.ts'
import { type Spread, spreadOf } from '../measure/statistics.ts'
import type { Growth } from './growth.ts'
import { bestPeer, ratioOf, rowOf } from './ratios.ts'

/** What a contender of ours has to reach. */
export type Target = RatioTarget | FigureTarget | GrowthTarget

interface RatioTarget {
  /** Id of the section. */
  readonly section: string
  readonly contender: string
  /** Whom it is compared with: one by name, or the peer that does best. */
  readonly against: string | { readonly bestPeerExcept: readonly string[] }
  /** @default the section's */
  readonly figure?: FigureName
  readonly atLeast: number
  /** Shown beside what decides. @default false */
  readonly isAside?: boolean
}

interface FigureTarget {
  readonly section: string
  readonly contender: string
  readonly figure: FigureName
  readonly atMost: number
}

interface GrowthTarget {
  readonly series: string
  readonly contender: string
  /** The exponent may be off by `tolerance` in either direction. */
  readonly exponent: number
  readonly tolerance: number
}

/** What became of a target. */
export interface Verdict {
  /** Id of the section, or name of the series. */
  readonly of: string
  readonly title: string
  readonly contender: string
  readonly against: string
  readonly figure: FigureName | undefined
  readonly reached: Spread
  readonly bound: string
  readonly isMet: boolean
  readonly isAside: boolean
}

/** The verdict on each target that was measured. */
export function verdictsOn(
  targets: readonly Target[],
  sections: readonly Section[],
  growths: readonly Growth[],
): readonly Verdict[] {
  return targets.flatMap((target) => {
    if ('series' in target) return growthVerdict(target, growths)
    const section = sections.find(({ id }) => id === target.section)
    if (section === undefined) return []
    return 'atMost' in target ? figureVerdict(target, section) : ratioVerdict(target, section)
  })
}

function ratioVerdict(target: RatioTarget, section: Section): readonly Verdict[] {
  const { against, atLeast, contender, figure = section.figure, isAside = false } = target
  const row = rowOf(section, contender)
  const other =
    typeof against === 'string' ? rowOf(section, against) : bestPeer(section, figure, against.bestPeerExcept)
  const reached = row && other && ratioOf(row, other, figure)
  if (reached === undefined) return []
  return [
    {
      ...{ of: section.id, title: section.title, contender, against: other?.contender ?? '', figure },
      ...{ reached, bound: `≥ ${atLeast}x`, isMet: reached.median >= atLeast, isAside },
    },
  ]
}

function figureVerdict(target: FigureTarget, section: Section): readonly Verdict[] {
  const { atMost, contender, figure } = target
  const samples = rowOf(section, contender)?.samples[figure]
  if (samples === undefined) return []
  const reached = spreadOf(samples)
  return [
    {
      ...{ of: section.id, title: section.title, contender, against: '', figure },
      ...{ reached, bound: `≤ ${atMost}`, isMet: reached.median <= atMost, isAside: false },
    },
  ]
}

function growthVerdict(target: GrowthTarget, growths: readonly Growth[]): readonly Verdict[] {
  const { contender, exponent, series, tolerance } = target
  const growth = growths.find((one) => one.series === series && one.contender === contender)
  if (growth === undefined) return []
  return [
    {
      ...{ of: series, title: `${series}: exponent`, contender, against: '', figure: undefined },
      reached: spreadOf([growth.exponent]),
      bound: `${exponent} ± ${tolerance}`,
      isMet: Math.abs(growth.exponent - exponent) <= tolerance,
      isAside: false,
    },
  ]
}
