import type { SharedTier } from '../../backend/shared-tier.ts'
import type { EntryFacts } from '../../codec/envelope/entry-meta.ts'
import type { LocalTimes } from './local-entry.ts'

/** An entry whose creation lies further ahead than this on its server's clock metrics as stale (another clock wrote it). */
const FUTURE_TOLERANCE_MS = 1_000

/** A deadline further off than this stems from another clock. */
export const LONGEST_LEASE_MS = 60_000

/**
 * When an entry is served, by this process's clock; its own times are those of its server's.
 * @param leaseMs until when somebody may be loading a newer one, on the server's clock
 */
export function localTimesOf(
  tier: SharedTier,
  storedKey: string,
  { createdAtMs, ttlMs }: EntryFacts,
  leaseMs: number,
  nowMs: number,
): LocalTimes {
  const { localTtlMs } = tier
  const keptUntilMs = localTtlMs === Number.POSITIVE_INFINITY ? undefined : nowMs + localTtlMs
  const serverNowMs = tier.serverNowMs(storedKey, nowMs)
  // Whose server's clock is not known is taken for stale.
  if (serverNowMs === undefined) {
    return { bornMs: undefined, freshUntilMs: nowMs, keptUntilMs, leasedUntilMs: 0 }
  }
  const ageMs = serverNowMs - createdAtMs
  const leftMs = ageMs < -FUTURE_TOLERANCE_MS ? 0 : ttlMs - ageMs
  const leaseLeftMs = leaseMs - serverNowMs
  // T7.
  const leasedUntilMs = leaseLeftMs > LONGEST_LEASE_MS ? 0 : nowMs + leaseLeftMs
  return { bornMs: nowMs - ageMs, freshUntilMs: nowMs + leftMs, keptUntilMs, leasedUntilMs }
}
