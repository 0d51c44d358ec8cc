import type { InferInput, InferOutput, StandardSchema } from '../../contract/standard-schema.ts'
import { abbreviate, CacheError } from '../../foundation/errors/cache-error.ts'
import { shown } from '../../foundation/errors/shown-value.ts'
import { settleEach } from '../batches/batch-reads.ts'
import { PartialLoadError } from '../batches/partial-load-error.ts'
import type { NamespaceStats } from '../core/counts.ts'
import { Monitor } from '../core/monitor.ts'
import { claimRules } from '../core/namespace-rules.ts'
import { explain } from '../explain/explain.ts'
import type { Explanation } from '../explain/explanation.ts'
import { resolvePolicies } from '../freshness/policies.ts'
import type { NameRegistry } from '../keys/name-registry.ts'
import type { Isolation, Served } from '../local/isolation.ts'
import type { CachedEntry } from '../reading/cached-entry.ts'
import type { InvalidationOptions } from '../writing/invalidation-options.ts'
import {
  COLLECTION_OPTIONS,
  type CollectionOptions,
  type CollectionReadOptions,
  READ_OPTIONS,
  resolveCollection,
  tagsFor,
} from './collection-options.ts'
import { CollectionReads } from './collection-reads.ts'
import { type CollectionHome, type CollectionParts, CollectionWrites } from './collection-writes.ts'
import { SchemaValidation } from './schema-validation.ts'

/**
 * A new collection of a cache.
 * @param names the names that are taken in the cache; the key prefix of the collection is added
 * @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION`, `CACHE_INVALID_KEY`; `CACHE_INVALID_ARGUMENT` if
 * it would be nested more than 15 deep
 */
export function createCollection<Schema extends StandardSchema, Id, Isolate extends Isolation>(
  home: CollectionHome,
  names: NameRegistry,
  options: CollectionOptions<Schema, Id>,
): Collection<Id, InferInput<Schema>, Served<InferOutput<Schema>, Isolate>> {
  const resolved = resolveCollection(options)
  home.core.calls.check(options, COLLECTION_OPTIONS)
  const policies = resolvePolicies(options, home.policies)
  const space = home.space.ofCollection(resolved.name, resolved.version)
  const validation = new SchemaValidation(options.schema, home.core.isolations.of(space.prefix))
  const collection = new Collection<Id, InferInput<Schema>, Served<InferOutput<Schema>, Isolate>>({
    ...{ home, policies, resolved, space, validation },
    monitor: new Monitor(home.core, space),
  })
  if (names.claim(resolved.prefix, collection)) {
    claimRules(home.core, { name: resolved.name, prefix: space.prefix }, { local: resolved.local })
    return collection
  }
  throw new CacheError(
    'CACHE_INVALID_OPTIONS',
    `There is a collection ${abbreviate(resolved.name)} of this version already: make it once, and share it`,
  )
}

/**
 * The values of one kind, by id. A schema validates them before they are stored and when they are read, and a loader
 * provides those that are missing. Made by `cache.collection()`; its failure modes, tags and round trips are those of
 * the cache.
 *
 * What is stored is the schema's **input**; what is read is its **output**. A stored value that does not fit, because
 * another deployment or another program wrote it, is a miss: it is loaded again and replaced.
 *
 * Every method that takes an id throws or rejects with CacheError `CACHE_INVALID_KEY` for one that no key can be made of.
 */
export class Collection<Id, Input, Output> {
  readonly #parts: CollectionParts<Id>
  readonly #reads: CollectionReads<Id, Output>
  readonly #writes: CollectionWrites<Id, Input>

  /** @internal */
  constructor(parts: CollectionParts<Id>) {
    this.#parts = parts
    this.#reads = new CollectionReads(parts)
    this.#writes = new CollectionWrites(parts)
  }

  /**
   * The key of the entry of an id, in the namespace that the collection lies in: `users@0:ann`. Events name its parts:
   * the namespace `users@0`, and the key `ann`.
   */
  key(id: Id): string {
    return this.#parts.resolved.prefix + this.#keyOf(id)
  }

