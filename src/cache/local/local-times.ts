import type { EntryFacts } from '../../codec/envelope/entry-meta.ts'

/** An entry that was created further in the future than this was written by another clock, and is stale (T7). */
const FUTURE_TOLERANCE_MS = 1_000

/** A lease that ends further in the future than this was written by another clock, and counts as free (T7). */
export const LONGEST_LEASE_MS = 60_000

/** Times of a local entry, in milliseconds of this process's monotonic clock. */
export interface LocalTimes {
  /** When its load began; `undefined` if that is not known. */
  readonly bornMs: number | undefined
  /** When this copy was read from the shared tier, or stored there. */
  readonly readAtMs: number
  readonly freshUntilMs: number
  /** Until when this copy may be served; `undefined` if it may be as long as its entry is. */
  readonly keptUntilMs: number | undefined
  /** The end of its lease: until then, the holder may be loading a newer value. */
  readonly leasedUntilMs: number
}

/** The moment at which an entry was read, on both clocks. */
export interface ReadMoment {
  readonly nowMs: number
  /** On the server's clock; `undefined` if that is not known. */
  readonly serverNowMs: number | undefined
}

/**
 * Converts the times of an entry from its server's clock to this process's clock.
 * @param leaseMs the end of its lease, on the server's clock
 * @param keptUntilMs as {@link LocalTimes.keptUntilMs}
 */
export function localTimes(
  { createdAtMs, staleIfErrorMs, staleWhileRevalidateMs, ttlMs }: EntryFacts,
  leaseMs: number,
  { nowMs, serverNowMs }: ReadMoment,
  keptUntilMs: number | undefined,
): LocalTimes {
  if (serverNowMs === undefined) {
    // Its age is unknown too, so its stale windows may be over.
    const freshUntilMs = nowMs - Math.max(staleIfErrorMs, staleWhileRevalidateMs)
    return { bornMs: undefined, readAtMs: nowMs, freshUntilMs, keptUntilMs, leasedUntilMs: 0 }
  }
  const isFromFuture = createdAtMs - serverNowMs > FUTURE_TOLERANCE_MS
  // The clock is an estimate, which may be slow: nothing was read before it was created.
  const ageMs = Math.max(0, serverNowMs - createdAtMs)
  const leftMs = isFromFuture ? 0 : ttlMs - ageMs
  const leaseLeftMs = leaseMs - serverNowMs
  const leasedUntilMs = leaseLeftMs > LONGEST_LEASE_MS ? 0 : nowMs + leaseLeftMs
  const freshUntilMs = nowMs + leftMs
  return { bornMs: nowMs - ageMs, readAtMs: nowMs, freshUntilMs, keptUntilMs, leasedUntilMs }
}

/**
 * Until when a copy may be served, if that is not as long as its entry is; `undefined` if it is.
 * @param localTtlMs how long a copy may be served, since changes are not announced or its namespace says so
 * @param generations of the copy
 */
export function keptUntil(
  localTtlMs: number,
  nowMs: number,
  generations: { readonly believedUntilMs: number },
): number | undefined {
  if (localTtlMs === Number.POSITIVE_INFINITY) return undefined
  return Math.min(nowMs + localTtlMs, generations.believedUntilMs)
}
