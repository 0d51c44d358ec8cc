import type { Unsubscribe } from '../foundation/event-hub.ts'
import type { Duration } from '../foundation/time/duration.ts'
import type { CacheEvents } from './cache-events.ts'

/**
 * The entries of a batch write: a `Map`, a plain object, or an iterable of `[key, value]` and `[key, value, ttl]`. A
 * time to live of its own takes the place of the one that all entries share.
 */
export type CacheEntries<T> =
  | Iterable<readonly [key: string, value: T, ttl?: Duration | undefined]>
  | Readonly<Record<string, T>>

/** The expiry of a key that an operation creates. */
export interface ExpiryOptions {
  /** The time to live: seconds, or with a unit (`'5m'`). @default the `ttl` of the backend or the cache */
  readonly ttl?: Duration | undefined
  /**
   * `true` renews the time to live on every call; `false` keeps the expiry that was set at creation.
   * @default false
   */
  readonly slide?: boolean | undefined
}

/** Options of `incr` and `decr`. */
export interface CounterOptions extends ExpiryOptions {
  /**
   * The value of a missing counter, before the amount is added.
   * @default 0
   */
  readonly default?: number | bigint | undefined
}

/** Options of `invalidatePattern`, and of the `clear` of a backend. */
export interface RemovalOptions {
  /** Ends the walk between two batches. That is a failure with `CACHE_ABORTED`: `false` or `0`, or a rejection. */
  readonly signal?: AbortSignal | undefined
  /** Called after each batch with the number of keys removed so far. What it throws is logged; the removal goes on. */
  readonly onProgress?: ((removed: number) => void) | undefined
}

