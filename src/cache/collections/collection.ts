import type { InferInput, InferOutput, StandardSchema } from '../../contract/standard-schema.ts'
import { abbreviate, CacheError } from '../../foundation/errors/cache-error.ts'
import { shown } from '../../foundation/errors/shown-value.ts'
import type { KnownOptions, OptionNames } from '../../foundation/option-checks.ts'
import { settleEach } from '../batches/batch-reads.ts'
import { PartialLoadError } from '../batches/partial-load-error.ts'
import { type GetOrSetOptions, resolvePolicies } from '../freshness/policies.ts'
import type { NameRegistry } from '../keys/name-registry.ts'
import type { Loader } from '../loading/load-context.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { NamespaceReads, type ReadExtras } from '../reading/namespace-reads.ts'
import {
  COLLECTION_OPTIONS,
  type CollectionOptions,
  type ResolvedCollection,
  resolveCollection,
  tagsFor,
} from './collection-options.ts'
import { type CollectionHome, type CollectionParts, CollectionWrites } from './collection-writes.ts'
import { schemaMismatch } from './schema-mismatch-error.ts'
import { SchemaValidation } from './schema-validation.ts'
import { type IdLoad, TickBatches } from './tick-batches.ts'

/**
 * Most loads of one call. A call may join a load that was begun without the schema; if the value of that load does not
 * fit, the call loads for itself.
 */
const MOST_ATTEMPTS = 3

/**
 * A new collection of a cache.
 * @param names the names that are taken in the cache; the key prefix of the collection is added
 * @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION`, `CACHE_INVALID_KEY`
 */
export function createCollection<Schema extends StandardSchema, Id>(
  home: CollectionHome,
  names: NameRegistry,
  options: CollectionOptions<Schema, Id>,
): Collection<Id, InferInput<Schema>, InferOutput<Schema>> {
  const resolved = resolveCollection(options)
  home.core.calls.check(options, COLLECTION_OPTIONS)
  const policies = resolvePolicies(options, home.policies)
  const validation = new SchemaValidation(options.schema, home.core.options.isolation)
  const collection = new Collection<Id, InferInput<Schema>, InferOutput<Schema>>({
    ...{ home, policies, resolved, validation },
  })
  if (names.claim(resolved.prefix, collection)) return collection
  throw new CacheError(
    'CACHE_INVALID_OPTIONS',
    `There is a collection ${abbreviate(resolved.name)} of this version already: make it once, and share it`,
  )
}

/** Options of a read of a {@link Collection}. */
export interface CollectionReadOptions {
  /** Detaches this caller: its promise rejects with the signal's reason. The load continues for other callers. */
  readonly signal?: AbortSignal | undefined
}

const READ_OPTIONS: KnownOptions = {
  of: 'the call',
  names: { signal: 'value' } satisfies OptionNames<CollectionReadOptions>,
}

/**
 * The values of one kind, by id. A schema validates them before they are stored and when they are read, and a loader
 * provides those that are missing. Made by `cache.collection()`; its failure modes, tags and round trips are those of
 * the cache.
 *
 * What is stored is the schema's **input**; what is read is its **output**. A stored value that does not fit, because
 * another deployment or another program wrote it, is a miss: it is loaded again and replaced.
 */
export class Collection<Id, Input, Output> {
  readonly #resolved: ResolvedCollection<Id>
  readonly #reads: NamespaceReads
  readonly #writes: CollectionWrites<Id, Input>
  readonly #validation: SchemaValidation
  readonly #batches: TickBatches<Id> | undefined
  /** The options of every call without a signal, if all ids have the same tags. */
  readonly #common: GetOrSetOptions | undefined

