import type { ValueCodec } from '../../codec/value-codec.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { StoredEntry } from '../seams/cache-store.ts'

/** An entry of a batch by its key, with its time to live. */
export interface TimedValue {
  readonly value: unknown
  readonly ttlMs: number
}

/** The entries of a batch that can be stored, and the errors of those that cannot. */
export interface EncodedBatch {
  readonly encoded: readonly StoredEntry[]
  /** By the caller's key. */
  readonly failures: Map<string, CacheError>
}

/**
 * Encodes all entries before any is sent, so that an invalid value leaves no batch half done. A value that is too large
 * is not a programming mistake, and fails alone.
 * @throws CacheError `CACHE_INVALID_VALUE`
 */
export function encodeAll(
  entries: ReadonlyMap<string, TimedValue>,
  prefix: string,
  codec: ValueCodec,
): EncodedBatch {
  const encoded: StoredEntry[] = []
  const failures = new Map<string, CacheError>()
  for (const [key, { ttlMs, value }] of entries) {
    const storedKey = prefix + key
    try {
      encoded.push({ key, storedKey, encoded: codec.encode(storedKey, value), ttlMs })
    } catch (error) {
      if (!(error instanceof CacheError) || error.code !== 'CACHE_VALUE_TOO_LARGE') throw error
      failures.set(key, error.within('setMany', key))
    }
  }
  return { encoded, failures }
}

/** The error of a batch that was stored in part. */
export function partialWrite(failures: ReadonlyMap<string, CacheError>): CacheError {
  const [first] = failures.values()
  const count = failures.size === 1 ? 'An entry was' : `${failures.size} entries were`
  return new CacheError('CACHE_PARTIAL_WRITE', `${count} not stored: ${first?.message}`, { failures })
}
