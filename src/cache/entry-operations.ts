import type { CacheEntries, RemovalOptions } from '../contract/cache-backend.ts'
import type { Duration } from '../foundation/time/duration.ts'
import type { CacheParts } from './cache-parts.ts'
import type { Monitor } from './core/monitor.ts'
import { EntryReads } from './entry-reads.ts'
import type { EntryOptions } from './freshness/policy-options.ts'
import type { Isolation } from './local/isolation.ts'
import type { ExpireTagsOptions, InvalidationOptions } from './writing/invalidation-options.ts'
import { type ChangeOptions, NamespaceChanges } from './writing/namespace-changes.ts'
import { NamespaceWrites } from './writing/namespace-writes.ts'

/**
 * The operations of a cache on the entries of one namespace: reads, loads, writes and invalidations. {@link Cache} says how
 * coherent they are, and how they fail.
 *
 * A read that finds an entry in Redis takes one more round trip if this process does not know all of its generations, as
 * when it meets a tag for the first time. The costs below leave that out.
 * @typeParam Isolate how values are kept from being changed by a caller, and so whether they are typed as {@link Frozen}
 */
export class EntryOperations<Isolate extends Isolation = 'freeze'> extends EntryReads<Isolate> {
  readonly #monitor: Monitor
  readonly #writes: NamespaceWrites
  readonly #changes: NamespaceChanges

  /** @internal */
  constructor(parts: CacheParts) {
    super(parts)
    this.#monitor = parts.monitor
    this.#writes = new NamespaceWrites(parts)
    this.#changes = new NamespaceChanges(parts, this.#writes)
  }

  /**
   * Stores a value in place of whatever the key holds, also a counter or a set. A load that is under way will not overwrite
   * it, and a read that is called later in this process sees it, awaited or not. One round trip; two if this process meets one of the tags for the
   * first time.
   * @param options a duration alone is the `ttl`
   * @returns whether Redis has acknowledged it. After `false` the key is a miss in this process, and is deleted in Redis
   * as soon as that can be reached. A value that is too large (`CACHE_VALUE_TOO_LARGE`) changes nothing
   * @throws CacheError `CACHE_INVALID_VALUE` for a value that the serializer cannot represent, and other programming
   * mistakes; with `errors: 'throw'` also the reason of a `false`
   */
  set(key: string, value: unknown, options: EntryOptions | Duration = {}): Promise<boolean> {
    return this.#acknowledged('set', key, () => this.#writes.set(key, value, options))
  }

  /**
   * As {@link set}, for each entry; they travel together. Not atomic across entries. An entry with a
   * `ttl` of its own (`[key, value, ttl]`) has that one in place of the common one.
   * @returns whether all were acknowledged; if not, the error (event or rejection) is `CACHE_PARTIAL_WRITE`, and its
   * `failures` have the error of each key that was not
   */
  setMany<T>(entries: CacheEntries<T>, options: EntryOptions | Duration = {}): Promise<boolean> {
    return this.#acknowledged('setMany', undefined, () => this.#writes.setMany(entries, options))
  }

  /**
   * Deletes a key of any type, in Redis and in all local tiers. A load that is under way will not be stored. One round
   * trip.
   * @returns `true` if it was there. `false` also answers a failure: an `error` event tells of it, and the deletion is
   * delivered later
   */
  delete(key: string, options: InvalidationOptions = {}): Promise<boolean> {
    return this.#monitor.absorb(
      'delete',
      key,
      false,
      async () => (await this.#writes.remove([key], options)) > 0,
    )
  }

  /**
   * As {@link delete}, for several keys; returns how many of them were there, and `0` after a failure, also if it concerns
   * some of them only. 2,048 keys of one server share a round trip.
   */
  deleteMany(keys: Iterable<string>, options: InvalidationOptions = {}): Promise<number> {
    return this.#monitor.absorb('deleteMany', undefined, 0, () => this.#writes.remove(keys, options))
  }

  /**
   * Makes the entry of a key stale at once, in all processes: its stale windows begin, so callers are served the old value
   * while one of them loads the next one (`staleWhileRevalidate`), or if the load fails (`staleIfError`). Without a stale
   * window it is deleted. A load that is under way will not be stored. What is no entry, such as a counter or a plain value,
   * stays as it is. Two round trips, in which the value travels to this process and back.
   * @returns `true` if there was an entry. `false` also answers a failure: an `error` event tells of it, and the key is
   * deleted as soon as Redis can be reached
   */
  expire(key: string, options: InvalidationOptions = {}): Promise<boolean> {
    return this.#monitor.absorb('expire', key, false, () => this.#writes.expire(key, options))
  }

