import type {
  CacheEntries,
  CounterOptions,
  ExpiryOptions,
  KeysOptions,
  RemovalOptions,
} from '../../contract/cache-backend.ts'
import { assertCacheKey, assertMember } from '../../foundation/cache-key.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { kindOf, shown } from '../../foundation/errors/shown-value.ts'
import type { KnownOptions, OptionNames } from '../../foundation/option-checks.ts'
import type { Duration } from '../../foundation/time/duration.ts'

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/**
 * The longest pattern, in bytes of UTF-8, without the prefix. Redis compares every key of the database with it, which may
 * take as many steps as the product of both lengths, and takes a pattern with more than 1,000 stars to match nothing.
 */
const MAX_PATTERN_BYTES = 1_024

const EXPIRY_NAMES: OptionNames<ExpiryOptions> = { ttl: 'duration', slide: 'value' }
export const EXPIRY_OPTIONS: KnownOptions = { of: 'the operation', names: EXPIRY_NAMES }
export const COUNTER_OPTIONS: KnownOptions = {
  of: 'the operation',
  names: { ...EXPIRY_NAMES, default: 'value' } satisfies OptionNames<CounterOptions>,
  instead: { start: "its name here is 'default'", initial: "its name here is 'default'" },
}
export const REMOVAL_OPTIONS: KnownOptions = {
  of: 'the operation',
  names: { signal: 'value', onProgress: 'value' } satisfies OptionNames<RemovalOptions>,
}
export const KEYS_OPTIONS: KnownOptions = {
  of: 'the operation',
  names: { limit: 'value', signal: 'value' } satisfies OptionNames<KeysOptions>,
  instead: { count: "its name here is 'limit'" },
}

/** An entry of a batch write, as the caller gives it. */
export interface GivenEntry<T> {
  readonly value: T
  /** `undefined` = the one that the entries of the batch share. */
  readonly ttl: Duration | undefined
}

/**
 * The keys as a validated array. An array is returned as it is, without a copy.
 * @throws CacheError `CACHE_INVALID_KEY`, `CACHE_INVALID_ARGUMENT`
 */
export function checkedKeys(keys: Iterable<string>): readonly string[] {
  return checkedList(keys, 'keys', (key) => assertCacheKey(key))
}

/** As {@link checkedKeys}, for the members of a set. */
export function checkedMembers(members: Iterable<string>): readonly string[] {
  return checkedList(members, 'members', assertMember)
}

function checkedList(
  items: Iterable<string>,
  noun: string,
  check: (item: unknown) => void,
): readonly string[] {
  assertIterable(items, noun)
  const list = Array.isArray(items) ? (items as readonly string[]) : [...items]
  for (const item of list) check(item)
  return list
}

/**
 * The entries by key; of two entries with the same key the later one wins.
 * @throws CacheError `CACHE_INVALID_KEY`, `CACHE_INVALID_ARGUMENT`
 */
export function distinctEntries<T>(entries: CacheEntries<T>): Map<string, GivenEntry<T>> {
  if (entries === null || typeof entries !== 'object') {
    throw invalidArgument(
      `entries must be a Map, an iterable of [key, value, ttl?], or a plain object, not ${kindOf(entries)}`,
    )
  }
  const distinct = new Map<string, GivenEntry<T>>()
  const list: Iterable<readonly [string, T, (Duration | undefined)?]> =
    Symbol.iterator in entries ? entries : Object.entries(entries)
  for (const [key, value, ttl] of list) {
    assertCacheKey(key)
    distinct.set(key, { value, ttl })
  }
  return distinct
}

/** An integer between ±(2^53 - 1) as decimal text. @throws CacheError `CACHE_INVALID_ARGUMENT` */
export function safeIntegerText(value: unknown, noun: string): string {
  if (!Number.isSafeInteger(value))
    throw invalidArgument(`${noun} must be a safe integer, not ${shown(value)}`)
  return String(value === 0 ? 0 : value)
}

/** A signed 64-bit integer as decimal text. @throws CacheError `CACHE_INVALID_ARGUMENT` */
export function int64Text(value: unknown, noun: string): string {
  if (typeof value !== 'bigint' || value < INT64_MIN || value > INT64_MAX) {
    throw invalidArgument(`${noun} must be a bigint of 64 bits, not ${shown(value)}`)
  }
  return String(value)
}

/** The negated number, as decimal text. */
export function negated(text: string): string {
  return text.startsWith('-') ? text.slice(1) : text === '0' ? text : `-${text}`
}

/** @throws CacheError `CACHE_INVALID_ARGUMENT` */
export function assertPattern(pattern: unknown): asserts pattern is string {
  if (typeof pattern !== 'string' || pattern.length === 0 || !pattern.isWellFormed()) {
    throw invalidArgument(`a pattern must be a well-formed string that is not empty, not ${shown(pattern)}`)
  }
  const bytes = Buffer.byteLength(pattern)
  if (bytes > MAX_PATTERN_BYTES) {
    throw invalidArgument(`a pattern must take at most ${MAX_PATTERN_BYTES} bytes, not ${bytes}`)
  }
}

/** @throws CacheError `CACHE_INVALID_ARGUMENT` */
export function assertLimit(limit: unknown): asserts limit is number | undefined {
  if (limit === undefined || (Number.isSafeInteger(limit) && (limit as number) > 0)) return
  throw invalidArgument(`limit must be a positive whole number, not ${shown(limit)}`)
}

export function invalidArgument(message: string): CacheError {
  return new CacheError('CACHE_INVALID_ARGUMENT', message)
}

function assertIterable(value: unknown, noun: string): void {
  const isIterable = typeof value === 'object' && value !== null && Symbol.iterator in value
  if (!isIterable)
    throw invalidArgument(`${noun} must be an array or another iterable of strings, not ${shown(value)}`)
}
