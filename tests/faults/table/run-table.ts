import { FAULTS } from '../faults/all-faults.ts'
import { linesOf } from '../report/lines.ts'
import { missedBars } from '../trial/bars.ts'
import type { Fault } from '../trial/fault.ts'
import type { Outcome } from '../trial/outcome.ts'
import { runTrial, type TrialOptions } from '../trial/run-trial.ts'

export interface TableOptions extends TrialOptions {
  /** How many trials run at the same time. */
  readonly atOnce: number
  /** What the name of a fault has to contain. */
  readonly only: string
  /** Resolves when nothing else runs beside the table. @default nothing does */
  readonly alone?: Promise<unknown>
}

/**
 * Lets every fault happen, in the order of the table. One that missed nothing but a time is repeated when nothing else runs,
 * and that outcome counts: while other trials run, a time also says how busy the machine is.
 *
 * @throws Error if no fault has such a name
 */
export async function runTable({ alone, atOnce, only, ...options }: TableOptions): Promise<Outcome[]> {
  const faults = FAULTS.filter(({ name }) => name.includes(only))
  if (faults.length === 0) throw new Error(`No fault has "${only}" in its name`)
  const outcomes: Outcome[] = []
  const waiting = [...faults.keys()]
  const run = async (index: number) => {
    const outcome = await runTrial(faults[index] as Fault, options)
    console.log(linesOf(outcome))
    outcomes[index] = outcome
  }
  const lane = async () => {
    for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) await run(index)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  const slow = [...outcomes.keys()].filter((index) => hasMissedTimesOnly(outcomes[index] as Outcome))
  if (slow.length > 0 && (atOnce > 1 || alone !== undefined)) {
    await alone
    console.log(`\nOnce more, since they missed nothing but a time while others ran: ${slow.length}`)
    for (const index of slow) await run(index)
  }
  return outcomes
}

function hasMissedTimesOnly(outcome: Outcome): boolean {
  const missed = missedBars(outcome)
  return missed.length > 0 && missed.every(({ isTime }) => isTime)
}
