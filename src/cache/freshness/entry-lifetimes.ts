import type { EntryMeta } from '../../codec/envelope/entry-meta.ts'
import type { Random } from './early-refresh.ts'
import type { Policies } from './policies.ts'

/** How long the shared tier keeps an entry: both stale windows begin when it is no longer fresh. */
export function storedTtlMs({
  staleIfErrorMs,
  staleWhileRevalidateMs,
  ttlMs,
}: Pick<EntryMeta, 'ttlMs' | 'staleIfErrorMs' | 'staleWhileRevalidateMs'>): number {
  return ttlMs + Math.max(staleIfErrorMs, staleWhileRevalidateMs)
}

/** The times that one entry gets: its time to live is shortened at random, never prolonged. */
export function lifetimesOf(
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
