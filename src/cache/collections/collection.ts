import type { InferInput, InferOutput, SchemaIssue, StandardSchema } from '../../contract/standard-schema.ts'
import { abbreviate, CacheError } from '../../foundation/cache-error.ts'
import { assertCacheKey } from '../../foundation/cache-key.ts'
import { settleEach } from '../batches/batch-reads.ts'
import { PartialLoadError } from '../batches/partial-load-error.ts'
import { type GetOrSetOptions, type Policies, resolvePolicies } from '../freshness/policies.ts'
import type { Loader } from '../loading/load-context.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { NamespaceReads, type NamespaceReadsParts, type ReadExtras } from '../reading/namespace-reads.ts'
import type { WritePath } from '../writing/write-path.ts'
import { type CollectionOptions, type ResolvedCollection, resolveCollection } from './collection-options.ts'
import { SchemaMismatchError } from './schema-mismatch-error.ts'
import { isPending, SchemaValidation } from './schema-validation.ts'
import { type IdLoad, TickBatches } from './tick-batches.ts'

/** A call may join a load that knows nothing of the schema; when what that brings does not fit, it loads by its own. */
const MOST_ATTEMPTS = 3

/**
 * A collection of a cache.
 * @param names what is taken in this cache already; its prefix is added
 * @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION`, `CACHE_INVALID_KEY`
 */
export function createCollection<Schema extends StandardSchema, Id>(
  home: CollectionHome,
  names: Map<string, object>,
  options: CollectionOptions<Schema, Id>,
): Collection<Id, InferInput<Schema>, InferOutput<Schema>> {
  const resolved = resolveCollection(options)
  const policies = resolvePolicies(options, home.policies)
  const validation = new SchemaValidation(options.schema, home.core.options.isolation)
  if (names.has(resolved.prefix)) {
    throw new CacheError(
      'CACHE_INVALID_OPTIONS',
      `There is a collection ${abbreviate(resolved.name)} of this version already: make it once, and share it`,
    )
  }
  const collection = new Collection<Id, InferInput<Schema>, InferOutput<Schema>>(
    ...([home, resolved, policies, validation] as const),
  )
  names.set(resolved.prefix, collection)
  return collection
}

/** What a collection needs of the cache that it is of. */
export interface CollectionHome extends NamespaceReadsParts {
  readonly writes: WritePath
}

/** Options of a read of a {@link Collection}. */
export interface CollectionReadOptions {
  /** Detaches this caller: its promise rejects with the signal's reason. The load goes on for the others. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The values of one kind, by id: validated by a schema before they are stored and when they are read, and loaded where
 * there are none. Made by `cache.collection()`, whose failure modes, tags and round trips are its own too.
 *
 * What is stored is the schema's **input**, what is read its **output**. A stored value that does not fit (another
 * deployment wrote it, or another program) is a miss: it is loaded anew and replaced.
 */
export class Collection<Id, Input, Output> {
  readonly #resolved: ResolvedCollection<Id>
  readonly #home: CollectionHome
  readonly #reads: NamespaceReads
  readonly #policies: Policies
  readonly #validation: SchemaValidation
  readonly #batches: TickBatches<Id> | undefined
  /** Options of every call without a signal, where the tags are the same for all. */
  readonly #common: GetOrSetOptions | undefined