  /**
   * Invalidates every entry of this namespace, but none of those within it, that has one of these tags, at most 64; the entries of its collections are among them: each tag gets another generation, a
   * random number that its entries are bound to. One command per tag, all on one round trip, regardless of the number of
   * entries.
   * @returns whether Redis has acknowledged it; if not, it is delivered before this process reads what it affects
   * @throws CacheError `CACHE_INVALID_KEY` for a tag that no key could be, `CACHE_INVALID_ARGUMENT` for more than 64
   */
  invalidateTags(tags: readonly string[], options: InvalidationOptions = {}): Promise<boolean> {
    return this.#acknowledged('invalidateTags', undefined, () => this.#writes.invalidateTags(tags, options))
  }

  /**
   * Makes every entry that {@link invalidateTags} would invalidate stale: at once, or spread over a time, so that not all of
   * them are loaded at the same time. Their stale windows begin then. One command per tag, all on one round trip.
   * @returns whether Redis has acknowledged it. If not, it is delivered later, and until then the entries are invalid here
   * @throws as {@link invalidateTags}
   */
  expireTags(tags: readonly string[], options: ExpireTagsOptions = {}): Promise<boolean> {
    return this.#acknowledged('expireTags', undefined, () => this.#writes.expireTags(tags, options))
  }

  /**
   * When one of these tags was last invalidated or expired, by the clock of Redis, in milliseconds since 1970. A tag that is
   * used for the first time counts as invalidated at that moment; the answer is 0 if none was ever used, or if Redis has
   * forgotten them all. One round trip.
   * @throws CacheError if Redis cannot be asked
   */
  invalidatedAt(tags: readonly string[]): Promise<number> {
    return this.#writes.invalidatedAt(tags)
  }

  /**
   * Removes the keys that match a glob (`* ? [abc] [^a] [a-z] \x`) after the name of this namespace, those of inner
   * namespaces included, and returns how many. It walks the whole key space (`SCAN`): prefer tags. A load of such a key that
   * is under way will not be stored. After a failure it answers `0`, or rejects, and is repeated later, unless its signal has
   * aborted; until then matching keys are misses in this process. Quote input that you do not control with `escapeGlob` or the
   * `glob` tag.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` for a pattern of more than 1,024 bytes
   */
  invalidatePattern(pattern: string, options: RemovalOptions = {}): Promise<number> {
    return this.#monitor.absorb('invalidatePattern', undefined, 0, () =>
      this.#writes.removeMatching(pattern, options),
    )
  }

  /**
   * Removes everything in this namespace and in those within it that was there at the call. What is written after this
   * promise has resolved stays; what is written before that may stay or go.
   *
   * One command invalidates the entries, however many there are, and their memory is reclaimed in the background. Nothing
   * tells how old a counter, a set or a plain value is. So before this promise resolves, they are searched for (`SCAN`
   * over the whole database, in batches) and removed. To invalidate entries by one command alone, give them a tag.
   * @returns whether Redis has acknowledged all of it. After `false`, the entries are invalidated as soon as Redis can be
   * reached, but counters, sets and plain values may be left
   * @throws CacheError `CACHE_INVALID_ARGUMENT` for a cache with an empty prefix, which would remove the whole database (its
   * namespaces can be cleared)
   */
  clear(options: InvalidationOptions = {}): Promise<boolean> {
    return this.#acknowledged('clear', undefined, () => this.#writes.clear(options))
  }

  /**
   * Runs work that changes the source, such as a transaction, and invalidates what it changes when it has succeeded.
   *
   * Within the work, also in code that it calls, the cache is out of the way: loaders are called for every read, so that the
   * work sees its own uncommitted rows, and nothing they load is stored; `get` misses. Every `set`, `delete` and
   * invalidation of this cache, its namespaces and collections is collected. It is sent when the work has succeeded, and
   * dropped if it throws.
   *
   * A load of another caller that begins before the commit and ends after it would store the old value. With `hold`, it
   * does not: the keys and tags are held from before the work until after it, in all processes. If this process dies, the
   * hold ends by itself, and counts as an invalidation.
   *
   * One round trip before the work with `hold`, one after it. A change within a change ends with the outer one.
   * @returns what the work returns, when Redis has acknowledged what was sent, or has failed to: an `error` event tells of
   * that, and the invalidation is delivered later
   * @throws what the work throws; CacheError for a programming mistake; never because of Redis
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * declare const db: { transaction<T>(work: (tx: { rename(id: string, name: string): Promise<void> }) => Promise<T>): Promise<T> }
   * const cache = createCache({ redis: process.env.REDIS_URL, prefix: 'shop:' })
   * await cache.change({ keys: ['user:1'], tags: ['users'], hold: '10s' }, () =>
   *   db.transaction((tx) => tx.rename('1', 'Ada')),
   * )
   * ```
   */
  change<Result>(options: ChangeOptions, work: () => Result | Promise<Result>): Promise<Result> {
    return this.#changes.change(options, work)
  }

  #acknowledged(operation: string, key: string | undefined, work: () => Promise<void>): Promise<boolean> {
    return this.#monitor.absorb(operation, key, false, () => work().then(() => true))
  }
}
