import { trials } from '../../support/trials.ts'
import { Chance } from './chance.ts'

/** What a fuzzer attacks. */
export interface FuzzTarget<Input> {
  /** Valid inputs to mutate. */
  readonly seeds: readonly Input[]
  /** Inputs that once did harm. They are attempted first, unchanged, and are mutated as the seeds are. */
  readonly corpus?: readonly Input[]
  mutate(input: Input, chance: Chance): Input
  /** Runs the input. Throws what it finds: whatever it throws is a defect. */
  attempt(input: Input): void | Promise<void>
  /** The longest time that an input may take, in milliseconds. @default 100 */
  readonly longestMs?: number
  /** Its part of the time, where several tests of a file attack the same thing. @default 1 */
  readonly share?: number
  /** The input as text that a corpus can keep. */
  show(input: Input): string
}

/** One run of a fuzzer. */
export interface FuzzRun {
  readonly inputs: number
  /** The longest time that an input took, in milliseconds. */
  readonly slowestMs: number
}

const LONGEST_MS = 100
/** An input that took longer is run again, since another process may have had the processor. */
const REPEATS = 4
/** The time after which a pending attempt lets the event loop turn, so that timers and sockets are served. */
const TURN_MS = 20

const SEED = Number(process.env.CACHEWRIGHT_SEED ?? Date.now() % 1_000_000)
/** A second by default, ten seconds in CI, and as long as `CACHEWRIGHT_FUZZ_SECONDS` says. */
const RUN_MS = 1_000 * Number(process.env.CACHEWRIGHT_FUZZ_SECONDS ?? trials(1, 5, 600))

/** The time that a test with a fuzzer may take, in milliseconds. */
export const FUZZ_TIMEOUT_MS: number = RUN_MS + 60_000

/**
 * Runs mutated inputs until the time is up.
 * @throws Error with the seed and the input that crashed, hung, or gave a wrong value
 */
export async function fuzz<Input>(target: FuzzTarget<Input>, seed = SEED): Promise<FuzzRun> {
  const chance = new Chance(seed)
  const { corpus = [], seeds, share = 1 } = target
  const sources = [...corpus, ...seeds]
  let slowestMs = 0
  let inputs = 0
  for (const input of sources) slowestMs = Math.max(slowestMs, await run(target, input, seed))
  const endMs = performance.now() + share * RUN_MS
  let turnMs = performance.now()
  while (performance.now() < endMs) {
    let input = chance.pick(sources)
    for (let rounds = 1 + chance.below(4); rounds > 0; rounds--) input = target.mutate(input, chance)
    slowestMs = Math.max(slowestMs, await run(target, input, seed))
    inputs++
    if (performance.now() - turnMs > TURN_MS) {
      await new Promise(setImmediate)
      turnMs = performance.now()
    }
  }
  return { inputs, slowestMs }
}

/** @returns the shortest time in milliseconds that the input took */
async function run<Input>(target: FuzzTarget<Input>, input: Input, seed: number): Promise<number> {
  const { longestMs = LONGEST_MS } = target
  let shortestMs = Number.POSITIVE_INFINITY
  for (let repeats = 0; repeats < REPEATS && shortestMs > longestMs; repeats++) {
    const startMs = performance.now()
    try {
      const attempt = target.attempt(input)
      if (attempt instanceof Promise) await attempt
    } catch (cause) {
      throw new Error(`seed ${seed}, input ${target.show(input)}`, { cause })
    }
    shortestMs = Math.min(shortestMs, performance.now() - startMs)
  }
  if (shortestMs <= longestMs) return shortestMs
  throw new Error(`seed ${seed}: ${Math.round(shortestMs)} ms for the input ${target.show(input)}`)
}
