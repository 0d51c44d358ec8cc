import { clearTimeout, nextTick, setTimeout, systemMs } from './timers.ts'

/** A source of time, which must not throw. A test may pass its own. */
export interface Clock {
  /** Milliseconds (with fractions) since a fixed moment. It never goes back, even if the wall clock does. */
  monotonicMs(): number
}

export const SYSTEM_CLOCK: Clock = Object.freeze({ monotonicMs: systemMs })

/** The calls that one reading of a {@link TurnClock} serves in a burst. */
const CALLS_PER_READING = 16
/** Readings closer to each other than this belong to a burst. */
const BURST_MS = 0.1
/** The number of such readings in a row that make a burst. */
const READINGS_OF_BURST = 4

/**
 * A clock of whole milliseconds, rounded down, for work that happens millions of times a second. Reading the real clock
 * takes 70 ns or more, as much as that work. In a burst of calls one reading serves sixteen calls, but none after the
 * callback of the event loop (with its microtasks) in which it was taken. A call outside a burst gets the exact time.
 */
export class TurnClock implements Clock {
  readonly #clock: Clock
  #nowMs = 0
  #readMs = 0
  #callsLeft = 0
  /** Readings of a burst, in a row. */
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
    // V8 keeps a small integer in place, without an allocation.
    const nowMs = Math.floor(readMs)
    this.#nowMs = nowMs
    const isBurst = this.#streak >= READINGS_OF_BURST
    this.#callsLeft = isBurst ? CALLS_PER_READING - 1 : 0
    if (isBurst && !this.#isTurnKnown) {
      this.#isTurnKnown = true
      nextTick(this.#endTurn)
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

/** A source of timers. A test may pass its own. */
export interface Timers {
  /**
   * Calls back once after `delayMs`, and returns a function that cancels it.
   * @param isAwaited whether a caller waits for it: only such a timer keeps the process alive. Timers of a test that
   * advances them may ignore it
   */
  after(delayMs: number, callback: () => void, isAwaited?: boolean): () => void
}

/** The system's timers. Those that a caller waits for keep the process alive, the others do not. */
export const SYSTEM_TIMERS: Timers = Object.freeze({
  after(delayMs: number, callback: () => void, isAwaited = false) {
    const timer = setTimeout(callback, delayMs)
    if (!isAwaited) timer.unref()
    return () => clearTimeout(timer)
  },
})
