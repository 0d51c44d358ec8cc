import { CacheError } from '../foundation/cache-error.ts'

/** The error for stored bytes that are no value; `reason` must hold nothing of a value. */
export function unreadable(reason: string): CacheError {
  return new CacheError('CACHE_UNDECODABLE', `The stored bytes cannot be decoded: ${reason}`)
}
