import { CacheError } from './cache-error.ts'
import { LONGEST_TIMER_MS } from './clock.ts'
import { type Duration, parseDuration } from './duration.ts'

/** @throws CacheError `CACHE_INVALID_OPTIONS` if the value is not a positive integer */
export function positiveInteger(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new CacheError('CACHE_INVALID_OPTIONS', `${name} must be a positive whole number`)
}

/**
 * The milliseconds of a duration that a timer can hold.
 * @throws CacheError `CACHE_INVALID_DURATION`, and `CACHE_INVALID_OPTIONS` if it is 24 days or longer
 */
export function timerDuration(name: string, duration: Duration): number {
  const ms = parseDuration(duration)
  if (ms <= LONGEST_TIMER_MS) return ms
  throw new CacheError('CACHE_INVALID_OPTIONS', `${name} must be less than 24 days`)
}
