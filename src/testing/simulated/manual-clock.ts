import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock, Timers } from '../../foundation/clock.ts'
import type { Duration } from '../../foundation/duration.ts'
import { parseFiniteDuration } from '../../foundation/duration.ts'

/**
 * Turns of the event loop in which pending work settles. One turn lets all promise callbacks through, however many
 * follow one another; the others are for code that itself waits for the next turn.
 */
const TURNS_TO_SETTLE = 4
/** As with `setTimeout`: a timer that sets itself anew cannot keep time from passing. */
const SHORTEST_DELAY_MS = 1

interface Timer {
  readonly dueMs: number
  readonly callback: () => void
}

/**
 * Time that passes only when a test says so. Given to a cache as its `clock`, it rules time to live, refreshes, leases,
 * waits and retries, and no test has to sleep.
 *
 * While time advances, timers fire in the order in which they are due, and those due at the same moment in the order
 * in which they were set; each sees its own due time as the present. Before the first, after each and at the end, the
 * work that is under way settles: everything that waits for promises, ticks and a few turns of the event loop alone.
 * So what a test sees after `await clock.advance(…)` is the same in each run. What waits for the world outside (a
 * socket, a file, compression in a worker thread, the first import of an optional serializer) takes real time: a test
 * awaits its result.
 *
 * Over a real Redis the clock rules the times of this process alone: the server expires keys by its own clock, and
 * commands time out in real time.
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
  /** In the order in which they fire. */
  readonly #timers: Timer[] = []
  #advancing: Promise<void> = Promise.resolve()

  /** Timers that were set and have neither fired nor been called off. */
  get pendingTimers(): number {
    return this.#timers.length
  }

  /** Milliseconds that have passed on this clock. */
  monotonicMs(): number {
    return this.#nowMs
  }

  /**
   * Calls back once when `delayMs` milliseconds have passed, at least one; returns what calls it off.
   * @returns to be called at any time, any number of times
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
   * Lets this much time pass, rounded up to whole milliseconds. Timers that are due within it fire, those that are
   * set meanwhile too, and those due at its very end. Spans that are asked for at the same time follow one another.
   *
   * @throws CacheError `CACHE_INVALID_DURATION`, also for `Infinity`
   * @throws whatever a timer throws; time then stands where that timer was due
   */
  advance(by: Duration): Promise<void> {
    const advancing = this.#advancing.then(() => this.#pass(parseFiniteDuration(by)))
    this.#advancing = advancing.catch(() => {})
    return advancing
  }

  /** Lets work that is under way go on as far as it gets while no time passes. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < TURNS_TO_SETTLE; turn++) await nextTurn()
  }

  async #pass(durationMs: number): Promise<void> {
    // What was called just before may still be on its way to setting a timer.
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
