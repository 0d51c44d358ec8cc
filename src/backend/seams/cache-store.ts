import type { RemovalOptions } from '../../contract/cache-backend.ts'
import type { CacheError } from '../../foundation/errors/cache-error.ts'
import type { Clock } from '../../foundation/time/clock.ts'
import type { ReadOutcome } from './read-outcome.ts'
import type { Coherence, SharedTier } from './shared-tier.ts'

/** An encoded value to store. */
export interface StoredEntry {
  readonly key: string
  readonly storedKey: string
  readonly encoded: string | Buffer
  /** `Infinity` = does not expire. */
  readonly ttlMs: number
}

/** A change of a counter. Numbers are sent as decimal text, so that all 64 bits arrive. */
export interface CounterChange {
  readonly amount: string
  /** The value of a missing counter. */
  readonly start: string
  /** `Infinity` = does not expire. */
  readonly ttlMs: number
  readonly slide: boolean
  /** Whether to refuse the change if the result would pass ±(2^53 - 1). */
  readonly safeOnly: boolean
}

/** The time to live that an operation gives to a key it creates. */
export interface Expiry {
  /** `Infinity` = does not expire. */
  readonly ttlMs: number
  readonly slide: boolean
}

/**
 * The primitives that a backend needs from its data store. They take **stored** keys (prefix included) and
 * encoded values, and validated arguments. Every method fails with a {@link CacheError}.
 */
export interface CacheStore {
  open(): Promise<void>
  close(): Promise<void>
  read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result>
  /** One result per key, in the same order: bytes, `null` as in {@link ReadOutcome.found}, or the error of its node. */
  readMany(storedKeys: readonly string[]): Promise<readonly (Buffer | CacheError | null)[]>
  /** Stores a value and its time to live in one step. */
  write(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<unknown>
  /** Stores each entry and its time to live in one step; returns the failures, by the caller's key. */
  writeMany(entries: readonly StoredEntry[]): Promise<Map<string, CacheError>>
  /** As {@link write}, if there is no such key; whether it was stored. A placeholder does not count, and is replaced. */
  writeIfAbsent(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<boolean>
  /** Reads a string and removes it, in one step; `null` if there is none. Placeholders and other types stay. */
  take(storedKey: string): Promise<Buffer | null>
  /** Removes keys, and returns how many of them were there. A placeholder does not count. */
  remove(storedKeys: readonly string[]): Promise<number>
  exists(storedKey: string): Promise<boolean>
  /**
   * Stores bytes if the key is free, or holds the expected bytes or these very bytes.
   * @returns `null` if the key holds them now, else the bytes that it holds
   */
  compareAndSet(
    storedKey: string,
    expected: Buffer | null,
    bytes: Buffer,
    ttlMs: number,
  ): Promise<Buffer | null>
  /** Milliseconds until the key expires; `Infinity` if it does not, `undefined` if there is no such key. */
  ttlMs(storedKey: string): Promise<number | undefined>
  /** The time of the server that owns the key, in milliseconds, as `SharedTier.serverTimeMs` tells it. */
  serverTimeMs(storedKey: string): Promise<number>
  /** Gives a key another time to live; whether it was there. A placeholder does not count, and keeps its own. */
  expire(storedKey: string, ttlMs: number): Promise<boolean>
  /**
   * Lists the keys that match a glob, each once, in batches: one step of the iteration is one step of the walk. Generations
   * and other keys of the library are left out, and so are placeholders.
   */
  list(pattern: string, signal: AbortSignal | undefined): AsyncIterable<readonly string[]>
  /** Changes a counter, and returns the new count; as decimal text if it may be no safe integer. */
  count(storedKey: string, change: CounterChange): Promise<number | string>
  /**
   * Removes the keys that match a glob, and returns how many.
   * @param isWhole whether the glob means everything under a prefix: generations are removed too then
   */
  removeMatching(pattern: string, options: RemovalOptions, isWhole: boolean): Promise<number>
  /** Adds members to a set, and returns how many of them were new. */
  addMembers(storedKey: string, members: readonly string[], expiry: Expiry): Promise<number>
  members(storedKey: string): Promise<string[]>
  removeMember(storedKey: string, member: string): Promise<boolean>
  /** The store as one read-through cache at a time uses it, until it stops the tier. The store may be in use. */
  share(settings: TierSettings): SharedTier
}

/** The operations of a store, without its lifecycle. */
export type OpenStore = Omit<CacheStore, 'open' | 'close' | 'share'>

/** The settings of a {@link SharedTier}. */
export interface TierSettings {
  /** The wanted mode; `'auto'` takes the best one that is available. */
  readonly coherence: Coherence | 'auto'
  /** The prefix of the cache, which also names its channel on the invalidation bus. */
  readonly prefix: string
  /** The longest life of a local copy in mode `'ttl'`. */
  readonly localTtlMs: number
  /** How long Redis may be silent before local copies are no longer served. */
  readonly trustMs: number
  readonly clock: Clock
}
