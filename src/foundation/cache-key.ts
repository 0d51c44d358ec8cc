import { CacheError } from './cache-error.ts'

/** Longest key, member or prefix, in bytes of UTF-8. */
const MAX_KEY_BYTES = 65_536
/** A UTF-16 unit takes at most three bytes of UTF-8, so a key this short needs no counting. */
const SURELY_SHORT = Math.floor(MAX_KEY_BYTES / 3)

/** Under a prefix, what begins with this is the library's own: generations of tags and namespaces. */
export const RESERVED = '\u0000'

const RESERVED_NAMES = ['namespace', 'tag:', 'bus'].map((name) => RESERVED + name)

/** Whether a stored key is one of the library's own, of whatever namespace. */
export function isReserved(storedKey: string | Buffer): boolean {
  return RESERVED_NAMES.some((name) => storedKey.includes(name))
}

/** Whether `key` is a non-empty, well-formed string of at most 64 KiB that does not begin with a NUL. */
export function isCacheKey(key: unknown): key is string {
  return (
    typeof key === 'string' &&
    key.length > 0 &&
    key.charCodeAt(0) !== 0 &&
    key.isWellFormed() &&
    (key.length <= SURELY_SHORT || Buffer.byteLength(key) <= MAX_KEY_BYTES)
  )
}

/**
 * @param noun what the string is to the caller, for the message: `'key'`, `'member'`
 * @throws CacheError `CACHE_INVALID_KEY`
 */
export function assertCacheKey(key: unknown, noun = 'key'): asserts key is string {
  if (!isCacheKey(key)) throw new CacheError('CACHE_INVALID_KEY', `Invalid ${noun}: ${defect(key)}`)
}

function defect(key: unknown): string {
  if (typeof key !== 'string') return `a string is needed, got ${key === null ? 'null' : typeof key}`
  if (key.length === 0) return 'it is empty'
  if (key.startsWith(RESERVED)) return 'it begins with a NUL, which is reserved'
  if (!key.isWellFormed()) return 'it holds a lone surrogate, which UTF-8 cannot carry'
  return `it takes ${Buffer.byteLength(key)} bytes, more than ${MAX_KEY_BYTES}`
}
