import fc from 'fast-check'
import type { Tally } from './fleet.ts'
import { Schedule } from './schedule.ts'
import type { Setting } from './setting.ts'

/** The same schedules in every run, so that a change is judged by its own merit; another seed looks elsewhere. */
const SEED = Number(process.env.CACHEWRIGHT_SEED ?? 20_251_122)

/** Choices of a schedule, before it is made shorter. */
const CHOICES = 300
/** How long a schedule that fails is made shorter. */
const SHORTENING_MS = 15_000

/** What came of running schedules. */
export interface Found {
  /** How often each kind of step was taken. */
  readonly tally: Tally
  readonly schedules: number
  readonly failure: { readonly choices: Uint8Array; readonly seed: number } | undefined
}

/** Runs schedules until one goes wrong. */
export async function searchSchedules(setting: Setting, runs: number, seed = SEED): Promise<Found> {
  const tally: Tally = new Map()
  const bytes = fc.noBias(fc.uint8Array({ minLength: CHOICES, maxLength: CHOICES, size: 'max' }))
  const outcome = await fc.check(
    fc.asyncProperty(bytes, (choices) => new Schedule(setting, choices, tally).run()),
    // Shortened by ourselves: fast-check would try for minutes.
    { numRuns: runs, endOnFailure: true, seed },
  )
  const choices = outcome.counterexample?.[0]
  const failure = choices && { choices, seed: outcome.seed }
  return { tally, schedules: outcome.numRuns, failure }
}

/**
 * Runs schedules, none of which may go wrong.
 * @throws Error with the seed and every step of one that did, made as short as can be
 */
export async function proveSchedules(setting: Setting, runs: number, seed = SEED): Promise<Tally> {
  const { failure, schedules, tally } = await searchSchedules(setting, runs, seed)
  if (failure === undefined) return tally
  const choices = await shortened(setting, failure.choices)
  const trace: string[] = []
  const error = await outcomeOf(setting, choices, trace)
  const told = error?.message ?? 'it did not go wrong a second time'
  const where = `seed ${failure.seed}, schedule ${schedules}, choices [${choices}]`
  throw new Error(`${told}\n${where}\n${trace.join('\n')}`, { cause: error })
}

async function outcomeOf(
  setting: Setting,
  choices: Uint8Array,
  trace?: string[],
): Promise<Error | undefined> {
  try {
    await new Schedule(setting, choices, new Map(), trace).run()
    return undefined
  } catch (error) {
    return error as Error
  }
}

/** Leaves out stretches of the choices, then makes single ones simple, as long as the schedule still goes wrong. */
async function shortened(setting: Setting, failing: Uint8Array): Promise<Uint8Array> {
  const deadlineMs = performance.now() + SHORTENING_MS
  let best = failing
  const attempt = async (choices: Uint8Array) => {
    if (performance.now() > deadlineMs) return false
    const fails = (await outcomeOf(setting, choices)) !== undefined
    if (fails) best = choices
    return fails
  }
  for (let before = best.length + 1; best.length < before; ) {
    before = best.length
    for (
      let length = Math.ceil(best.length / 2);
      length >= 1;
      length = length === 1 ? 0 : Math.ceil(length / 2)
    ) {
      for (let at = 0; at < best.length; ) {
        const without = Uint8Array.from([...best.slice(0, at), ...best.slice(at + length)])
        if (!(await attempt(without))) at += length
      }
    }
  }
  for (let at = 0; at < best.length; at++) if (best[at] !== 0) await attempt(best.with(at, 0))
  return best
}
