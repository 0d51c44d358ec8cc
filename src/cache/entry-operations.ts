import type { CacheEntries, RemovalOptions } from '../contract/cache-backend.ts'
import { assertCacheKey } from '../foundation/cache-key.ts'
import type { Duration } from '../foundation/time/duration.ts'
import { type GetOrSetManyOptions, getOrLoadMany, readMany } from './batches/batch-reads.ts'
import type { BatchLoader } from './batches/load-batch.ts'
import type { CacheParts } from './cache-parts.ts'
import type { CacheCore } from './core/cache-core.ts'
import type { Monitor } from './core/monitor.ts'
import { type EntryOptions, type GetOrSetOptions, NO_TAGS } from './freshness/policies.ts'
import type { Loader } from './loading/load-context.ts'
import { handOut, type Isolation, type Served } from './local/isolation.ts'
import { GET_OPTIONS, type GetOptions } from './reading/get-options.ts'
import { NamespaceReads } from './reading/namespace-reads.ts'
import { Reservations, type ReserveOptions } from './reserving/reservations.ts'
import type { Slot } from './reserving/slot.ts'
import { NamespaceWrites } from './writing/namespace-writes.ts'

/**
 * The operations of a cache on the entries of one namespace: reads, loads, writes and invalidations. {@link Cache} says how
 * coherent they are, and how they fail.
 *
 * A read that finds an entry in Redis takes one more round trip if this process does not know all of its generations, as
 * when it meets a tag for the first time. The costs below leave that out.
 * @typeParam Isolate how values are kept from being changed by a caller, and so whether they are typed as {@link Frozen}
 */
export class EntryOperations<Isolate extends Isolation = 'freeze'> {
  readonly #core: CacheCore
  readonly #monitor: Monitor
  readonly #reads: NamespaceReads
  readonly #writes: NamespaceWrites
  readonly #reservations: Reservations

  /** @internal */
  constructor(parts: CacheParts) {
    this.#core = parts.core
    this.#monitor = parts.monitor
    this.#reads = new NamespaceReads(parts)
    this.#writes = new NamespaceWrites(parts)
    this.#reservations = new Reservations(parts, this.#reads)
  }

  /**
   * The fresh value in the local tier, or `undefined`. No round trip and no promise.
   * @throws CacheError `CACHE_INVALID_KEY`
   */
  peek<T = unknown>(key: string): Served<T, Isolate> | undefined {
    // A key that has a local entry was checked when that entry was read.
    const entry = typeof key === 'string' ? this.#reads.hits.fresh(key, NO_TAGS) : undefined
    if (entry === undefined) {
      assertCacheKey(key)
      return undefined
    }
    this.#reads.hits.count(key)
    return handOut<Served<T, Isolate>>(entry)
  }

  /**
   * The fresh value, or `undefined` for a miss, which a stale value is too; `null` is a value. No round trip for a local
   * hit, else one. A plain value or a counter is served as a value without tags; a key that holds a set is a miss.
   */
  get<T = unknown>(key: string, options?: GetOptions): Promise<Served<T, Isolate> | undefined> {
    if (options !== undefined) return this.#getWith<T>(key, options)
    if (typeof key === 'string') {
      const entry = this.#reads.hits.fresh(key, NO_TAGS)
      if (entry !== undefined) return this.#reads.hits.serve<Served<T, Isolate>>(key, entry)
    }
    return this.#reads.read<Served<T, Isolate>>(key, false)
  }

