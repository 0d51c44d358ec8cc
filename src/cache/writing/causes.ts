import type { KnownOptions } from '../../foundation/option-checks.ts'
import { causeKey } from '../../foundation/reserved-keys.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { causeOf } from '../core/labels.ts'
import { INVALIDATION_OPTIONS, type InvalidationOptions } from './invalidation-options.ts'

/** How long it is remembered why a key was removed or expired. */
const CAUSE_TTL_MS = 3_600_000

/**
 * What is remembered of an invalidation with these options, which are checked; `undefined` if they do not say what it is for.
 * @throws CacheError `CACHE_INVALID_OPTIONS`
 */
export function checkedCause(
  { calls, options: { processName } }: CacheCore,
  options: InvalidationOptions,
  known: KnownOptions = INVALIDATION_OPTIONS,
): Buffer | undefined {
  calls.check(options, known)
  return causeOf(options.by, processName)
}

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
