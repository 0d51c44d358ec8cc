import type { EntryMeta } from '../codec/entry-meta.ts'
import type { Policies } from './policies.ts'

/** A number from 0 to (but not including) 1, as `Math.random`; a test may give its own. */
export type Random = () => number

/** How long the shared tier keeps an entry: both stale windows begin when it is no longer fresh. */
export function storedTtlMs({
  staleIfErrorMs,
  staleWhileRevalidateMs,
  ttlMs,
}: Pick<EntryMeta, 'ttlMs' | 'staleIfErrorMs' | 'staleWhileRevalidateMs'>): number {
  return ttlMs + Math.max(staleIfErrorMs, staleWhileRevalidateMs)
}

/** The times that one entry gets: its time to live is shortened at random, never prolonged. */
export function timesOf(
  { jitter, staleIfErrorMs, staleWhileRevalidateMs, ttlMs }: Policies,
  random: Random,
): Pick<EntryMeta, 'ttlMs' | 'staleIfErrorMs' | 'staleWhileRevalidateMs'> {
  const isSpread = jitter > 0 && ttlMs !== Number.POSITIVE_INFINITY
  return {
    ttlMs: isSpread ? Math.max(1, Math.ceil(ttlMs * (1 - jitter * random()))) : ttlMs,
    staleWhileRevalidateMs,
    staleIfErrorMs,
  }
}

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
