/** A number from 0 to (but not including) 1, as `Math.random` gives it; a test may pass its own. */
export type Random = () => number

/** The most that `-Math.log(1 - random)` comes to: 53 bits are drawn. */
export const LONGEST_DRAW: number = 53 * Math.LN2

/**
 * Whether a fresh value is to be loaded anew by this request (XFetch): the request looks ahead by
 * `-beta * loadCost * ln(random)`, and finds the value expired or not.
 *
 * @param leftMs how long it is still fresh
 */
export function isDueEarly(leftMs: number, loadCostMs: number, beta: number, random: Random): boolean {
  // 1 - random() is never 0.
  return -Math.log(1 - random()) * beta * loadCostMs >= leftMs
}
