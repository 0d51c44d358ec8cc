/** Where time comes from, so that a test can be its master. */
export interface Clock {
  /** Milliseconds (with fractions) since some fixed moment; never goes back, whatever happens to the wall clock. */
  monotonicMs(): number
}

export const SYSTEM_CLOCK: Clock = Object.freeze({ monotonicMs: () => performance.now() })

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
