import type { CacheEntries } from '../contract/cache-backend.ts'
import { CacheError } from '../foundation/cache-error.ts'
import { assertCacheKey } from '../foundation/cache-key.ts'

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/**
 * The keys as a list, all of them checked; a list that is one already is not copied.
 * @throws CacheError `CACHE_INVALID_KEY`, `CACHE_INVALID_ARGUMENT`
 */
export function checkedKeys(keys: Iterable<string>, noun = 'key'): readonly string[] {
  assertIterable(keys, `${noun}s`)
  const list = Array.isArray(keys) ? (keys as readonly string[]) : [...keys]
  for (const key of list) assertCacheKey(key, noun)
  return list
}

/** The entries by key; of two with the same key the later one counts. @throws CacheError `CACHE_INVALID_KEY`, `CACHE_INVALID_ARGUMENT` */
export function distinctEntries<T>(entries: CacheEntries<T>): Map<string, T> {
  if (entries === null || typeof entries !== 'object') {
    throw invalidArgument('entries must be a Map, an iterable of pairs, or a plain object')
  }
  const distinct = new Map<string, T>()
  for (const [key, value] of Symbol.iterator in entries ? entries : Object.entries(entries)) {
    assertCacheKey(key)
    distinct.set(key, value)
  }
  return distinct
}

/** A whole number between ±(2^53 - 1), as decimal text. @throws CacheError `CACHE_INVALID_ARGUMENT` */
export function safeIntegerText(value: unknown, noun: string): string {
  if (!Number.isSafeInteger(value)) throw invalidArgument(`${noun} must be a safe integer`)
  return String(value === 0 ? 0 : value)
}

/** A whole number of 64 bits, as decimal text. @throws CacheError `CACHE_INVALID_ARGUMENT` */
export function int64Text(value: unknown, noun: string): string {
  if (typeof value !== 'bigint' || value < INT64_MIN || value > INT64_MAX) {
    throw invalidArgument(`${noun} must be a bigint of 64 bits`)
  }
  return String(value)
}

/** Decimal text with the other sign. */
export function negated(text: string): string {
  return text.startsWith('-') ? text.slice(1) : text === '0' ? text : `-${text}`
}

/** @throws CacheError `CACHE_INVALID_ARGUMENT` */
export function assertPattern(pattern: unknown): asserts pattern is string {
  if (typeof pattern !== 'string' || pattern.length === 0 || !pattern.isWellFormed()) {
    throw invalidArgument('a pattern must be a well-formed string that is not empty')
  }
}

export function invalidArgument(message: string): CacheError {
  return new CacheError('CACHE_INVALID_ARGUMENT', message)
}

function assertIterable(value: unknown, noun: string): void {
  const isIterable = typeof value === 'object' && value !== null && Symbol.iterator in value
  if (!isIterable) throw invalidArgument(`${noun} must be an array or another iterable of strings`)
}
