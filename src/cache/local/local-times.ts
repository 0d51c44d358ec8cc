import type { EntryFacts } from '../../codec/envelope/entry-meta.ts'

/** An entry that was created later than this from now, on its server's clock, is stale: another clock wrote it. */
const FUTURE_TOLERANCE_MS = 1_000

/** A lease that ends later than this from now stems from another clock, and counts as free (T7). */
export const LONGEST_LEASE_MS = 60_000

/** Times of a local entry, in milliseconds of this process's monotonic clock. */
export interface LocalTimes {
  /** When its load began; `undefined` where that is not known. */
  readonly bornMs: number | undefined
  readonly freshUntilMs: number
  /** Until when this copy may be served where nobody tells of changes; `undefined` where somebody does. */
  readonly keptUntilMs: number | undefined
  /** Until when somebody may be loading a newer value. */
  readonly leasedUntilMs: number
}

/** The moment at which an entry was read, on both clocks. */
export interface ReadMoment {
  readonly nowMs: number
  /** On the server's clock; `undefined` where that is not known. */
  readonly serverNowMs: number | undefined
}

/**
 * When an entry may be served, by this process's clock. The times in the entry are those of its server's.
 * @param leaseMs until when somebody may be loading a newer value, on the server's clock
 * @param keptUntilMs as {@link LocalTimes.keptUntilMs}
 */
export function localTimes(
  { createdAtMs, ttlMs }: EntryFacts,
  leaseMs: number,
  { nowMs, serverNowMs }: ReadMoment,
  keptUntilMs: number | undefined,
): LocalTimes {
  if (serverNowMs === undefined) {
    return { bornMs: undefined, freshUntilMs: nowMs, keptUntilMs, leasedUntilMs: 0 }
  }
  const ageMs = serverNowMs - createdAtMs
  const leftMs = ageMs < -FUTURE_TOLERANCE_MS ? 0 : ttlMs - ageMs
  const leaseLeftMs = leaseMs - serverNowMs
  const leasedUntilMs = leaseLeftMs > LONGEST_LEASE_MS ? 0 : nowMs + leaseLeftMs
  return { bornMs: nowMs - ageMs, freshUntilMs: nowMs + leftMs, keptUntilMs, leasedUntilMs }
}

/** Until when a copy may be served where nobody tells of changes. */
export function keptUntil(localTtlMs: number, nowMs: number, believedUntilMs: number): number | undefined {
  return localTtlMs === Number.POSITIVE_INFINITY ? undefined : Math.min(nowMs + localTtlMs, believedUntilMs)
}
