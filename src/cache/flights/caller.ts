import { CacheError } from '../../foundation/errors/cache-error.ts'
import { type Clock, LONGEST_TIMER_MS, type Timers } from '../../foundation/time/clock.ts'
import { isBounded, type Policies } from '../freshness/policies.ts'
import type { Outcome } from '../loading/outcome.ts'
import type { Flight } from './flight.ts'

/** What a {@link Caller} is made of. */
export interface CallerParts {
  /** The key that it asks for; error messages name it. */
  readonly key: string
  readonly policies: Pick<Policies, 'softTimeoutMs' | 'hardTimeoutMs'>
  readonly signal: AbortSignal | undefined
  /** Whether it stands for work in the background, for which the process does not stay alive. @default false */
  readonly isBackground?: boolean
  /** When the caller called, in milliseconds of the monotonic clock. @default now */
  readonly calledAtMs?: number | undefined
  /** The longest time that it stays with a flight after it was served a stale value. */
  readonly longestStayMs: number
  /** Aborts work in the background. */
  readonly stopping: AbortSignal
  readonly clock: Clock
  readonly timers: Timers
}

/** One caller, and how long it waits for a load. */
export class Caller {
  readonly #parts: CallerParts
  readonly #softDueMs: number
  readonly #hardDueMs: number
  /** Whether it has neither a signal nor a timeout. */
  readonly #isPatient: boolean

  constructor(parts: CallerParts) {
    const { calledAtMs, clock, policies, signal } = parts
    this.#parts = parts
    const mayTimeOut = isBounded(policies)
    this.#isPatient = signal === undefined && !mayTimeOut
    const startMs = mayTimeOut ? (calledAtMs ?? clock.monotonicMs()) : 0
    this.#softDueMs = startMs + policies.softTimeoutMs
    this.#hardDueMs = startMs + policies.hardTimeoutMs
  }

  /** @throws the signal's reason if it has aborted */
  assertWaiting(): void {
    this.#parts.signal?.throwIfAborted()
  }

  /**
   * Waits for the outcome of the flight.
   *
   * After the soft timeout, the caller may be served a stale value. It then stays with the flight in the background,
   * until its hard timeout or `longestStayMs`. A caller without an answer leaves the flight when its signal aborts or
   * its hard timeout has passed.
   *
   * @param fallback returns the value to serve in place of a slow load; `undefined` if there is none
   * @param stays called with a promise for the rest of the stay in the background
   * @throws the signal's reason, CacheError `CACHE_LOADER_TIMEOUT`, or the error of the flight
   */
  waitFor(
    flight: Flight,
    fallback: () => Outcome | undefined,
    stays: (rest: Promise<Outcome | undefined>) => void,
  ): Promise<Outcome> {
    flight.enter()
    if (this.#isPatient) return flight.result
    const { clock, longestStayMs, signal, stopping } = this.#parts
    return new Promise((resolve, reject) => {
      const endings: (() => void)[] = []
      const end = () => {
        for (const ending of endings.splice(0)) ending()
      }
      const leave = (reason: unknown) => {
        end()
        reject(reason)
        flight.leave()
      }
      const abort = () => leave(signal?.reason)
      if (signal?.aborted) {
        abort()
        return
      }
      signal?.addEventListener('abort', abort, { once: true })
      endings.push(() => signal?.removeEventListener('abort', abort))
      const isBackground = this.#parts.isBackground === true
      const served = () => {
        const outcome = fallback()
        if (outcome === undefined) return
        resolve(outcome)
        // Neither may the signal of a caller that has its answer end the load, nor its timer keep the process alive.
        end()
        const stop = () => leave(stopping.reason)
        stopping.addEventListener('abort', stop, { once: true })
        endings.push(() => stopping.removeEventListener('abort', stop))
        // Without this bound, a loader that hangs would accumulate all callers that were served meanwhile.
        const leaveMs = Math.min(this.#hardDueMs, clock.monotonicMs() + longestStayMs)
        this.#at(leaveMs, endings, () => leave(this.#timeout()), true)
        stays(
          new Promise((end, fail) => {
            endings.push(() => end(undefined))
            flight.result.then(end, fail)
          }),
        )
      }
      this.#at(this.#softDueMs, endings, served, isBackground)
      this.#at(this.#hardDueMs, endings, () => leave(this.#timeout()), isBackground)
      flight.result.then(resolve, reject).finally(end)
    })
  }

  #at(dueMs: number, endings: (() => void)[], callback: () => void, isBackground: boolean): void {
    const delayMs = dueMs - this.#parts.clock.monotonicMs()
    if (delayMs <= LONGEST_TIMER_MS) {
      endings.push(this.#parts.timers.after(Math.max(0, delayMs), callback, !isBackground))
    }
  }

  #timeout(): CacheError {
    return new CacheError('CACHE_LOADER_TIMEOUT', 'The value was not loaded within hardTimeout', {
      operation: 'getOrSet',
      key: this.#parts.key,
    })
  }
}