  async #getWith<T>(key: string, options: GetOptions): Promise<Served<T, Isolate> | undefined> {
    this.#core.calls.check(options, GET_OPTIONS)
    return options.local === false ? this.#reads.read<Served<T, Isolate>>(key, true) : this.get<T>(key)
  }

  /** Whether there is a fresh value. No round trip for a local hit, else one. */
  has(key: string): Promise<boolean> {
    return this.#monitor.absorb(
      'has',
      key,
      false,
      async () => (await this.#reads.freshEntry(key)) !== undefined,
    )
  }

  /**
   * What {@link get} answers for each distinct key, in the order of the keys. Keys without a local hit share commands: one
   * round trip for 256 keys of one server. If a node of a cluster fails, its keys alone are misses.
   */
  async getMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, Served<T, Isolate> | undefined>> {
    return readMany(keys, (key) => this.get<T>(key))
  }

  /**
   * The value, loaded on a miss. A stale value is served instead where `staleWhileRevalidate` or `staleIfError` says so.
   *
   * A local hit costs no round trip, a hit in Redis one, and a load at most three; the first call of a cache also waits for
   * its connection, `connectTimeout` at most. While Redis does not answer, a loader is called after `commandTimeout`, and at
   * once when that has happened to five commands in a row. Callers in one process share a load.
   * Processes share it too, as long as the loading one renews its lease. The loader and the options of the caller that
   * began the load count for all who join it. If the key or a tag is invalidated during a load, callers that were already
   * waiting get the value, it is not stored, and later callers begin another load.
   *
   * A value that cannot be stored because it is too large, or because Redis does not answer, goes to the callers all the
   * same. `null` is cached like any value; `undefined` is returned and not cached. An error of the loader goes to every
   * caller of this process that waits, unless there is a stale value within `staleIfError`, and nothing is stored; processes
   * that waited for it load the value themselves.
   *
   * @throws the loader's error; the signal's reason; CacheError `CACHE_LOADER_TIMEOUT` after `hardTimeout`, `CACHE_CYCLE` if
   * a loader waits for itself, or a programming mistake; never because of Redis
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * declare const db: { findUser(id: string): Promise<{ name: string } | null> }
   * const cache = createCache({ redis: process.env.REDIS_URL, prefix: 'shop:' })
   * const user = await cache.getOrSet('user:1', () => db.findUser('1'), { ttl: '5m', tags: ['users'] })
   * ```
   */
  getOrSet<T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<Served<T, Isolate>> {
    return this.#reads.getOrSet<Served<T, Isolate>>(key, loader, options)
  }

  /**
   * As {@link getOrSet}, for many keys: one read, and one call of the loader for all keys that need it. The result has
   * each distinct key, in the order of the keys.
   *
   * At most three round trips for up to 256 keys on one server: reads, leases, and fills. Each key has its own lease, tags
   * and policies, as if it were asked for alone. If another caller or process is loading a key, this call waits for that
   * load. 2,048 keys are processed at a time, with a call of the loader each.
   *
   * @throws PartialLoadError if one or more keys could not be loaded, also if the loader itself has thrown or took longer
   * than `hardTimeout`: it has the values of the others; CacheError `CACHE_INVALID_ARGUMENT` if the loader's result is no
   * `Map`, and no array of the right length; otherwise as {@link getOrSet}
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * declare const db: { findUsers(ids: readonly string[]): Promise<{ id: string; name: string }[]> }
   * const cache = createCache({ redis: process.env.REDIS_URL, prefix: 'users:' })
   * const users = await cache.getOrSetMany(['1', '2'], async (ids) => {
   *   const rows = await db.findUsers(ids)
   *   return new Map(rows.map((row) => [row.id, row]))
   * })
   * users.get('1')?.name
   * ```
   */
  getOrSetMany<T>(
    keys: Iterable<string>,
    loadMany: BatchLoader<T>,
    options: GetOrSetManyOptions = {},
  ): Promise<Map<string, Served<T, Isolate> | undefined>> {
    return getOrLoadMany<T, Served<T, Isolate>>(this.#reads, this.#core.timers, keys, loadMany, options)
  }

  /**
   * Loads the value again, even if the cached one is fresh or there is none; other callers are served the cached one
   * meanwhile. If a load of the key is under way, in this process or another, this call waits for it and then replaces its
   * result. If the loader fails, the cached value is the answer where `staleIfError` allows it, and stays in any case. If
   * it returns `undefined`, the cached value is removed; if it calls `skip()`, that stays. Three round trips.
   * @throws as {@link getOrSet}
   */
  refresh<T>(key: string, loader: Loader<T>, options: GetOrSetOptions = {}): Promise<Served<T, Isolate>> {
    return this.#reads.refresh<Served<T, Isolate>>(key, loader, options)
  }

  /**
   * The value, or a slot for one: a read whose write comes later, from code that is no loader. The slot's `fill` stores a
   * value only if nothing has touched the key, its tags or its namespace since this call, and answers whether it did. So
   * an invalidation beats a value that was computed before it, as it beats a load of {@link getOrSet}.
   *
   * No round trip for a local hit, one for a hit in Redis, two for a slot. A slot that is never filled leaves a
   * placeholder of 42 bytes until `lease.longestLoad` has passed, and keeps nobody waiting unless it was reserved with
   * `wait`.
   *
   * @throws the signal's reason, or CacheError for a programming mistake; with `wait` also `CACHE_LOADER_TIMEOUT`; never
   * because of Redis: then the slot stores nothing
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * declare function render(path: string): Promise<string>
   * const cache = createCache({ redis: process.env.REDIS_URL, prefix: 'shop:' })
   *
   * async function page(path: string): Promise<string> {
   *   const slot = await cache.reserve<string>(`page:${path}`, { tags: ['pages'] })
   *   if (slot.isHit) return slot.value
   *   const html = await render(path)
   *   await slot.fill(html, { ttl: '5m' })
   *   return html
   * }
   * ```
   */
  reserve<T = unknown>(key: string, options: ReserveOptions = {}): Promise<Slot<T, Served<T, Isolate>>> {
    return this.#reservations.reserve(key, options) as Promise<Slot<T, Served<T, Isolate>>>
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
  delete(key: string): Promise<boolean> {
    return this.#monitor.absorb('delete', key, false, async () => (await this.#writes.remove([key])) > 0)
  }

  /**
   * As {@link delete}, for several keys; returns how many of them were there, and `0` after a failure, also if it concerns
   * some of them only. 2,048 keys of one server share a round trip.
   */
  deleteMany(keys: Iterable<string>): Promise<number> {
    return this.#monitor.absorb('deleteMany', undefined, 0, () => this.#writes.remove(keys))
  }

  /**
   * Invalidates every entry of this namespace, but none of those within it, that has one of these tags, at most 64; the entries of its collections are among them: each tag gets another generation, a
   * random number that its entries are bound to. One command per tag, all on one round trip, regardless of the number of
   * entries.
   * @returns whether Redis has acknowledged it; if not, it is delivered before this process reads what it affects
   * @throws CacheError `CACHE_INVALID_KEY` for a tag that no key could be, `CACHE_INVALID_ARGUMENT` for more than 64
   */
  invalidateTags(tags: readonly string[]): Promise<boolean> {
    return this.#acknowledged('invalidateTags', undefined, () => this.#writes.invalidateTags(tags))
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
  clear(): Promise<boolean> {
    return this.#acknowledged('clear', undefined, () => this.#writes.clear())
  }

  /**
   * Seconds (with fractions) that the value stays fresh; `Infinity` if it does not expire, `undefined` for a miss. No round
   * trip for a local hit, else as {@link get}; one more for a plain value.
   */
  getTtl(key: string): Promise<number | undefined> {
    return this.#monitor.absorb('getTtl', key, undefined, () =>
      this.#reads.ttl(key, this.#reads.freshEntry(key)),
    )
  }

  #acknowledged(operation: string, key: string | undefined, work: () => Promise<void>): Promise<boolean> {
    return this.#monitor.absorb(operation, key, false, () => work().then(() => true))
  }
}