  /**
   * The value, loaded on a miss; `undefined` if the loader has none. It works as `getOrSet` of the cache does. One call
   * of `loadMany` loads all misses of one tick.
   *
   * @throws the loader's error, SchemaMismatchError for what it returned, the signal's reason, or CacheError for a
   * programming mistake; never because of Redis
   */
  get(id: Id, options?: CollectionReadOptions): Promise<Output | undefined> {
    try {
      const key = this.#keyOf(id)
      if (options !== undefined) this.#checkOptions(options)
      return this.#reads.get(id, key, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * As {@link get}, with what is known of the value: how it was had, its age, its tags, a stamp of this one write. If the
   * loader has none, `value` is `undefined`, and `status` is `'skipped'`.
   * @throws as {@link get}
   */
  async getEntry(id: Id, options?: CollectionReadOptions): Promise<CachedEntry<Output | undefined>> {
    const key = this.#keyOf(id)
    if (options !== undefined) this.#checkOptions(options)
    return this.#reads.entry(id, key, options)
  }

  /**
   * The values of several ids, by id and in the order of the ids; `undefined` for an id that has none. One read and one
   * call of `loadMany` for up to 2,048 ids; with `load`, one call for each id that is missing, all at the same time.
   * @throws PartialLoadError if one or more could not be loaded, also if `loadMany` itself has thrown: it has the values of the others and the errors, by id;
   * otherwise as {@link get}
   */
  async getMany(
    ids: Iterable<Id>,
    options: CollectionReadOptions = {},
  ): Promise<Map<Id, Output | undefined>> {
    const distinct = distinctIds(ids)
    this.#checkOptions(options)
    const { errors, values } = await settleEach(distinct, options.signal, (_ids, signal) => (id) => {
      return this.get(id, { ...options, signal })
    })
    if (errors.size > 0) throw new PartialLoadError(values, errors)
    return values
  }

  /**
   * The fresh value in the local tier, or `undefined`. No round trip and no promise. A value that the schema can only
   * validate with a promise counts after a `get` has validated it.
   */
  peek(id: Id): Output | undefined {
    return this.#reads.peek(id, this.#keyOf(id))
  }

  /** Whether there is a fresh value that fits the schema. It costs what {@link get} of a hit does. */
  async has(id: Id): Promise<boolean> {
    const key = this.#keyOf(id)
    return this.#parts.monitor.absorb('has', key, false, () => this.#reads.has(id, key))
  }

  /**
   * Seconds (with fractions) that the value stays fresh; `Infinity` if it does not expire, `undefined` where {@link has} is
   * `false`. It costs what {@link get} of a hit does.
   */
  async getTtl(id: Id): Promise<number | undefined> {
    const key = this.#keyOf(id)
    return this.#parts.monitor.absorb('getTtl', key, undefined, () => this.#reads.ttl(id, key))
  }

  /** The reason why a value is served, served stale, or loaded, as `cache.explain` tells it. */
  async explain(id: Id): Promise<Explanation> {
    const { home, policies, resolved, space, validation } = this.#parts
    const parts = { ...home, policies, space, accepts: validation.accepts }
    return explain(parts, this.#keyOf(id), { tags: tagsFor(resolved, id) })
  }

  /**
   * Loads the value again, even if the cached one is fresh; other callers are served that one meanwhile. It works and
   * costs as `refresh` of the cache does.
   * @throws as {@link get}
   */
  async refresh(id: Id, options: CollectionReadOptions = {}): Promise<Output | undefined> {
    const key = this.#keyOf(id)
    this.#checkOptions(options)
    return this.#reads.refresh(id, key, options)
  }

  /**
   * Stores a value in place of any other, as `set` of the cache does. A load that is under way will not overwrite it. The
   * entries of neighbouring versions are removed on the same trip.
   * @returns whether Redis has acknowledged both; what it has not acknowledged is invalidated later
   * @throws SchemaMismatchError if the value does not fit; nothing is changed then
   */
  async set(id: Id, value: Input): Promise<boolean> {
    return this.#writes.set(id, this.#keyOf(id), value)
  }

  /**
   * Deletes the entry of an id, in this version and in the neighbouring ones; `true` if any was there. A load that is
   * under way will not be stored. One round trip.
   */
  async delete(id: Id, options: InvalidationOptions = {}): Promise<boolean> {
    return this.#writes.delete(this.#keyOf(id), options)
  }

  /**
   * Makes the entry of an id stale at once, as `expire` of the cache does; the entries of neighbouring versions are removed.
   * @returns `true` if there was an entry in this version
   */
  async expire(id: Id, options: InvalidationOptions = {}): Promise<boolean> {
    return this.#writes.expire(this.#keyOf(id), options)
  }

  /**
   * As {@link delete}, for several ids, 2,048 of which share a round trip.
   * @returns how many of them were there in this version
   */
  async deleteMany(ids: Iterable<Id>, options: InvalidationOptions = {}): Promise<number> {
    const keys = new Set(Array.from(distinctIds(ids), (id) => this.#keyOf(id)))
    return this.#writes.deleteMany([...keys], options)
  }

  /**
   * Removes all entries of the collection that were there at the call, in this version and in the neighbouring ones. It
   * works as `clear` of a namespace does: one command invalidates the entries, and then a walk through the whole key space
   * (`SCAN`) removes plain values, counters and sets under its keys. The namespace around the collection is not touched.
   * @returns whether Redis has acknowledged it; if not, the entries are invalidated as soon as Redis can be reached
   */
  clear(options: InvalidationOptions = {}): Promise<boolean> {
    return this.#writes.clear(options)
  }

  /** Counts of what happened in this version of the collection. No round trip. */
  stats(): NamespaceStats {
    const { home, space } = this.#parts
    return home.core.statsWithin(space.namePrefix)
  }

  /** The key of the entry of an id, in the namespace of the collection. @throws CacheError `CACHE_INVALID_KEY` */
  #keyOf(id: Id): string {
    return this.#parts.resolved.partOf(id)
  }

  #checkOptions(options: CollectionReadOptions): void {
    this.#parts.home.core.calls.check(options, READ_OPTIONS)
  }
}

/** @throws CacheError `CACHE_INVALID_ARGUMENT` if it is no list */
function distinctIds<Id>(ids: Iterable<Id>): Set<Id> {
  if (typeof ids !== 'string' && typeof (ids as Iterable<Id> | undefined)?.[Symbol.iterator] === 'function') {
    return new Set(ids)
  }
  throw new CacheError('CACHE_INVALID_ARGUMENT', `ids must be a list, not ${shown(ids)}`)
}
