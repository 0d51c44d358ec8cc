import { FIGURES, type FigureName, type Row, type Section } from '../measure/section.ts'
import { median, type Spread, spreadOf } from '../measure/statistics.ts'

/** The row of a contender, `undefined` where it takes no part in the section. */
export function rowOf(section: Section, contender: string): Row | undefined {
  return section.rows.find((row) => row.contender === contender)
}

/** The median of a figure over all rounds. */
export function medianOf(row: Row, figure: FigureName): number | undefined {
  const samples = row.samples[figure]
  return samples === undefined ? undefined : median(samples)
}

/**
 * How many times as good as another a contender is, each round compared with itself: more than 1 is better, whether the
 * figure is one of which more or less is better.
 */
export function ratioOf(row: Row, against: Row, figure: FigureName): Spread | undefined {
  const [own, others] = [row.samples[figure], against.samples[figure]]
  if (own === undefined || others === undefined) return undefined
  const isMoreBetter = FIGURES[figure].better === 'more'
  return spreadOf(
    own.map((value, round) => {
      const other = others[round] ?? Number.NaN
      return isMoreBetter ? value / other : other / value
    }),
  )
}

/** The peer that does best, by its median; `undefined` where none takes part. */
export function bestPeer(
  section: Section,
  figure: FigureName,
  except: readonly string[] = [],
): Row | undefined {
  const peers = section.rows.filter((row) => row.kind === 'peer' && !except.includes(row.contender))
  const sign = FIGURES[figure].better === 'more' ? -1 : 1
  const worth = (row: Row) => sign * (medianOf(row, figure) ?? Number.POSITIVE_INFINITY)
  return peers.filter((row) => row.samples[figure] !== undefined).sort((a, b) => worth(a) - worth(b))[0]
}
