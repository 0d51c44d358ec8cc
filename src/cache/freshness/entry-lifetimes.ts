import type { EntryMeta } from '../../codec/envelope/entry-meta.ts'
import type { Random } from './early-refresh.ts'
import type { Policies } from './policies.ts'

/** The time to live of an entry in the shared tier. Both stale windows begin when the entry ceases to be fresh. */
export function storedTtlMs({
  staleIfErrorMs,
  staleWhileRevalidateMs,
  ttlMs,
}: Pick<EntryMeta, 'ttlMs' | 'staleIfErrorMs' | 'staleWhileRevalidateMs'>): number {
  return ttlMs + Math.max(staleIfErrorMs, staleWhileRevalidateMs)
}

/** The lifetimes of an entry that says that the source has no value: it is never served past its time. */
export function absenceOf({
  absentTtlMs,
}: Policies): Pick<EntryMeta, 'ttlMs' | 'staleIfErrorMs' | 'staleWhileRevalidateMs'> {
  return { ttlMs: absentTtlMs, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
}

/** The lifetimes of a new entry. Jitter shortens its time to live at random, and never prolongs it. */
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
