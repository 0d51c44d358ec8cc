/** Where time comes from, so that a test can be its master. */
export interface Clock {
  /** Milliseconds (with fractions) since some fixed moment; never goes back, whatever happens to the wall clock. */
  monotonicMs(): number
}

export const SYSTEM_CLOCK: Clock = Object.freeze({ monotonicMs: () => performance.now() })

/** Calls that one reading of a {@link TurnClock} may serve in a burst. */
const CALLS_PER_READING = 16
/** Readings that follow one another as fast as this belong to a burst. */
const BURST_MS = 0.1
/** Such readings in a row that make a burst. */
const READINGS_OF_BURST = 4

/**
 * A clock of whole milliseconds, rounded down, for what happens millions of times a second, where reading the real one (70 ns and more) would cost as much
 * as the work. In a burst of calls one reading serves sixteen of them, and none beyond the callback of the event loop
 * (with the microtasks it leads to) in which it was taken; whoever asks now and then gets the time itself.
 */
export class TurnClock implements Clock {
  readonly #clock: Clock
  #nowMs = 0
  #readMs = 0
  #callsLeft = 0
  /** Readings in a row that followed one another fast. */
  #streak = 0
  #isTurnKnown = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  monotonicMs(): number {
    return this.#callsLeft-- > 0 ? this.#nowMs : this.#read()
  }

  #read(): number {
    const readMs = this.#clock.monotonicMs()
    this.#streak = readMs - this.#readMs < BURST_MS ? this.#streak + 1 : 0
    this.#readMs = readMs
    // A small integer to V8, which is handed about and compared in place.
    const nowMs = Math.floor(readMs)
    this.#nowMs = nowMs
    const isBurst = this.#streak >= READINGS_OF_BURST
    this.#callsLeft = isBurst ? CALLS_PER_READING - 1 : 0
    if (isBurst && !this.#isTurnKnown) {
      this.#isTurnKnown = true
      process.nextTick(this.#endTurn)
    }
    return nowMs
  }

  readonly #endTurn = (): void => {
    this.#isTurnKnown = false
    this.#callsLeft = 0
    this.#streak = 0
  }
}

/** The longest delay that a timer can hold. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1

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
