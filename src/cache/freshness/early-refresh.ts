/** Returns a number from 0 to (but not including) 1, as `Math.random` does. A test may pass its own. */
export type Random = () => number

/** The largest value of `-Math.log(1 - random)`, since `random` has 53 bits. */
export const LONGEST_DRAW: number = 53 * Math.LN2

/**
 * Whether this request refreshes a fresh value early (XFetch): it looks ahead by `-beta * loadCost * ln(random)`, and
 * refreshes the value if that has expired by then.
 *
 * @param leftMs the time for which it is still fresh
 */
export function isDueEarly(leftMs: number, loadCostMs: number, beta: number, random: Random): boolean {
  // 1 - random() is never 0.
  return -Math.log(1 - random()) * beta * loadCostMs >= leftMs
}
