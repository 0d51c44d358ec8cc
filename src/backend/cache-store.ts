import type { RemovalOptions } from '../contract/cache-backend.ts'
import type { CacheError } from '../foundation/cache-error.ts'
import type { Clock } from '../foundation/clock.ts'
import type { ReadOutcome } from './read-outcome.ts'
import type { Coherence, SharedTier } from './shared-tier.ts'

/** An encoded value on its way to the store. */
export interface StoredEntry {
  readonly key: string
  readonly storedKey: string
  readonly encoded: string | Buffer
}

/** A change to a counter. Numbers travel as decimal text, so that 64 bits arrive exactly. */
export interface CounterChange {
  readonly amount: string
  /** Where a missing counter starts. */
  readonly start: string
  /** `Infinity` = does not expire. */
  readonly ttlMs: number
  readonly slide: boolean
  /** Whether to refuse, and leave the counter as it was, where the result would pass ±(2^53 - 1). */
  readonly safeOnly: boolean
}

/** The time to live that an operation gives to a key it creates. */
export interface Expiry {
  /** `Infinity` = does not expire. */
  readonly ttlMs: number
  readonly slide: boolean
}

/**
 * What a backend needs of the place where data lies: primitives over **stored** keys (prefix included) and
 * encoded values. Arguments have been checked; every method fails with a {@link CacheError}.
 */
export interface CacheStore {
  open(): Promise<void>
  close(): Promise<void>
  read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result>
  /** One result a key, in the same order: bytes, `null` as in {@link ReadOutcome.found}, or why it could not be read. */
  readMany(storedKeys: readonly string[]): Promise<readonly (Buffer | CacheError | null)[]>
  /** Stores value and time to live in one step. */
  write(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<unknown>
  /** Stores each entry together with its time to live; returns what failed, by the caller's key. */
  writeMany(entries: readonly StoredEntry[], ttlMs: number): Promise<Map<string, CacheError>>
  /** How many of the keys were there. */
  remove(storedKeys: readonly string[]): Promise<number>
  exists(storedKey: string): Promise<boolean>
  /**
   * Stores bytes where nothing lies, or exactly those that are expected; one that is there already stays.
   * @returns `null` where they lie there now, else the bytes that do
   */
  compareAndSet(
    storedKey: string,
    expected: Buffer | null,
    bytes: Buffer,
    ttlMs: number,
  ): Promise<Buffer | null>
  /** Milliseconds, `Infinity`, or `undefined` where there is no such key. */
  ttlMs(storedKey: string): Promise<number | undefined>
  /** The new count as decimal text. */
  count(storedKey: string, change: CounterChange): Promise<string>
  /**
   * Removes the keys that match a glob and returns how many.
   * @param isWhole whether all there is under a prefix is meant: then generations go too, and need not be told apart
   */
  removeMatching(pattern: string, options: RemovalOptions, isWhole: boolean): Promise<number>
  /** How many of the members were new. */
  addMembers(storedKey: string, members: readonly string[], expiry: Expiry): Promise<number>
  members(storedKey: string): Promise<string[]>
  removeMember(storedKey: string, member: string): Promise<boolean>
  /** The same place as a read-through cache needs it. To be asked for before {@link open}, and once. */
  share(settings: TierSettings): SharedTier
}

/** How a store is to serve a read-through cache. */
export interface TierSettings {
  /** The mode to be in; `'auto'` takes the best that can be had. */
  readonly coherence: Coherence | 'auto'
  /** Names what belongs to this cache, beside its keys: its channel on the bus. */
  readonly prefix: string
  /** How long a local copy may live where nobody tells of changes. */
  readonly localTtlMs: number
  /** How long a lost connection may go unnoticed before nothing local is served. */
  readonly trustMs: number
  readonly clock: Clock
}