  /** @internal */
  constructor(
    home: CollectionHome,
    resolved: ResolvedCollection<Id>,
    policies: Policies,
    validation: SchemaValidation,
  ) {
    this.#home = home
    this.#resolved = resolved
    this.#policies = policies
    this.#validation = validation
    this.#reads = new NamespaceReads({ ...home, policies })
    const { loadMany, tagsOf } = resolved
    this.#batches =
      loadMany && new TickBatches(loadMany, home.core.timers, (loader) => this.#checking(loader))
    this.#common = typeof tagsOf === 'function' ? undefined : Object.freeze({ tags: tagsOf })
  }

  /**
   * The key under which the value of an id is kept.
   * @throws CacheError `CACHE_INVALID_KEY` for an id that no key can be made of
   */
  keyOf(id: Id): string {
    return this.#resolved.prefix + this.#resolved.partOf(id)
  }

  /**
   * The value, loaded where it is not cached; `undefined` where the loader says that there is none. As `getOrSet` of
   * the cache; of all that is asked for in one tick, what has to be loaded is loaded by one call of `loadMany`.
   *
   * @throws the loader's error, SchemaMismatchError for what it returned, the signal's reason, or CacheError for a
   * programming mistake; never because of Redis
   */
  get(id: Id, options?: CollectionReadOptions): Promise<Output | undefined> {
    try {
      const key = this.keyOf(id)
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
   * The values of several ids, by id and in the order first asked; `undefined` where there is none. One read, and one
   * call of `loadMany`, for up to 2,048 of them.
   * @throws PartialLoadError where some could not be loaded: by key, it has the values of the others; otherwise as
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
      throw new CacheError('CACHE_INVALID_ARGUMENT', 'ids must be a list')
    }
    const { errors, values } = await settleEach(new Set(ids), options.signal, (_ids, signal) => (id) => {
      return this.get(id, { signal })
    })
    if (errors.size === 0) return values
    throw new PartialLoadError(this.#byKey(values), this.#byKey(errors))
  }

  /**
   * Loads the value anew, however fresh the one that is cached, which is served to others meanwhile.
   * @throws as {@link get}
   */
  async refresh(id: Id, options: CollectionReadOptions = {}): Promise<Output | undefined> {
    const key = this.keyOf(id)
    const { extras, loader } = this.#sourceOf(key, id)
    const value = await this.#reads.refresh<unknown>(key, loader, this.#optionsOf(id, options.signal), extras)
    if (value === undefined) return undefined
    const finding = await this.#validation.of(value)
    if (finding.fits) return finding.output as Output
    throw this.#mismatch('read back', key, 'refresh', finding.issues)
  }

  /**
   * Stores a value, whatever is there; a load that is under way is not stored after it. Removes the entries of
   * neighbouring versions, on the same trip.
   * @returns whether Redis has acknowledged both; what it has not is invalidated later
   * @throws SchemaMismatchError where the value does not fit: nothing is then changed
   */
  async set(id: Id, value: Input): Promise<boolean> {
    const key = this.keyOf(id)
    assertCacheKey(key)
    const checked = this.#validation.check(value)
    const { issues } = isPending(checked) ? await checked : checked
    if (issues !== undefined) throw this.#mismatch('set', key, 'set', issues)
    const { core, space, writes } = this.#home
    const generationKeys = space.generationKeysWith(this.#optionsOf(id, undefined).tags ?? [])
    const { policy } = core
    return policy.absorb('set', key, false, async () => {
      const [written, removed] = await Promise.allSettled([
        writes.write({
          storedKey: space.storedKey(key),
          value,
          generationKeys,
          policies: this.#policies,
        }),
        writes.remove(this.#neighboursOf(id).map((neighbour) => space.storedKey(neighbour))),
      ])
      if (written.status === 'rejected') throw written.reason
      if (removed.status === 'rejected') throw removed.reason
      policy.events.emit('set', { key, ttlMs: this.#policies.ttlMs, bytes: written.value })
      return true
    })
  }

  /**
   * `true` if it was there, in this version or a neighbouring one. A load that is under way is not stored after it.
   * One round trip.
   */
  async delete(id: Id): Promise<boolean> {
    const key = this.keyOf(id)
    const { core, space, writes } = this.#home
    return core.policy.absorb('delete', key, false, async () => {
      assertCacheKey(key)
      const keys = [key, ...this.#neighboursOf(id)]
      const removed = await writes.remove(keys.map((one) => space.storedKey(one)))
      core.policy.events.emit('delete', { keys, removed })
      return removed > 0
    })
  }

  /** An entry that is kept locally, and has not been validated. */
  async #serve(
    key: string,
    id: Id,
    entry: LocalEntry,
    options: GetOrSetOptions,
  ): Promise<Output | undefined> {
    // What the schema throws at does not fit.
    const finding = await this.#validation.ofEntry(entry).catch(() => undefined)
    if (!finding?.fits) return this.#load(key, id, options)
    options.signal?.throwIfAborted()
    this.#reads.hits.count(key)
    return finding.output as Output
  }

  /** What Redis has, or what the loader brings. */
  async #load(key: string, id: Id, options: GetOrSetOptions): Promise<Output | undefined> {
    const { extras, loader } = this.#sourceOf(key, id)
    for (let attempt = 1; ; attempt++) {
      const value = await this.#reads.getOrLoad<unknown>(key, loader, options, extras)
      if (value === undefined) return undefined
      const finding = await this.#validation.of(value)
      if (finding.fits) return finding.output as Output
      if (attempt === MOST_ATTEMPTS) throw this.#mismatch('read back', key, 'get', finding.issues)
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

  /** A loader whose values fit. */
  #checking(loader: Loader<unknown>): Loader<unknown> {
    return async (context) => {
      const value = await loader(context)
      if (value === undefined || context.isNotModified) return value
      const { issues } = await this.#validation.check(value)
      if (issues !== undefined) throw this.#mismatch('loaded', context.key, 'get', issues)
      return value
    }
  }

  #optionsOf(id: Id, signal: AbortSignal | undefined): GetOrSetOptions {
    if (this.#common !== undefined) return signal === undefined ? this.#common : { ...this.#common, signal }
    const { tagsOf } = this.#resolved
    return { tags: typeof tagsOf === 'function' ? tagsOf(id) : tagsOf, signal }
  }

  #neighboursOf(id: Id): string[] {
    const part = this.#resolved.partOf(id)
    return this.#resolved.neighbours.map((prefix) => prefix + part)
  }

  #byKey<Value>(byId: ReadonlyMap<Id, Value>): Map<string, Value> {
    return new Map(Array.from(byId, ([id, value]) => [this.keyOf(id), value]))
  }

  #mismatch(
    how: string,
    key: string,
    operation: string,
    issues: readonly SchemaIssue[],
  ): SchemaMismatchError {
    const mismatches = issues.map(({ message, path }) => ({
      message,
      path: (path ?? []).map((part) => (typeof part === 'object' ? part.key : part)),
    }))
    const what = `A value that was ${how} in the collection ${abbreviate(this.#resolved.name)}`
    return new SchemaMismatchError(what, key, operation, mismatches)
  }
}
