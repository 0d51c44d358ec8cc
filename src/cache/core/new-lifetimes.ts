import type { EntryMeta } from '../../codec/envelope/entry-meta.ts'
import { lifetimesOf } from '../freshness/entry-lifetimes.ts'
import type { Policies } from '../freshness/policies.ts'
import type { CacheCore } from './cache-core.ts'

/** Two moments of the server's clock. */
export interface StoreMoment {
  /** When the load of the value began. */
  readonly createdAtMs: number
  /** The present. */
  readonly serverNowMs: number
}

/** The lifetimes of an entry that is about to be stored; `undefined` if its `expiresAt` has come. */
export function lifetimesAt(
  { random, tier }: Pick<CacheCore, 'random' | 'tier'>,
  policies: Policies,
  { createdAtMs, serverNowMs }: StoreMoment,
): Pick<EntryMeta, 'ttlMs' | 'staleIfErrorMs' | 'staleWhileRevalidateMs'> | undefined {
  const leftMs = leftUntilExpiry(tier, policies, serverNowMs)
  if (leftMs === undefined) return lifetimesOf(policies, random)
  if (leftMs <= 0) return undefined
  const ttlMs = Math.max(1, Math.floor(leftMs + serverNowMs - createdAtMs))
  return lifetimesOf({ ...policies, ttlMs, jitter: 0 }, random)
}

/** The milliseconds until the `expiresAt` of a value; negative if it has come, `undefined` if there is none. */
export function leftUntilExpiry(
  tier: Pick<CacheCore['tier'], 'epochOffsetMs'>,
  { expiresAtMs }: Pick<Policies, 'expiresAtMs'>,
  serverNowMs: number,
): number | undefined {
  return expiresAtMs === undefined ? undefined : expiresAtMs - tier.epochOffsetMs() - serverNowMs
}
