import type { Duration } from '../foundation/duration.ts'
import type { Unsubscribe } from '../foundation/event-hub.ts'
import type { CacheEvents } from './cache-events.ts'

/** Entries of a batch write: a `Map`, any iterable of pairs, or a plain object. */
export type CacheEntries<T> = Iterable<readonly [string, T]> | Readonly<Record<string, T>>

/** How a key that an operation creates expires. */
export interface ExpiryOptions {
  /** @default the backend's `defaultTtl` */
  readonly ttl?: Duration | undefined
  /**
   * `true` renews the time to live on every call; `false` lets the one given at creation run out.
   * @default false
   */
  readonly slide?: boolean | undefined
}

/** Options of `incr` and `decr`. */
export interface CounterOptions extends ExpiryOptions {
  /**
   * Where a missing counter starts, before the amount is added.
   * @default 0
   */
  readonly default?: number | bigint | undefined
}

/** Options of the two operations that walk the whole key space. */
export interface RemovalOptions {
  /** Ends the walk between two batches; the call then rejects with `CACHE_ABORTED`. */
  readonly signal?: AbortSignal | undefined
  /** Called after each batch with the number of keys removed so far. */
  readonly onProgress?: ((removed: number) => void) | undefined
}

/**
 * The contract that every backend fulfils, and that the suite in `cachewright/testing` checks.
 *
 * **Failure.** With `errors: 'absorb'` (the default) a read that fails answers a miss and a write answers
 * `false` or `0`, each with an `error` event and a log line; with `errors: 'throw'` the call rejects with a
 * {@link CacheError}. Counters always reject, since no honest number exists. A programming mistake (a bad key,
 * duration, amount, or `undefined` as a value) always rejects, before anything is sent.
 *
 * **Expiry.** Nothing is written without a time to live unless `Infinity` was said: an omitted `ttl` means the
 * backend's `defaultTtl`.
 */
export interface CacheBackend<T = unknown> {
  /**
   * Connects and asks for a sign of life. Idempotent, concurrent calls share one attempt, and a failed attempt may be retried.
   * @throws CacheError `CACHE_UNAVAILABLE`, `CACHE_TIMEOUT`, `CACHE_AUTH`, `CACHE_REPLY` or `CACHE_MISSING_PEER`
   */
  initialize(): Promise<void>
  /** Waits, up to a bound, for what is in flight, then closes what this backend opened. Idempotent; never rejects. */
  shutdown(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>

  /** The value, or `undefined` for a miss; `null` is a value. Never the value of another key. */
  get(key: string): Promise<T | undefined>
  /** `true` once the store has acknowledged the value together with its time to live. */
  set(key: string, value: T, ttl?: Duration): Promise<boolean>
  /** `true` if the key was there. */
  delete(key: string): Promise<boolean>
  exists(key: string): Promise<boolean>
  /** Every asked key once, in the order first asked, with its value or `undefined`. Any number of keys. */
  getMany(keys: Iterable<string>): Promise<Map<string, T | undefined>>
  /**
   * Stores every entry, each with its time to live in the same command. `true` if all were stored; which were
   * not is told by the `failures` of the error (event or rejection). Not atomic across entries.
   */
  setMany(entries: CacheEntries<T>, ttl?: Duration): Promise<boolean>
  /** How many of the keys were there. */
  deleteMany(keys: Iterable<string>): Promise<number>

  /**
   * Adds `amount` and returns the new count. A missing counter starts at `options.default`. Atomic, together
   * with its first time to live.
   * @throws CacheError `CACHE_NOT_A_COUNTER`, `CACHE_WRONG_TYPE`; `CACHE_COUNTER_OVERFLOW` where the count would
   * pass 2^53 (it is left as it was); `CACHE_AMBIGUOUS` where the reply was lost; or what made Redis unavailable
   */
  incr(key: string, amount?: number, options?: CounterOptions): Promise<number>
  /** As {@link incr}, subtracting. */
  decr(key: string, amount?: number, options?: CounterOptions): Promise<number>
  /** As {@link incr} over the whole signed 64-bit range. */
  incrBig(key: string, amount?: bigint, options?: CounterOptions): Promise<bigint>
  /** As {@link decr} over the whole signed 64-bit range. */
  decrBig(key: string, amount?: bigint, options?: CounterOptions): Promise<bigint>

  /** Removes every key under this backend's prefix and nothing else. */
  clear(options?: RemovalOptions): Promise<boolean>
  /**
   * Removes the keys under the prefix that match a glob (`* ? [abc] [^a] [a-z] \x`) and returns how many.
   * Quote foreign input with `escapeGlob` or the `glob` tag.
   */
  invalidatePattern(pattern: string, options?: RemovalOptions): Promise<number>
  /** Seconds to live (fractions included), `Infinity` where the key does not expire, `undefined` where there is none. */
  getTtl(key: string): Promise<number | undefined>

  /** `true` if the member was new. */
  addToSet(key: string, member: string, options?: ExpiryOptions): Promise<boolean>
  /** How many of the members were new. */
  addManyToSet(key: string, members: Iterable<string>, options?: ExpiryOptions): Promise<number>
  /** The members, in no particular order; empty where there is no such set. */
  getSetMembers(key: string): Promise<string[]>
  /** `true` if the member was there. */
  removeFromSet(key: string, member: string): Promise<boolean>

  /** Subscribes to an event; returns what ends the subscription. */
  on<Name extends keyof CacheEvents>(event: Name, listener: (payload: CacheEvents[Name]) => void): Unsubscribe
}
