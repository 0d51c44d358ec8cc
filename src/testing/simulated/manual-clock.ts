import type { Clock, Timers } from '../../foundation/time/clock.ts'
import type { Duration } from '../../foundation/time/duration.ts'
import { parseFiniteDuration } from '../../foundation/time/duration.ts'
import { setImmediate } from '../../foundation/time/timers.ts'

/**
 * The turns of the event loop in which pending work settles. One turn runs all promise callbacks, including those that
 * they cause; the others are for code that itself waits for the next turn.
 */
const TURNS_TO_SETTLE = 4
/** As with `setTimeout`, so that a timer that sets itself again cannot keep time from passing. */
const SHORTEST_DELAY_MS = 1

interface Timer {
  readonly dueMs: number
  readonly callback: () => void
}

/**
 * A clock whose time only passes when a test advances it. As the `clock` of a cache it times expiry, refreshes, leases,
 * waits and retries, so that no test has to sleep.
 *
 * While time advances, timers fire in the order of their due times, and those with the same due time in the order in
 * which they were set. Each timer sees its due time as the present. Before the first timer, after each timer and at the
 * end, pending work settles: everything that waits only for promises, ticks and a few turns of the event loop. So the
 * state after `await clock.advance(…)` is the same in every run. Work that waits for something outside (a socket, a
 * file, the first import of an optional serializer) takes real time, and a test must await its result.
 *
 * Over a real Redis the clock affects this process alone: the server expires keys by its own clock, and commands time
 * out in real time.
 *
 * @example
 * ```ts
 * import { createCache } from 'cachewright'
 * import { ManualClock } from 'cachewright/testing'
 *
 * const clock = new ManualClock()
 * const cache = createCache({ clock, ttl: '5m' })
 * await cache.getOrSet('price', () => 9)
 * await clock.advance('5m')
 * await cache.getOrSet('price', () => 10) // loads again
 * ```
 */
export class ManualClock implements Clock, Timers {
  #nowMs = 0
  /** The timers in the order in which they fire. */
  readonly #timers: Timer[] = []
  #advancing: Promise<void> = Promise.resolve()

  /** The number of timers that have neither fired nor been cancelled. */
  get pendingTimers(): number {
    return this.#timers.length
  }

  /** The milliseconds that have passed on this clock. */
  monotonicMs(): number {
    return this.#nowMs
  }

  /**
   * Calls back once when `delayMs` milliseconds have passed, at least 1 ms.
   * @returns a function that cancels the timer; it may be called at any time, any number of times
   */
  after(delayMs: number, callback: () => void): () => void {
    const timer: Timer = { dueMs: this.#nowMs + Math.max(delayMs, SHORTEST_DELAY_MS), callback }
    const later = this.#timers.findLastIndex(({ dueMs }) => dueMs <= timer.dueMs) + 1
    this.#timers.splice(later, 0, timer)
    return () => {
      const index = this.#timers.indexOf(timer)
      if (index >= 0) this.#timers.splice(index, 1)
    }
  }

  /**
   * Lets time pass, rounded up to whole milliseconds. All timers fire that are due within it or at its end, also those
   * that are set meanwhile. Concurrent calls advance the clock one after the other.
   *
   * @throws CacheError `CACHE_INVALID_DURATION`, also for `Infinity`
   * @throws the error of a timer; the clock then stands at the due time of that timer
   */
  advance(by: Duration): Promise<void> {
    const advancing = this.#advancing.then(() => this.#pass(parseFiniteDuration(by)))
    this.#advancing = advancing.catch(() => {})
    return advancing
  }

  /** Lets pending work continue as far as it can while no time passes. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < TURNS_TO_SETTLE; turn++)
      await new Promise<void>((resolve) => setImmediate(() => resolve()))
  }

  async #pass(durationMs: number): Promise<void> {
    // Work that was started just before may still be about to set a timer.
    await this.settle()
    const untilMs = this.#nowMs + durationMs
    for (let timer = this.#takeDue(untilMs); timer !== undefined; timer = this.#takeDue(untilMs)) {
      this.#nowMs = timer.dueMs
      timer.callback()
      await this.settle()
    }
    this.#nowMs = untilMs
    await this.settle()
  }

  #takeDue(untilMs: number): Timer | undefined {
    const [first] = this.#timers
    return first !== undefined && first.dueMs <= untilMs ? this.#timers.shift() : undefined
  }
}
