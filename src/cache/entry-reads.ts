import { assertCacheKey } from '../foundation/cache-key.ts'
import { type GetOrSetManyOptions, getOrLoadMany, readMany } from './batches/batch-reads.ts'
import type { BatchLoader } from './batches/load-batch.ts'
import type { CacheParts } from './cache-parts.ts'
import type { CacheCore } from './core/cache-core.ts'
import type { Monitor } from './core/monitor.ts'
import { localOf } from './core/read-your-writes.ts'
import { copyTtlOf, isPassedBy } from './freshness/copy-age.ts'
import { isTooOld, maxAgeOf } from './freshness/max-age.ts'
import { NO_TAGS } from './freshness/policies.ts'
import type { GetOrSetOptions } from './freshness/policy-options.ts'
import type { Loader } from './loading/load-context.ts'
import { handOut, type Isolation, type Served } from './local/isolation.ts'
import type { CachedEntry } from './reading/cached-entry.ts'
import {
  GET_ENTRY_OPTIONS,
  GET_OPTIONS,
  type GetEntryOptions,
  type GetOptions,
} from './reading/get-options.ts'
import { NamespaceReads } from './reading/namespace-reads.ts'
import { Reservations } from './reserving/reservations.ts'
import type { ReserveOptions } from './reserving/reserve-options.ts'
import type { Slot } from './reserving/slot.ts'

/**
 * The reads and loads of a cache on the entries of one namespace.
 *
 * A read that finds an entry in Redis takes one more round trip if this process does not know all of its generations, as
 * when it meets a tag for the first time. The costs below leave that out.
 * @typeParam Isolate how values are kept from being changed by a caller, and so whether they are typed as {@link Frozen}
 */
export class EntryReads<Isolate extends Isolation = 'freeze'> {
  readonly #core: CacheCore
  readonly #monitor: Monitor
  readonly #reads: NamespaceReads
  readonly #reservations: Reservations

  /** @internal */
  constructor(parts: CacheParts) {
    this.#core = parts.core
    this.#monitor = parts.monitor
    this.#reads = new NamespaceReads(parts)
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
    this.#reads.hits.count(key, entry)
    return handOut<Served<T, Isolate>>(entry)
  }

  /**
   * The fresh value, or `undefined` for a miss, which a stale value and one beyond `maxAge` are too; `null` is a value. No round trip for a local
   * hit, else one. A plain value or a counter is served as a value without tags; a key that holds a set is a miss.
   */
  get<T = unknown>(key: string, options?: GetOptions): Promise<Served<T, Isolate> | undefined> {
    if (options !== undefined) return this.#getWith<T>(key, options)
    if (typeof key === 'string') {
      const entry = this.#reads.hits.fresh(key, NO_TAGS)
      if (entry !== undefined) return this.#reads.hits.serve<Served<T, Isolate>>(key, entry)
    }
    return this.#reads.gets.read<Served<T, Isolate>>(key, false)
  }

  async #getWith<T>(key: string, options: GetOptions): Promise<Served<T, Isolate> | undefined> {
    this.#core.calls.check(options, GET_OPTIONS)
    const maxAgeMs = maxAgeOf(options.maxAge)
    const local = localOf(options, this.#core.tier)
    const copyTtlMs = copyTtlOf(local)
    const { gets, hits } = this.#reads
    if (local !== false && typeof key === 'string') {
      const entry = hits.fresh(key, NO_TAGS)
      const isServed =
        entry !== undefined &&
        !isTooOld(entry, hits.hitAtMs, maxAgeMs) &&
        !isPassedBy(entry, hits.hitAtMs, copyTtlMs)
      if (isServed) return hits.serve<Served<T, Isolate>>(key, entry)
    }
    return gets.read<Served<T, Isolate>>(key, local === false, maxAgeMs)
  }

  /**
   * As {@link get}, with what is known of the value: its age, its tags, a stamp of this one write. `undefined` for a miss,
   * which a stale value is too, unless `stale: true` asks for one.
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * const cache = createCache({ prefix: 'shop:' })
   * const entry = await cache.getEntry<string>('page:/', { stale: true })
   * if (entry !== undefined) console.log(entry.status, entry.age, entry.ttl, entry.stamp)
   * ```
   */
  getEntry<T = unknown>(
    key: string,
    options: GetEntryOptions = {},
  ): Promise<CachedEntry<Served<T, Isolate>> | undefined> {
    return this.#monitor.absorb('getEntry', key, undefined, async () => {
      this.#core.calls.check(options, GET_ENTRY_OPTIONS)
      return this.#reads.gets.entry<Served<T, Isolate>>(key, options)
    })
  }

  /** Whether there is a fresh value. No round trip for a local hit, else one. */
  has(key: string): Promise<boolean> {
    return this.#monitor.absorb(
      'has',
      key,
      false,
      async () => (await this.#reads.gets.freshEntry(key)) !== undefined,
    )
  }

  /**
   * What {@link get} answers for each distinct key, in the order of the keys. Keys without a local hit share commands: one
   * round trip for 256 keys of one server. If a node of a cluster fails, its keys alone are misses.
   */
  async getMany<T = unknown>(
    keys: Iterable<string>,
    options?: GetOptions,
  ): Promise<Map<string, Served<T, Isolate> | undefined>> {
    return readMany(keys, (key) => this.get<T>(key, options))
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
   * same. `null` is cached like any value; `undefined` is returned, and remembered only for `absentTtl`. An error of the loader goes to every
   * caller of this process that waits, unless there is a stale value within `staleIfError`, and nothing is stored; processes
   * that waited for it load the value themselves. An error that is an answer of the source, such as status 404, is hidden by no stale
   * value, and removes what is cached: see `staleIfError.when`.
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
   * As {@link getOrSet}, with what is known of the value: how it was had, its age, its tags, a stamp of this one write. All
   * callers that wait for a load get the same. It costs what `getOrSet` does.
   * @throws as {@link getOrSet}
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * declare function render(path: string): Promise<string>
   * const cache = createCache({ redis: process.env.REDIS_URL, prefix: 'shop:' })
   * const { age, stamp, status, value } = await cache.getOrSetEntry('page:/', () => render('/'), { ttl: '5m' })
   * ```
   */
  getOrSetEntry<T>(
    key: string,
    loader: Loader<T>,
    options?: GetOrSetOptions,
  ): Promise<CachedEntry<Served<T, Isolate>>> {
    return this.#reads.getOrSetEntry<Served<T, Isolate>>(key, loader, options)
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
    return getOrLoadMany<T, Served<T, Isolate>>(this.#reads, this.#core, keys, loadMany, options)
  }

  /**
   * Loads the value again, even if the cached one is fresh or there is none; other callers are served the cached one
   * meanwhile. If a load of the key is under way, in this process or another, this call waits for it and then replaces its
   * result. If the loader fails, the cached value is the answer where `staleIfError` allows it, and stays, unless the error is an
   * answer of the source (see `staleIfError.when`). If it returns `undefined`, the cached value is removed; if it calls `skip()`, that stays. Three round trips.
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
   * Seconds (with fractions) that the value stays fresh; `Infinity` if it does not expire, `undefined` for a miss. No round
   * trip for a local hit, else as {@link get}; one more for a plain value.
   */
  getTtl(key: string): Promise<number | undefined> {
    return this.#monitor.absorb('getTtl', key, undefined, () =>
      this.#reads.gets.ttl(key, this.#reads.gets.freshEntry(key)),
    )
  }
}
