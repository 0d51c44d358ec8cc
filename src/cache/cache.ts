import type { Coherence } from '../backend/shared-tier.ts'
import type { CacheBackend, CacheEntries, RemovalOptions } from '../contract/cache-backend.ts'
import type { ReadThroughEvents } from '../contract/cache-events.ts'
import type { InferInput, InferOutput, StandardSchema } from '../contract/standard-schema.ts'
import { assertCacheKey } from '../foundation/cache-key.ts'
import type { Duration } from '../foundation/duration.ts'
import type { Unsubscribe } from '../foundation/event-hub.ts'
import { type GetOrSetManyOptions, getOrLoadMany, readMany } from './batches/batch-reads.ts'
import type { BatchLoader } from './batches/load-batch.ts'
import { type Collection, createCollection } from './collections/collection.ts'
import type { CollectionOptions } from './collections/collection-options.ts'
import type { CacheCore } from './core/cache-core.ts'
import { type ExplainOptions, explain } from './explain/explain.ts'
import type { Explanation } from './explain/explanation.ts'
import {
  type EntryOptions,
  type GetOrSetOptions,
  NO_TAGS,
  type Policies,
  type PolicyOptions,
  resolvePolicies,
} from './freshness/policies.ts'
import type { KeySpace } from './keys/key-space.ts'
import type { Flights } from './loading/flights.ts'
import type { Loader } from './loading/load-context.ts'
import type { SingleFlight } from './loading/single-flight.ts'
import { handOut } from './local/isolation.ts'
import { memoize, namesOf, type WrapOptions, type Wrapped } from './memoize/memoize.ts'
import type { ShadowVerification } from './monitoring/shadow-verification.ts'
import { type CacheStats, statsOf } from './monitoring/stats.ts'
import type { CircuitState } from './outage/circuit-breaker.ts'
import { NamespaceReads } from './reading/namespace-reads.ts'
import type { SlowReads } from './reading/slow-reads.ts'
import { NamespaceWrites } from './writing/namespace-writes.ts'
import type { WritePath } from './writing/write-path.ts'

/** Opens and closes what a cache stands on. */
interface CacheLifecycle {
  initialize(): Promise<void>
  shutdown(): Promise<void>
}

/** What a {@link Cache} is made of. */
export interface CacheParts {
  readonly core: CacheCore
  readonly flights: Flights
  readonly reads: SingleFlight
  readonly slowReads: SlowReads
  readonly writes: WritePath
  readonly verification: ShadowVerification
  readonly space: KeySpace
  /** What holds where a call says nothing. */
  readonly policies: Policies
  readonly lifecycle: CacheLifecycle
  /** The backend under another prefix. */
  readonly backendWithin: (prefix: string) => CacheBackend
}

/**
 * A read-through cache: a tier of decoded values in this process, coherent with those of other processes, above a tier
 * that they share. Made by {@link createCache}; one connection and one local tier serve it and all its namespaces.
 *
 * **Failure.** A cache that is away never fails a `getOrSet`: its loader is called, once a key and process at a time.
 * Other operations answer a miss, `false` or `0` with an `error` event (`errors: 'absorb'`) or reject (`'throw'`). An
 * invalidation that answered `false` is kept and delivered before the returned Redis serves a read.
 */
export class Cache {
  readonly #parts: CacheParts
  readonly #core: CacheCore
  readonly #space: KeySpace
  readonly #reads: NamespaceReads
  readonly #changes: NamespaceWrites
  #backend: CacheBackend | undefined

  /** @internal */
  constructor(parts: CacheParts) {
    this.#parts = parts
    this.#core = parts.core
    this.#space = parts.space
    this.#reads = new NamespaceReads(parts)
    this.#changes = new NamespaceWrites(parts)
  }

  /** Counters, sets and plain values under the same prefix. What is written here is dropped from local tiers too. */
  get backend(): CacheBackend {
    this.#backend ??= this.#parts.backendWithin(this.#space.prefix)
    return this.#backend
  }

  /** How local tiers learn of changes at this moment. */
  get coherence(): Coherence {
    return this.#core.tier.coherence
  }

  /** Whether Redis is being asked. */
  get circuit(): CircuitState {
    return this.#core.breaker.state
  }

  /**
   * Connects. Needed by nobody: the first operation does it too, and goes on without Redis where it fails.
   * @throws CacheError why it cannot be reached
   */
  initialize(): Promise<void> {
    return this.#parts.lifecycle.initialize()
  }

