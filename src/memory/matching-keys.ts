import { chunks } from '../foundation/chunks.ts'
import { walkAborted } from '../foundation/errors/cache-error.ts'
import { globMatcher } from '../foundation/glob-matcher.ts'

/** Most keys of one step of a walk. */
const WALK_BATCH = 1_000

/**
 * The keys that match a glob, in batches, of which some may be empty.
 * @param storedKeys a copy of those in the store, which may change meanwhile
 * @throws CacheError `CACHE_ABORTED` in place of a batch, once the signal is aborted
 */
export function* matchingKeys(
  storedKeys: readonly string[],
  pattern: string,
  signal: AbortSignal | undefined,
): Generator<readonly string[]> {
  const matches = globMatcher(pattern)
  if (signal?.aborted) throw walkAborted()
  for (const batch of chunks(storedKeys, WALK_BATCH)) {
    if (signal?.aborted) throw walkAborted()
    yield batch.filter(matches)
  }
}
