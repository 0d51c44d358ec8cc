import { CacheError } from '../foundation/cache-error.ts'
import { type Duration, parseDuration } from '../foundation/duration.ts'

/**
 * Milliseconds in a span that ends.
 * @throws CacheError `CACHE_INVALID_DURATION`
 */
export function parseFiniteDuration(duration: Duration): number {
  const ms = parseDuration(duration)
  if (ms !== Number.POSITIVE_INFINITY) return ms
  throw new CacheError('CACHE_INVALID_DURATION', 'Invalid duration: give a span that ends')
}
