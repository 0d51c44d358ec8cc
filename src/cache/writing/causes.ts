import { causeKey } from '../../foundation/reserved-keys.ts'
import type { CacheCore } from '../core/cache-core.ts'

/** How long it is remembered why a key was removed or expired. */
const CAUSE_TTL_MS = 3_600_000

/**
 * Remembers why keys were removed or expired, for `explain`. One command a key. Never rejects, since the invalidation itself
 * does not depend on it.
 */
export async function rememberCause(
  { tier: { bare } }: CacheCore,
  storedKeys: readonly string[],
  cause: Buffer | undefined,
): Promise<void> {
  if (cause === undefined) return
  await Promise.allSettled(storedKeys.map((key) => bare.bump(causeKey(key), CAUSE_TTL_MS, { cause })))
}
