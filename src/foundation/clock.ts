/** Where time comes from, so that a test can be its master. */
export interface Clock {
  /** Milliseconds (with fractions) since some fixed moment; never goes back, whatever happens to the wall clock. */
  monotonicMs(): number
}

export const SYSTEM_CLOCK: Clock = Object.freeze({ monotonicMs: () => performance.now() })

/** Calls that one reading of a {@link TurnClock} may serve. */
const CALLS_PER_READING = 16

/**
 * A clock for what happens millions of times a second, where reading the real one (70 ns and more) would cost as much
 * as the work. A reading serves at most sixteen calls, and none beyond the callback of the event loop (with the
 * microtasks it leads to) in which it was taken: so a process that slept never takes an old reading for the present.
 */
export class TurnClock implements Clock {
  readonly #clock: Clock
  #nowMs = 0
  #callsLeft = 0
  #isTurnKnown = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  monotonicMs(): number {
    return this.#callsLeft-- > 0 ? this.#nowMs : this.#read()
  }

  #read(): number {
    this.#nowMs = this.#clock.monotonicMs()
    this.#callsLeft = CALLS_PER_READING
    if (!this.#isTurnKnown) {
      this.#isTurnKnown = true
      process.nextTick(this.#endTurn)
    }
    return this.#nowMs
  }

  readonly #endTurn = (): void => {
    this.#isTurnKnown = false
    this.#callsLeft = 0
  }
}

/** Who wakes us later, so that a test can be its master. */
export interface Timers {
  /** Calls back once after `delayMs`; returns what calls it off. A timer alone holds no process open. */
  after(delayMs: number, callback: () => void): () => void
}

export const SYSTEM_TIMERS: Timers = Object.freeze({
  after(delayMs: number, callback: () => void) {
    const timer = setTimeout(callback, delayMs).unref()
    return () => clearTimeout(timer)
  },
})
