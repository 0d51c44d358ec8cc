import type { Clock } from '../../foundation/time/clock.ts'
import type { ChangeListener } from './change-listener.ts'

/** A load of this process that has failed. */
export interface RememberedFailure {
  readonly error: unknown
  /** Whether a stale value stands in for the load (`retryAfterError`); if not, the error is thrown again (`errorTtl`). */
  readonly isHidden: boolean
  /** Until when, in milliseconds of the monotonic clock. */
  readonly untilMs: number
  /** The deadline that Redis keeps of the same failure, on the server's clock; `undefined` if it keeps none. */
  readonly deadlineMs?: number | undefined
}

/** The most failures that are remembered; the oldest ones are dropped. */
const MOST_FAILURES = 10_000
/** A deadline that was read may be off by the rounding of the clock. */
const ROUNDING_MS = 1

/**
 * The last failed load of each key, for as long as it is not tried again. Redis keeps the moment alone: the errors do not
 * leave the process. So this memory has the error of a failure that Redis tells of, and is all there is where Redis
 * cannot be asked. An own change of the key ends it; after a change by others, Redis holds no such deadline any more.
 */
export class RememberedFailures implements ChangeListener {
  readonly #failures = new Map<string, RememberedFailure>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#failures.size
  }

  remember(storedKey: string, failure: RememberedFailure): void {
    this.#failures.delete(storedKey)
    const nowMs = this.#clock.monotonicMs()
    for (const [oldest, { untilMs }] of this.#failures) {
      if (nowMs < untilMs && this.#failures.size < MOST_FAILURES) break
      this.#failures.delete(oldest)
    }
    this.#failures.set(storedKey, failure)
  }

  /** The failure of a key that still counts. */
  recall(storedKey: string): RememberedFailure | undefined {
    const failure = this.#failures.get(storedKey)
    if (failure === undefined || this.#clock.monotonicMs() < failure.untilMs) return failure
    this.#failures.delete(storedKey)
    return undefined
  }

  /** The failure whose deadline Redis tells. */
  recallOf(storedKey: string, deadlineMs: number): RememberedFailure | undefined {
    const failure = this.recall(storedKey)
    const isSame = Math.abs((failure?.deadlineMs ?? Number.NaN) - deadlineMs) <= ROUNDING_MS
    return isSame ? failure : undefined
  }

  /** Called when a load of the key has succeeded. */
  forget(storedKey: string): void {
    this.#failures.delete(storedKey)
  }

  /** Nothing to do: Redis, which has told of the change, knows whether the failure still counts. */
  invalidated(): void {}

  writeBegan(storedKey: string): void {
    this.#failures.delete(storedKey)
  }

  writeSettled(storedKey: string): void {
    this.#failures.delete(storedKey)
  }

  removing(matches: (storedKey: string) => boolean): void {
    for (const storedKey of this.#failures.keys()) if (matches(storedKey)) this.#failures.delete(storedKey)
  }

  /** Nothing to do, as in {@link invalidated}. */
  epochBegan(): void {}
}
