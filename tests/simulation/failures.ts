import { CacheError } from '../../src/foundation/errors/cache-error.ts'
import type { Fleet } from './fleet.ts'
import { type Invalidation, type KnownValue, LoaderFailure, type Question } from './history.ts'
import { printable, Violation } from './oracle.ts'
import { CLOCK_ERROR_MS } from './setting.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** The clocks of the server and of the processes count whole milliseconds. */
const ROUNDING_MS = 2

/** A loader that has thrown. */
interface Failure {
  readonly error: LoaderFailure
  readonly storedKey: string
  readonly endedAt: number
  readonly endedMs: number
}

/**
 * Loads that have failed. Whoever is told of one has waited for it, or asks while it counts, and after nothing that ends
 * it: a write or a removal of its key. While nothing is changed, nobody tries a load again before its time.
 */
export class Failures {
  readonly #fleet: Fleet
  readonly #all: Failure[] = []

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  ended(storedKey: string, error: LoaderFailure): void {
    const { oracle, time } = this.#fleet
    this.#all.push({ error, storedKey, endedAt: oracle.tick(), endedMs: time.monotonicMs() })
  }

  /** A loader begins. */
  assertNotPaused({ id }: SimulatedProcess, storedKey: string): void {
    const { setting, time } = this.#fleet
    const last = this.#all.findLast((one) => one.storedKey === storedKey)
    const { failureMs } = setting
    if (last === undefined || failureMs === undefined) return
    const sinceMs = time.monotonicMs() - last.endedMs
    if (sinceMs >= failureMs - ROUNDING_MS) return
    this.#fleet.violation ??= new Violation(
      `process ${id} loads ${printable(storedKey)} again ${sinceMs} ms after it has failed`,
    )
  }

  /** A call was rejected. @throws Violation */
  rejected(question: Question, error: unknown): void {
    const isForeign = error instanceof CacheError && error.code === 'CACHE_SOURCE_FAILED'
    if (!isForeign && !(error instanceof LoaderFailure)) return
    const { processId, storedKey } = question
    const own = this.#all.filter((one) => one.storedKey === storedKey && (isForeign || one.error === error))
    const objections = own.map((one) => this.#objection(question, one, isForeign))
    if (objections.length > 0 && objections.includes(undefined)) {
      if (own.every(({ endedAt }) => endedAt < question.beganAt)) this.#fleet.note('remembers a failure', '')
      return
    }
    const why = objections.at(-1) ?? 'no loader has thrown it'
    throw new Violation(
      `process ${processId} was told that the load of ${printable(storedKey)} failed: ${why}`,
    )
  }

  #objection(question: Question, failure: Failure, isForeign: boolean): string | undefined {
    const { beganAt, beganMs, binding, processId } = question
    if (beganAt < failure.endedAt) return undefined
    const { failureMs = 0 } = this.#fleet.setting
    if (beganMs > failure.endedMs + failureMs + 2 * CLOCK_ERROR_MS) return 'that was too long ago'
    // What others have changed, a process learns from Redis alone, which may be away.
    const ender = binding.find(
      (one) =>
        one.beganAt > failure.endedAt &&
        (isForeign || one.processId === processId) &&
        endsFailures(one, failure.storedKey),
    )
    return ender && `'${ender.label}' came after`
  }
}

/** Whether it writes or removes the key, and does not only renew a generation. */
function endsFailures({ concerns, isOfGenerations }: Invalidation, storedKey: string): boolean {
  return !isOfGenerations && concerns({ storedKey, tagKeys: new Set<string>() } as KnownValue)
}
