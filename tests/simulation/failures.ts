import { CacheError } from '../../src/foundation/errors/cache-error.ts'
import type { Fleet } from './fleet.ts'
import type { Invalidation, KnownValue, Question } from './history.ts'
import type { Load } from './loads.ts'
import { printable, Violation } from './oracle.ts'
import { CLOCK_ERROR_MS } from './setting.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** For how long it is known that there is no value. */
export const ABSENT_MS = 20_000
/** The clocks of the server and of the processes count whole milliseconds. */
const ROUNDING_MS = 2

/** The source of a schedule has failed. */
export class LoaderFailure extends Error {}

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

  ended({ storedKey }: Load, error: LoaderFailure): void {
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

/**
 * What loaders have said of values that are not there. Who gets no value was told so by one that says it still, by the
 * rules of any value.
 */
export class Absences {
  readonly #fleet: Fleet
  readonly #all: KnownValue[] = []

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  learn(absence: KnownValue): void {
    this.#all.push(absence)
  }

  forget(text: string | undefined): void {
    const index = this.#all.findIndex((one) => one.text === text)
    if (index >= 0) this.#all.splice(index, 1)
  }

  /** A loader has said so. */
  ended(text: string): void {
    const own = this.#all.find((one) => one.text === text)
    if (own !== undefined) own.loadedAt = this.#fleet.oracle.tick()
  }

  /** A batch has said so: until then, others may join its load. */
  returned(storedKey: string): void {
    const last = this.#all.findLast((one) => one.storedKey === storedKey && Number.isFinite(one.loadedAt))
    if (last !== undefined) last.loadedAt = this.#fleet.oracle.tick()
  }

  /** A call with a loader got no value. @throws Violation */
  answered(question: Question): void {
    const own = this.#all.filter(({ storedKey }) => storedKey === question.storedKey)
    const objections = own.map((one) => this.#fleet.oracle.objection(question, one))
    const right = own.filter((_, index) => objections[index] === undefined)
    if (right.length > 0) {
      const isRemembered = right.every(({ loadedAt }) => loadedAt < question.beganAt)
      if (isRemembered) this.#fleet.note('remembers an absence', '')
      return
    }
    const who = `process ${question.processId} got no value for ${printable(question.storedKey)}`
    throw new Violation(`${who}: ${objections.at(-1) ?? 'no loader has said so'}`)
  }

  /** Redis says so, by a valid entry. @throws Violation */
  checkStored(storedKey: string): void {
    const own = this.#all.filter((one) => one.storedKey === storedKey)
    const killers = own.map((one) => this.#fleet.oracle.killerOfStored(one))
    if (killers.includes(undefined)) return
    const why = killers.at(-1)?.label ?? 'no loader has said so'
    throw new Violation(`Redis says that there is no ${printable(storedKey)}: ${why}`)
  }
}
