import { CacheError } from '../../foundation/cache-error.ts'
import { type Clock, LONGEST_TIMER_MS, type Timers } from '../../foundation/clock.ts'
import { isBounded, type Policies } from '../freshness/policies.ts'
import type { Flight, Outcome } from './flight.ts'

/** What a {@link Caller} waits by. */
export interface Patience {
  /** What it waits for, for an error to name. */
  readonly key: string
  readonly policies: Pick<Policies, 'softTimeoutMs' | 'hardTimeoutMs'>
  /** How long it stays with a flight at most when it has been served a stand-in. */
  readonly longestStayMs: number
  readonly signal: AbortSignal | undefined
  /** Ends what goes on in the background. */
  readonly stopping: AbortSignal
  readonly clock: Clock
  readonly timers: Timers
}

/** One caller, and how long it waits. */
export class Caller {
  readonly #key: string
  readonly #signal: AbortSignal | undefined
  readonly #stopping: AbortSignal
  readonly #timers: Timers
  readonly #clock: Clock
  readonly #softDueMs: number
  readonly #hardDueMs: number
  readonly #longestStayMs: number
  /** Whether it waits as long as it takes. */
  readonly #isPatient: boolean

  /** Its patience begins to run. */
  constructor({ clock, key, longestStayMs, policies, signal, stopping, timers }: Patience) {
    const { hardTimeoutMs, softTimeoutMs } = policies
    this.#key = key
    this.#signal = signal
    this.#stopping = stopping
    this.#timers = timers
    this.#clock = clock
    this.#longestStayMs = longestStayMs
    const mayTimeOut = isBounded(policies)
    this.#isPatient = signal === undefined && !mayTimeOut
    const nowMs = mayTimeOut ? clock.monotonicMs() : 0
    this.#softDueMs = nowMs + softTimeoutMs
    this.#hardDueMs = nowMs + hardTimeoutMs
  }

  /**
   * What the flight comes to.
   *
   * A caller that is served by `standIn` when its soft timeout has passed stays with the flight in the background,
   * until its hard timeout, and not for ever; one that goes, because its signal aborts or its hard timeout has passed, leaves it.
   *
   * @param standIn what it may be served in place of a slow load; `undefined` = nothing
   * @param stays told of the rest of its stay in the background
   * @throws the signal's reason, CacheError `CACHE_LOADER_TIMEOUT`, or what the flight fails with
   */
  waitFor(
    flight: Flight,
    standIn: () => Outcome | undefined,
    stays: (rest: Promise<Outcome | undefined>) => void,
  ): Promise<Outcome> {
    flight.enter()
    if (this.#isPatient) return flight.result
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
      const signal = this.#signal
      const abort = () => leave(signal?.reason)
      if (signal?.aborted) {
        abort()
        return
      }
      signal?.addEventListener('abort', abort, { once: true })
      endings.push(() => signal?.removeEventListener('abort', abort))
      this.#at(this.#softDueMs, endings, () => {
        const outcome = standIn()
        if (outcome === undefined) return
        resolve(outcome)
        // Who has an answer does not end the load when its signal aborts.
        signal?.removeEventListener('abort', abort)
        const stop = () => leave(this.#stopping.reason)
        this.#stopping.addEventListener('abort', stop, { once: true })
        endings.push(() => this.#stopping.removeEventListener('abort', stop))
        // Else a loader that hangs would gather all who were served meanwhile.
        const longestStay = this.#clock.monotonicMs() + this.#longestStayMs
        this.#at(longestStay, endings, () => leave(this.#outOfPatience()))
        stays(
          new Promise((end, fail) => {
            endings.push(() => end(undefined))
            flight.result.then(end, fail)
          }),
        )
      })
      this.#at(this.#hardDueMs, endings, () => leave(this.#outOfPatience()))
      flight.result.then(resolve, reject).finally(end)
    })
  }

  #at(dueMs: number, endings: (() => void)[], callback: () => void): void {
    const delayMs = dueMs - this.#clock.monotonicMs()
    if (delayMs <= LONGEST_TIMER_MS) endings.push(this.#timers.after(Math.max(0, delayMs), callback))
  }

  #outOfPatience(): CacheError {
    return new CacheError('CACHE_LOADER_TIMEOUT', 'The value was not loaded within hardTimeout', {
      operation: 'getOrSet',
      key: this.#key,
    })
  }
}
