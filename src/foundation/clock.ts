/** Where time comes from, so that a test can be its master. */
export interface Clock {
  /** Milliseconds (with fractions) since some fixed moment; never goes back, whatever happens to the wall clock. */
  monotonicMs(): number
}

export const SYSTEM_CLOCK: Clock = Object.freeze({ monotonicMs: () => performance.now() })
