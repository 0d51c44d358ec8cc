import type { Kind } from '../contenders/contender.ts'
import type { FigureName, Measured, Row } from './section.ts'

/** A contender's turn, taken once a round. */
export interface Turn {
  readonly contender: string
  readonly kind: Kind
  take(): Promise<Measured>
}

/**
 * Lets everybody take their turn, round after round, in alternating order, so that what is compared was measured in
 * neighbouring moments: on a shared machine the speed of a moment means nothing, and the ratio of two much.
 */
export async function interleave(turns: readonly Turn[], rounds: number): Promise<readonly Row[]> {
  const samples = new Map(turns.map((turn) => [turn, {} as Partial<Record<FigureName, number[]>>]))
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? turns : [...turns].reverse()
    for (const turn of order) {
      const measured = await turn.take()
      const taken = samples.get(turn) as Partial<Record<FigureName, number[]>>
      for (const [name, value] of Object.entries(measured) as [FigureName, number][]) {
        taken[name] = [...(taken[name] ?? []), value]
      }
    }
  }
  return turns.map((turn) => ({
    contender: turn.contender,
    kind: turn.kind,
    samples: samples.get(turn) ?? {},
  }))
}
