import type { EntryMeta } from '../codec/entry-meta.ts'
import type { LocalEntry } from './local-tier.ts'
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

/** Whether this request should have a fresh entry loaded anew. */
export function wantsEarlyRefresh(
  { freshUntilMs, leasedUntilMs, meta }: LocalEntry,
  beta: number,
  nowMs: number,
  random: Random,
): boolean {
  if (beta === 0 || meta === undefined || nowMs < leasedUntilMs) return false
  return isDueEarly(freshUntilMs - nowMs, meta.loadCostMs, beta, random)
}

/** The most that `-Math.log(random)` comes to: 53 bits are drawn. */
const LONGEST_DRAW = 53 * Math.LN2

/**
 * Whether a fresh value is to be loaded anew by this request (XFetch): the request looks ahead by
 * `-beta * loadCost * ln(random)`, and finds the value expired or not.
 *
 * @param leftMs how long it is still fresh
 */
export function isDueEarly(leftMs: number, loadCostMs: number, beta: number, random: Random): boolean {
  const scaleMs = beta * loadCostMs
  // No draw reaches further, so that most requests need none.
  if (!(leftMs < scaleMs * LONGEST_DRAW)) return false
  // 1 - random() is never 0.
  return -Math.log(1 - random()) * scaleMs >= leftMs
}