  /** @internal */
  constructor(parts: CollectionParts<Id>) {
    const { home, policies, resolved, validation } = parts
    this.#resolved = resolved
    this.#validation = validation
    this.#reads = new NamespaceReads({ ...home, policies })
    this.#writes = new CollectionWrites(parts)
    const { loadMany, tagsOf } = resolved
    this.#batches =
      loadMany && new TickBatches(loadMany, home.core.timers, (loader) => this.#checking(loader))
    this.#common = typeof tagsOf === 'function' ? undefined : Object.freeze({ tags: tagsOf })
  }

  /**
   * The key of the entry of an id.
   * @throws CacheError `CACHE_INVALID_KEY` for an id that no key can be made of
   */
  keyOf(id: Id): string {
    return this.#resolved.prefix + this.#resolved.partOf(id)
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
      const key = this.keyOf(id)
      if (options !== undefined) this.#reads.checkOptions(options, READ_OPTIONS)
      const signal = options?.signal
      const callOptions = this.#optionsOf(id, signal)
      const entry = signal?.aborted ? undefined : this.#reads.hits.fresh(key, callOptions.tags)
      if (entry === undefined) return this.#load(key, id, callOptions)
      const { followUps, hits } = this.#reads
      const followUp = followUps.of(entry, undefined, hits.hitAtMs)
      if (followUp !== undefined)
        followUps.start(entry, followUp, () => this.#requestOf(key, id, callOptions))
      const answer = this.#validation.known(entry)
      if (answer === undefined) return this.#serve(key, id, entry, callOptions)
      this.#reads.hits.count(key)
      return answer as Promise<Output>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * The values of several ids, by id and in the order of the ids; `undefined` for an id that has none. One read and one
   * call of `loadMany` for up to 2,048 ids.
   * @throws PartialLoadError if some could not be loaded: it has the values of the others, by key; otherwise as
   * {@link get}
   */
  async getMany(
    ids: Iterable<Id>,
    options: CollectionReadOptions = {},
  ): Promise<Map<Id, Output | undefined>> {
    if (
      typeof ids === 'string' ||
      typeof (ids as Iterable<Id> | undefined)?.[Symbol.iterator] !== 'function'
    ) {
      throw new CacheError('CACHE_INVALID_ARGUMENT', `ids must be a list, not ${shown(ids)}`)
    }
    this.#reads.checkOptions(options, READ_OPTIONS)
    const { errors, values } = await settleEach(new Set(ids), options.signal, (_ids, signal) => (id) => {
      return this.get(id, { signal })
    })
    if (errors.size === 0) return values
    throw new PartialLoadError(this.#byKey(values), this.#byKey(errors))
  }

  /**
   * Loads the value again, even if the cached one is fresh; other callers are served that one meanwhile.
   * @throws as {@link get}
   */
  async refresh(id: Id, options: CollectionReadOptions = {}): Promise<Output | undefined> {
    const key = this.keyOf(id)
    this.#reads.checkOptions(options, READ_OPTIONS)
    const { extras, loader } = this.#sourceOf(key, id)
    const value = await this.#reads.refresh<unknown>(key, loader, this.#optionsOf(id, options.signal), extras)
    if (value === undefined) return undefined
    const finding = await this.#validation.of(value)
    if (finding.fits) return finding.output as Output
    throw schemaMismatch('read back', this.#resolved.name, key, 'refresh', finding.issues)
  }

  /**
   * Stores a value in place of any other. A load that is under way will not overwrite it. The entries of neighbouring
   * versions are removed on the same trip.
   * @returns whether Redis has acknowledged both; what it has not acknowledged is invalidated later
   * @throws SchemaMismatchError if the value does not fit; nothing is changed then
   */
  async set(id: Id, value: Input): Promise<boolean> {
    return this.#writes.set(id, this.keyOf(id), value)
  }

  /**
   * Deletes the entry of an id, in this version and in the neighbouring ones; `true` if any was there. A load that is
   * under way will not be stored. One round trip.
   */
  async delete(id: Id): Promise<boolean> {
    return this.#writes.delete(id, this.keyOf(id))
  }

  /** The output of a local entry that the schema has not validated yet; a load if it does not fit. */
  async #serve(
    key: string,
    id: Id,
    entry: LocalEntry,
    options: GetOrSetOptions,
  ): Promise<Output | undefined> {
    // A value that makes the schema throw does not fit.
    const finding = await this.#validation.ofEntry(entry).catch(() => undefined)
    if (!finding?.fits) return this.#load(key, id, options)
    options.signal?.throwIfAborted()
    this.#reads.hits.count(key)
    return finding.output as Output
  }

  /** The output of the entry in Redis, or of a load. */
  async #load(key: string, id: Id, options: GetOrSetOptions): Promise<Output | undefined> {
    const { extras, loader } = this.#sourceOf(key, id)
    for (let attempt = 1; ; attempt++) {
      const value = await this.#reads.getOrLoad<unknown>(key, loader, options, extras)
      if (value === undefined) return undefined
      const finding = await this.#validation.of(value)
      if (finding.fits) return finding.output as Output
      if (attempt === MOST_ATTEMPTS)
        throw schemaMismatch('read back', this.#resolved.name, key, 'get', finding.issues)
    }
  }

  #sourceOf(key: string, id: Id): { readonly loader: Loader<unknown>; readonly extras: ReadExtras } {
    const { loader, shared } = this.#batches?.loadOf(key, id) ?? this.#loadOf(id)
    return { loader, extras: { accepts: this.#validation.accepts, shared } }
  }

  #loadOf(id: Id): IdLoad {
    const load = this.#resolved.load as NonNullable<ResolvedCollection<Id>['load']>
    return { loader: this.#checking((context) => load(id, context)), shared: undefined }
  }

  #requestOf(key: string, id: Id, options: GetOrSetOptions): LoadRequest {
    const { extras, loader } = this.#sourceOf(key, id)
    return this.#reads.request(key, loader, options, extras)
  }

  /** A loader that rejects if its value does not fit. */
  #checking(loader: Loader<unknown>): Loader<unknown> {
    return async (context) => {
      const value = await loader(context)
      if (value === undefined || context.isNotModified) return value
      const { issues } = await this.#validation.check(value)
      if (issues !== undefined)
        throw schemaMismatch('loaded', this.#resolved.name, context.key, 'get', issues)
      return value
    }
  }

  #optionsOf(id: Id, signal: AbortSignal | undefined): GetOrSetOptions {
    if (this.#common !== undefined) return signal === undefined ? this.#common : { ...this.#common, signal }
    return { tags: tagsFor(this.#resolved, id), signal }
  }

  #byKey<Value>(byId: ReadonlyMap<Id, Value>): Map<string, Value> {
    return new Map(Array.from(byId, ([id, value]) => [this.keyOf(id), value]))
  }
}