/** Options of `keys`. */
export interface KeysOptions {
  /** The most keys to list, a positive whole number. @default all */
  readonly limit?: number | undefined
  /** Ends the walk before the next key. That is a failure with `CACHE_ABORTED`: the loop ends, or rejects. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Plain values, and what can be asked of a key of any kind: a value, a counter or a set. A plain value has a time to live
 * and no tags. Where a `ttl` is left out, it is that of the backend, or of the cache (not of its namespaces) for
 * `cache.plain`.
 *
 * **Failure.** A failed read answers a miss, and a failed write `false` or `0`, or the call rejects: see
 * {@link CacheBackend}. A value that is larger than `maxValueBytes` is such a failure (`CACHE_VALUE_TOO_LARGE`); one that the
 * serializer cannot represent always rejects (`CACHE_INVALID_VALUE`).
 */
export interface PlainValues<T = unknown> {
  /**
   * The value, or `undefined` for a miss; `null` is a value. One round trip.
   *
   * A counter is a value, too: a number within ±(2^53 - 1), and a bigint beyond.
   *
   * An entry of a read-through cache is served only if it is fresh and none of its tags and namespaces was invalidated;
   * otherwise it is a miss. That takes one more round trip, which only such entries cost: it reads the generations, and
   * the clock of the server (`TIME`).
   */
  get(key: string): Promise<T | undefined>
  /**
   * Stores a value in place of whatever the key holds, also a counter or a set; `true` if the store has acknowledged it
   * together with its time to live. One round trip.
   */
  set(key: string, value: T, ttl?: Duration): Promise<boolean>
  /**
   * Stores a value only if there is no such key, of whatever type; `true` if it was stored. It is one atomic step,
   * together with the time to live. One round trip. `false` also answers a failure, as that of {@link set} does: if the
   * reply was lost, the value may be stored.
   *
   * A key whose first value a read-through cache is loading counts as absent: the value is stored, and that load will
   * not be.
   */
  setIfAbsent(key: string, value: T, ttl?: Duration): Promise<boolean>
  /**
   * The value, or `undefined` for a miss, and deletes the key in the same atomic step: of several callers, one gets the
   * value. One round trip. If the reply was lost, the value may be lost with it.
   *
   * The value is judged as by {@link get}, after it was removed. So what cannot be decoded is a miss and is gone, and so
   * is an entry of a read-through cache that is stale or was invalidated; such entries cost one more round trip. A key
   * that holds a set, or another Redis type, is a miss and stays. A key whose first value a cache is loading is a miss, too.
   */
  getAndDelete(key: string): Promise<T | undefined>
  /**
   * The value or `undefined` of each distinct key, in the order of the keys, judged as by {@link get}. Any number of
   * keys; one round trip for 256 keys of one server, and one more if there are entries of a read-through cache.
   */
  getMany(keys: Iterable<string>): Promise<Map<string, T | undefined>>
  /**
   * Stores each entry, together with its time to live, by a command of its own; 1,000 of them share a round trip. `true`
   * if all were stored; else the error (event or rejection) is `CACHE_PARTIAL_WRITE`, and its `failures` have the error of
   * each key that was not. Not atomic across entries.
   * @param ttl of the entries that have none of their own
   */
  setMany(entries: CacheEntries<T>, ttl?: Duration): Promise<boolean>
  /**
   * Whether the store has the key: a value, a counter or a set. One round trip. It does not look at the value, so it is
   * also `true` for a value that cannot be decoded, and for an entry of a read-through cache that is stale or was
   * invalidated; `cache.has` is the operation that judges entries.
   */
  exists(key: string): Promise<boolean>
  /**
   * Whether the store has each distinct key, as {@link exists} tells, in the order of the keys. The commands of 1,000 keys
   * share a round trip. A key of which Redis does not tell counts as absent, or the call rejects, as the failure mode says.
   */
  existsMany(keys: Iterable<string>): Promise<Map<string, boolean>>
  /**
   * The seconds (with fractions) after which the store removes the key; `Infinity` if it does not expire, `undefined`
   * if there is no such key. One round trip. For an entry of a read-through cache that includes its stale window,
   * whether or not the entry is still valid; `cache.getTtl` tells how long it is fresh.
   */
  getTtl(key: string): Promise<number | undefined>
  /**
   * What {@link getTtl} tells of each distinct key, in the order of the keys. The commands of 1,000 keys share a round
   * trip. A key of which Redis does not tell is `undefined`, or the call rejects, as the failure mode says.
   */
  getTtlMany(keys: Iterable<string>): Promise<Map<string, number | undefined>>
  /**
   * Gives a value, a counter or a set another time to live, whatever is left of its own; `true` if the key is there. One
   * round trip.
   *
   * For an entry of a read-through cache, this and {@link persist} change only when the store removes it, and not how long
   * it is fresh: that is judged by its age.
   * @param ttl `Infinity` does what {@link persist} does
   */
  touch(key: string, ttl?: Duration): Promise<boolean>
  /** Keeps a value, a counter or a set for ever; `true` if the key is there. One round trip. See {@link touch}. */
  persist(key: string): Promise<boolean>
}

/**
 * Counters: whole numbers that Redis counts. `get` of the backend, or `cache.plain.get`, reads one; `delete` deletes it.
 * Each call takes one round trip, and those of one tick share it. They reject in either failure mode, since no number
 * would be honest.
 */
export interface Counters {
  /**
   * Adds `amount`, and returns the new count. A missing counter starts at `options.default`. The change and the first
   * time to live are one atomic step.
   * @param amount a safe integer; 1 if it is left out
   * @throws CacheError `CACHE_NOT_A_COUNTER`, `CACHE_WRONG_TYPE`; `CACHE_COUNTER_OVERFLOW` if the count would pass
   * ±(2^53 - 1) (the counter is then unchanged); `CACHE_AMBIGUOUS` if the reply was lost; `CACHE_UNAVAILABLE`, `CACHE_AUTH`
   * `CACHE_REPLY` or `CACHE_CLOSED` if nothing was counted; `CACHE_INVALID_KEY`, `CACHE_INVALID_DURATION`, and
   * `CACHE_INVALID_ARGUMENT` for a bad amount or default
   */
  incr(key: string, amount?: number, options?: CounterOptions): Promise<number>
  /** As {@link incr}, subtracting `amount`, which is 1 if it is left out. */
  decr(key: string, amount?: number, options?: CounterOptions): Promise<number>
  /**
   * As {@link incr}, over the whole signed 64-bit range; beyond it, it rejects with `CACHE_COUNTER_OVERFLOW`.
   * @param amount 1n if it is left out
   */
  incrBig(key: string, amount?: bigint, options?: CounterOptions): Promise<bigint>
  /** As {@link incrBig}, subtracting `amount`, which is 1n if it is left out. */
  decrBig(key: string, amount?: bigint, options?: CounterOptions): Promise<bigint>
}

/**
 * Sets of strings. `delete` of the backend or the cache deletes one. A key of another type fails with `CACHE_WRONG_TYPE`;
 * a failure answers `false`, `0` or `[]`, or rejects, as the failure mode says.
 */
export interface Sets {
  /** Adds a member to a set; `true` if it was new. One round trip. */
  addToSet(key: string, member: string, options?: ExpiryOptions): Promise<boolean>
  /**
   * Adds members to a set, and returns how many of them were new, or `0` after a failure, even if some were added. One round
   * trip for 1,000 members.
   */
  addManyToSet(key: string, members: Iterable<string>, options?: ExpiryOptions): Promise<number>
  /**
   * The members of a set, in no particular order; empty if there is no such set. One round trip for some 1,000 members:
   * larger sets are read in parts (`SSCAN`), which are no snapshot.
   */
  getSetMembers(key: string): Promise<string[]>
  /** Removes a member from a set; `true` if it was there. One round trip. */
  removeFromSet(key: string, member: string): Promise<boolean>
}

/**
 * The contract of every backend. The suite in `cachewright/testing` checks it.
 *
 * **Failure.** Every failure is an `error` event and a log line. With `errors: 'absorb'` (the default) a failed read then
 * answers a miss and a failed write `false` or `0`; a failed batch of reads misses the keys of which Redis did not tell.
 * With `errors: 'throw'` the call rejects with a {@link CacheError}. What is there and cannot be decoded is a miss in either
 * mode, with an `error` event (`CACHE_UNDECODABLE`); reads of values take a key of another Redis type for a miss.
 * Counters always reject, since no number would be honest. A programming mistake (an invalid key, duration or amount,
 * or `undefined` as a value) always rejects, before anything is sent.
 *
 * **Expiry.** Every write has a time to live: an omitted `ttl` means the backend's `ttl`, and only `Infinity`
 * keeps a key for ever.
 */
export interface CacheBackend<T = unknown> extends PlainValues<T>, Counters, Sets {
  /**
   * Connects, and waits for a sign of life (`PING`). You need not call it: the first operation connects too, and answers
   * a failure as any other. Idempotent; concurrent calls share one attempt, and a failed attempt may be repeated.
   * @throws CacheError `CACHE_UNAVAILABLE`, `CACHE_TIMEOUT`, `CACHE_AUTH`, `CACHE_REPLY` or `CACHE_MISSING_PEER`;
   * `CACHE_INVALID_OPTIONS` if the server is in cluster mode, or a Sentinel, and the options are for a single server;
   * `CACHE_CLOSED` after `shutdown()`
   */
  initialize(): Promise<void>
  /**
   * Waits for operations in flight, each of which ends by its deadline, then closes what this backend opened, for good.
   * Later operations fail with `CACHE_CLOSED`, as the failure mode says. Idempotent; never rejects.
   */
  shutdown(): Promise<void>
  /** As {@link shutdown}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
  /** Deletes a key of any type; `true` if it was there. One round trip. */
  delete(key: string): Promise<boolean>
  /**
   * Deletes keys of any type, and returns how many of them were there, or `0` after a failure, even if it concerns some of
   * them only. 2,048 keys of one server share a round trip.
   */
  deleteMany(keys: Iterable<string>): Promise<number>
  /**
   * Lists the keys of values, counters and sets under the prefix, each once, in no particular order. No value is moved.
   * Keys that no operation takes (not UTF-8, or reserved) are left out.
   *
   * It walks the key space (`SCAN`, every master of a cluster) as the loop asks for more, some thousand keys at a time:
   * two round trips each, on a cluster one command for each hash slot. Leaving the loop ends the walk. A key that is there
   * from beginning to end is listed, also if a cluster moves it to another node meanwhile; one that comes or goes meanwhile
   * may or may not be. If another server takes the place of the one that is walked (a failover, a restart), keys may be
   * missed. To list each key once, the walk over Redis remembers those that it has listed: some 70 bytes for a key of 20
   * characters. The walk over memory begins with a copy of the list of all keys.
   *
   * A failure ends the iteration: after an `error` event with `errors: 'absorb'`, so what was listed may be a part; by a
   * rejection with `errors: 'throw'`. Masters that can be reached are visited first.
   * @param pattern a glob, as {@link invalidatePattern} takes it; left out, every key
   * @throws CacheError at the first step: `CACHE_INVALID_ARGUMENT` for a bad pattern or limit
   */
  keys(pattern?: string, options?: KeysOptions): AsyncIterable<string>
  /**
   * Removes every key under this backend's prefix, and no other; `true` if all were removed. It walks the key space
   * (`SCAN`). After a failure some keys may be left.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` if the prefix is empty
   */
  clear(options?: RemovalOptions): Promise<boolean>
  /**
   * Removes the keys under the prefix that match a glob (`* ? [abc] [^a] [a-z] \x`), and returns how many. It walks the
   * key space (`SCAN`). After a failure it answers `0`, or rejects, and some of the keys may be gone. Quote input that you
   * do not control with `escapeGlob` or the `glob` tag.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` for a pattern of more than 1,024 bytes
   */
  invalidatePattern(pattern: string, options?: RemovalOptions): Promise<number>
  /**
   * Subscribes to an event, and returns a function that ends the subscription. Listeners are called synchronously; what
   * one throws is logged.
   */
  on<Name extends keyof CacheEvents>(event: Name, listener: (payload: CacheEvents[Name]) => void): Unsubscribe
}