  /** Waits for work in the background, up to `drain`, then ends it and closes what the cache opened. Idempotent; never rejects. */
  shutdown(): Promise<void> {
    return this.#parts.lifecycle.shutdown()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  /** Subscribes to an event; returns what ends the subscription. */
  on<Name extends keyof ReadThroughEvents>(
    event: Name,
    listener: (payload: ReadThroughEvents[Name]) => void,
  ): Unsubscribe {
    return this.#core.policy.events.on(event, listener)
  }

  /** The fresh value in this process, without any round trip or promise; `undefined` where there is none. */
  peek<T = unknown>(key: string): T | undefined {
    // A key under which something is kept has been looked at before.
    const entry = typeof key === 'string' ? this.#reads.hits.fresh(key, NO_TAGS) : undefined
    if (entry === undefined) {
      assertCacheKey(key)
      return undefined
    }
    this.#reads.hits.count(key)
    return handOut<T>(entry)
  }

  /**
   * The value, or `undefined` for a miss; `null` is a value. No round trip where it is kept locally, else one.
   * @param options `local: false` asks Redis in any case, past the lag of an invalidation that is on its way
   */
  get<T = unknown>(key: string, options?: { readonly local?: boolean | undefined }): Promise<T | undefined> {
    const isPastLag = options?.local === false
    if (typeof key === 'string' && !isPastLag) {
      const entry = this.#reads.hits.fresh(key, NO_TAGS)
      if (entry !== undefined) return this.#reads.hits.serve<T>(key, entry)
    }
    return this.#reads.read<T>(key, isPastLag)
  }

  /** Whether there is a fresh value. No round trip where it is kept locally, else one. */
  has(key: string): Promise<boolean> {
    return this.#absorb('has', key, false, async () => (await this.#reads.freshEntry(key)) !== undefined)
  }

  /** Every asked key once, in the order first asked, with its value or `undefined`. Keys that are not kept locally share commands. */
  async getMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T | undefined>> {
    return readMany(keys, (key) => this.get<T>(key))
  }

  /**
   * The value, loaded where it is not cached.
   *
   * A fresh value costs no round trip where it is kept locally, one where it lies in Redis; a load costs three at
   * most. Callers of one process share a load, and so do those of other processes while its lease lives. A value whose
   * key or tag is invalidated while it is being loaded goes to those who wait already, and is not stored.
   *
   * `null` is cached like any value; `undefined` is returned and not cached. The loader's error goes to every caller
   * that waits, and nothing is stored.
   *
   * @throws the loader's error, the signal's reason, or CacheError for a programming mistake; never because of Redis
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * declare const db: { findUser(id: string): Promise<{ name: string } | null> }
   * const cache = createCache({ redis: process.env.REDIS_URL, prefix: 'shop:' })
   * const user = await cache.getOrSet('user:1', () => db.findUser('1'), { ttl: '5m', tags: ['users'] })
   * ```
   */
  getOrSet<T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<T> {
    return this.#reads.getOrSet<T>(key, loader, options)
  }

  /**
   * As {@link getOrSet} for many keys at once: one read, and one call of the loader for all that has to be loaded. Every
   * asked key once, in the order first asked.
   *
   * Three round trips at most for up to 256 keys of one server: one `MGET`, the leases of what is missing in one
   * pipeline, and likewise what was loaded. Each key has its own lease, tags and policies, as if it were asked for
   * alone; what other callers or processes are loading already is waited for. Keys are taken 2,048 at a time.
   *
   * @throws PartialLoadError where some keys could not be loaded: it has the values of the others; otherwise as
   * {@link getOrSet}
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
  ): Promise<Map<string, T | undefined>> {
    return getOrLoadMany(this.#reads, this.#core.timers, keys, loadMany, options)
  }

  /**
   * Loads the value anew, however fresh the one that is cached, which is served to others meanwhile. What is loaded
   * elsewhere at this moment is waited for, and replaced.
   * @throws as {@link getOrSet}
   */
  refresh<T>(key: string, loader: Loader<T>, options: GetOrSetOptions = {}): Promise<T> {
    return this.#reads.refresh<T>(key, loader, options)
  }

  /** What has happened in this cache and its namespaces, and how they are doing. No round trip. */
  stats(): CacheStats {
    return statsOf(this.#core, this.#parts.flights, this.#parts.verification)
  }

  /** Resolves when no work is going on in the background: refreshes, verifications, the reclaim of what was cleared. */
  idle(): Promise<void> {
    return this.#core.background.idle()
  }

  /**
   * Stores a value, whatever is there; a load that is under way is not stored after it. One round trip, two where
   * one of its tags is met for the first time.
   * @returns whether Redis has acknowledged it; where it has not, the value before it is invalidated
   */
  set(key: string, value: unknown, options: EntryOptions | Duration = {}): Promise<boolean> {
    return this.#acknowledged('set', key, () => this.#changes.set(key, value, options))
  }

  /**
   * As {@link set} for each entry, not atomic across them.
   * @returns whether all were acknowledged; the error (event or rejection) tells which were not, and why
   */
  setMany<T>(entries: CacheEntries<T>, options: EntryOptions | Duration = {}): Promise<boolean> {
    return this.#acknowledged('setMany', undefined, () => this.#changes.setMany(entries, options))
  }

  /** `true` if the key was there. A load that is under way is not stored after it. One round trip. */
  delete(key: string): Promise<boolean> {
    return this.#absorb('delete', key, false, async () => (await this.#changes.remove([key])) > 0)
  }

  /** How many of the keys were there. */
  deleteMany(keys: Iterable<string>): Promise<number> {
    return this.#absorb('deleteMany', undefined, 0, () => this.#changes.remove(keys))
  }

  /**
   * Invalidates every entry that bears one of these tags. One command a tag, however many entries there are.
   * @returns whether Redis has acknowledged it
   */
  invalidateTags(tags: readonly string[]): Promise<boolean> {
    return this.#acknowledged('invalidateTags', undefined, () => this.#changes.invalidateTags(tags))
  }

  /**
   * Removes the keys that match a glob and returns how many. Walks the whole key space (`SCAN`): prefer tags.
   * Quote foreign input with `escapeGlob` or the `glob` tag.
   */
  invalidatePattern(pattern: string, options: RemovalOptions = {}): Promise<number> {
    return this.#absorb('invalidatePattern', undefined, 0, () =>
      this.#changes.removeMatching(pattern, options),
    )
  }

  /**
   * Invalidates every entry of this namespace and of those within it: one command. What they took in Redis, and the
   * counters, sets and plain values under the prefix, are removed in the background.
   * @returns whether Redis has acknowledged it
   */
  clear(): Promise<boolean> {
    return this.#acknowledged('clear', undefined, () => this.#changes.clear())
  }

  /** Seconds that the value stays fresh, `Infinity` where it does not expire, `undefined` where there is none. */
  getTtl(key: string): Promise<number | undefined> {
    return this.#absorb('getTtl', key, undefined, () => this.#reads.ttl(key))
  }

  /**
   * Why a key is served, stale or loaded: what the tiers hold of it, what speaks for or against that, who is loading it,
   * and what a `getOrSet` with these options would do at this moment. `String(explanation)` is a text for people.
   *
   * It asks Redis in any case, and leaves everything as it is: nothing is kept, evicted, leased, delivered, counted or
   * told. Two round trips at most, three where the key is just coming or going. Where Redis cannot be asked the answer
   * says so, within the deadline of a command; so it does where the circuit is open.
   *
   * @throws CacheError for a bad key, tag or option; never because of Redis
   */
  async explain(key: string, options: ExplainOptions = {}): Promise<Explanation> {
    return explain(this.#parts, key, options)
  }

  /**
   * A part of this cache under `name:`, with its own tags and its own `clear()`. It shares connection and local tier;
   * clearing this cache clears it too.
   * @param options what holds for its calls where they say nothing; over what holds in this cache
   * @throws CacheError `CACHE_INVALID_KEY`, `CACHE_INVALID_DURATION`, `CACHE_INVALID_OPTIONS`
   */
  namespace(name: string, options: PolicyOptions = {}): Cache {
    assertCacheKey(name, 'namespace')
    const policies = resolvePolicies(options, this.#parts.policies)
    return new Cache({ ...this.#parts, space: this.#space.within(name), policies })
  }

  /**
   * A function that answers from this cache. Its key is its name and its arguments.
   * @throws CacheError `CACHE_INVALID_OPTIONS` where it has no name, or another function has the same
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * const cache = createCache()
   * const square = cache.wrap(async function square(side: number) { return side * side }, { ttl: '5m' })
   * await square(3)
   * ```
   */
  wrap<Args extends readonly unknown[], Result>(
    fn: (...args: Args) => Promise<Result> | Result,
    options: WrapOptions<Args> = {},
  ): Wrapped<Args, Result> {
    return memoize(this, namesOf(this), fn, options)
  }

  /**
   * The values of one kind, by id, of the types that a schema (Zod, Valibot, ArkType, …) tells: validated before they
   * are stored and when they are read. Their keys are `name:id`, or `name@version:id`, in this cache.
   * @throws CacheError `CACHE_INVALID_OPTIONS`, also where this cache has one of this name and version already;
   * `CACHE_INVALID_DURATION`, `CACHE_INVALID_KEY`
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   * import { z } from 'zod'
   *
   * declare const db: { findUser(id: string): Promise<{ name: string; born: string } | undefined> }
   * const cache = createCache({ redis: process.env.REDIS_URL, prefix: 'shop:' })
   * const users = cache.collection({
   *   name: 'users',
   *   schema: z.object({ name: z.string(), born: z.iso.date().transform((day) => new Date(day)) }),
   *   load: (id: string) => db.findUser(id),
   *   ttl: '5m',
   * })
   * const user = await users.get('ann')
   * user?.born.getFullYear()
   * ```
   */
  collection<Schema extends StandardSchema, Id = string>(
    options: CollectionOptions<Schema, Id>,
  ): Collection<Id, InferInput<Schema>, InferOutput<Schema>> {
    return createCollection<Schema, Id>(this.#parts, namesOf(this), options)
  }

  #acknowledged(operation: string, key: string | undefined, work: () => Promise<void>): Promise<boolean> {
    return this.#absorb(operation, key, false, () => work().then(() => true))
  }

  #absorb<Result>(
    operation: string,
    key: string | undefined,
    fallback: Result,
    work: () => Promise<Result>,
  ): Promise<Result> {
    return this.#core.policy.absorb(operation, key, fallback, work)
  }
}
