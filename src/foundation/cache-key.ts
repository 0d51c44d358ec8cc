import { CacheError } from './errors/cache-error.ts'
import { shown } from './errors/shown-value.ts'
import { RESERVED } from './reserved-keys.ts'

/** The longest key or member, in bytes of UTF-8. */
const MAX_KEY_BYTES = 65_536
/** A UTF-16 unit takes at most three bytes of UTF-8, so the bytes of a key this short need not be counted. */
const SURELY_SHORT = Math.floor(MAX_KEY_BYTES / 3)

/** Whether `key` is a non-empty, well-formed string of at most 64 KiB without a NUL. */
export function isCacheKey(key: unknown): key is string {
  return (
    typeof key === 'string' &&
    key.length > 0 &&
    !key.includes(RESERVED) &&
    key.isWellFormed() &&
    (key.length <= SURELY_SHORT || Buffer.byteLength(key) <= MAX_KEY_BYTES)
  )
}

/**
 * @param noun what the string is, for the message: `'key'`, `'member'`
 * @throws CacheError `CACHE_INVALID_KEY`
 */
export function assertCacheKey(key: unknown, noun = 'key'): asserts key is string {
  if (!isCacheKey(key)) throw new CacheError('CACHE_INVALID_KEY', `Invalid ${noun}: ${defect(key)}`)
}

function defect(key: unknown): string {
  if (typeof key !== 'string') return `a string is needed, not ${shown(key)}`
  if (key.length === 0) return 'it is empty'
  if (key.includes(RESERVED)) return 'it holds a NUL, which is reserved'
  if (!key.isWellFormed()) return 'it holds a lone surrogate, which UTF-8 cannot carry'
  return `it takes ${Buffer.byteLength(key)} bytes, more than ${MAX_KEY_BYTES}`
}

/** A member of a set may contain a NUL, unlike a key. @throws CacheError `CACHE_INVALID_KEY` */
export function assertMember(member: unknown): asserts member is string {
  assertCacheKey(typeof member === 'string' ? member.replaceAll(RESERVED, ' ') : member, 'member')
}
