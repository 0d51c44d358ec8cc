import { assertCacheKey } from '../../foundation/cache-key.ts'
import type { GetOrSetOptions } from '../freshness/policy-options.ts'
import { servableAsRead } from '../freshness/servable.ts'
import type { Loader } from '../loading/load-context.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import { decidedBy } from '../loading/result-options.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { CachedEntry } from '../reading/cached-entry.ts'
import { NamespaceReads, type ReadExtras } from '../reading/namespace-reads.ts'
import { type CollectionReadOptions, type ResolvedCollection, tagsFor } from './collection-options.ts'
import type { CollectionParts } from './collection-writes.ts'
import { schemaMismatch } from './schema-mismatch-error.ts'
import type { SchemaValidation } from './schema-validation.ts'
import { type IdLoad, TickBatches } from './tick-batches.ts'

/** The reads of a collection. They hand out the schema's output; a value that does not fit is a miss. */
export class CollectionReads<Id, Output> {
  readonly #parts: CollectionParts<Id>
  readonly #reads: NamespaceReads
  readonly #validation: SchemaValidation
  readonly #batches: TickBatches<Id> | undefined
  /** The options of every call without a signal, if all ids have the same tags. */
  readonly #common: GetOrSetOptions | undefined

  constructor(parts: CollectionParts<Id>) {
    const { home, monitor, policies, resolved, space, validation } = parts
    this.#parts = parts
    this.#validation = validation
    this.#reads = new NamespaceReads({ ...home, space, monitor, policies })
    const { loadMany, tagsOf } = resolved
    this.#batches = loadMany && new TickBatches(loadMany, home.core, (loader) => this.#checking(loader))
    this.#common = typeof tagsOf === 'function' ? undefined : Object.freeze({ tags: tagsOf })
  }

  /** @throws what the tags of the id throw */
  get(id: Id, key: string, asked: CollectionReadOptions | undefined): Promise<Output | undefined> {
    const options = this.#optionsOf(id, asked)
    const { followUps, hits } = this.#reads
    const entry = hits.fresh(key, options.tags)
    const isServed = entry !== undefined && (asked === undefined || hits.isGoodFor(entry, asked))
    if (!isServed) return this.#load(key, id, options)
    const followUp = followUps.of(entry, undefined, hits.hitAtMs)
    if (followUp !== undefined) this.#followUp(entry, followUp, key, id, options)
    const answer = this.#validation.known(entry)
    if (answer === undefined) return this.#serve(key, id, entry, options)
    hits.count(key, entry)
    return answer as Promise<Output>
  }

  /** As {@link get}, with what is known of the value. @throws what the tags of the id throw */
  async entry(
    id: Id,
    key: string,
    asked: CollectionReadOptions | undefined,
  ): Promise<CachedEntry<Output | undefined>> {
    const options = this.#optionsOf(id, asked)
    const local = this.#reads.localHit(key, options)
    const finding = local && (await this.#validation.ofEntry(local).catch(() => undefined))
    options.signal?.throwIfAborted()
    const { extras, loader } = this.#sourceOf(key, id)
    if (local !== undefined && finding?.fits) {
      return this.#reads.serveEntry(local, finding.output as Output, [key, loader, options, extras])
    }
    const found = await this.#reads.getOrLoadEntry<unknown>(key, loader, options, extras)
    return { ...found, value: await this.#outputOf(found.value, key, 'getEntry') }
  }

  /** A closure in {@link get} itself would cost every hit an allocation. */
  #followUp(
    entry: LocalEntry,
    followUp: NonNullable<ReturnType<NamespaceReads['followUps']['of']>>,
    ...call: [key: string, id: Id, options: GetOrSetOptions]
  ): void {
    this.#reads.followUps.start(entry, followUp, () => this.#requestOf(...call))
  }

  /** Loads the value anew, whatever the cache holds. */
  async refresh(id: Id, key: string, asked: CollectionReadOptions): Promise<Output | undefined> {
    const { extras, loader } = this.#sourceOf(key, id)
    const value = await this.#reads.refresh<unknown>(key, loader, this.#optionsOf(id, asked), extras)
    return this.#outputOf(value, key, 'refresh')
  }

  /** The output of the fresh entry in the local tier, if it is known at once to fit. */
  peek(id: Id, key: string): Output | undefined {
    const { hits } = this.#reads
    const entry = hits.fresh(key, tagsFor(this.#parts.resolved, id))
    if (entry === undefined) {
      assertCacheKey(key)
      return undefined
    }
    const finding = this.#validation.atOnce(entry)
    if (!finding?.fits) return undefined
    hits.count(key, entry)
    return finding.output as Output
  }

  /** Whether there is a fresh value that fits. @throws CacheError */
  async has(id: Id, key: string): Promise<boolean> {
    return (await this.#freshEntry(id, key)) !== undefined
  }

  /** The seconds for which the value stays fresh; `undefined` if there is none that fits. @throws CacheError */
  ttl(id: Id, key: string): Promise<number | undefined> {
    return this.#reads.gets.ttl(key, this.#freshEntry(id, key))
  }

  /** The fresh entry of an id that fits, from the local tier or from Redis. @throws CacheError */
  async #freshEntry(id: Id, key: string): Promise<LocalEntry | undefined> {
    const entry = await this.#freshOrNone(id, key)
    return entry?.value === undefined ? undefined : entry
  }

  /** As {@link #freshEntry}, also if it says that there is no value. */
  async #freshOrNone(id: Id, key: string): Promise<LocalEntry | undefined> {
    assertCacheKey(key)
    const { home, resolved, space } = this.#parts
    const { core } = home
    if (core.changes.current !== undefined) return undefined
    const { accepts } = this.#validation
    const tags = tagsFor(resolved, id)
    const local = this.#reads.hits.fresh(key, tags)
    if (local !== undefined && (await accepts(local.value))) return local
    const storedKey = space.storedKey(key)
    const generationKeys = core.generationKeys(space, storedKey, tags)
    const found = await core.reader.read(storedKey, { generationKeys, accepts })
    if (found.state !== 'usable') return undefined
    return servableAsRead(found.entry, core.clock.monotonicMs()) === 'fresh' ? found.entry : undefined
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
    this.#reads.hits.count(key, entry)
    return finding.output as Output
  }

  /** The output of the entry in Redis, or of a load. */
  async #load(key: string, id: Id, options: GetOrSetOptions): Promise<Output | undefined> {
    const { extras, loader } = this.#sourceOf(key, id)
    return this.#outputOf(await this.#reads.getOrLoad<unknown>(key, loader, options, extras), key, 'get')
  }

  /** @throws SchemaMismatchError if the serializer has made a value that does not fit of one that did */
  async #outputOf(value: unknown, key: string, operation: string): Promise<Output | undefined> {
    if (value === undefined) return undefined
    const finding = await this.#validation.of(value)
    if (finding.fits) return finding.output as Output
    throw schemaMismatch('read back', this.#parts.resolved.name, key, operation, finding.issues)
  }

  #sourceOf(key: string, id: Id): { readonly loader: Loader<unknown>; readonly extras: ReadExtras } {
    const { home, resolved } = this.#parts
    const { loader: load, shared } =
      this.#batches?.loadOf(key, id, home.core.changes.current) ?? this.#loadOf(id)
    const { result } = resolved
    const loader = decidedBy(load, result && ((value) => result(value, id)))
    return { loader, extras: { accepts: this.#validation.accepts, shared } }
  }

  #loadOf(id: Id): IdLoad {
    const load = this.#parts.resolved.load as NonNullable<ResolvedCollection<Id>['load']>
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
        throw schemaMismatch('loaded', this.#parts.resolved.name, context.key, 'get', issues)
      return value
    }
  }

  #optionsOf(id: Id, asked: CollectionReadOptions | undefined): GetOrSetOptions {
    if (this.#common !== undefined) return asked === undefined ? this.#common : { ...asked, ...this.#common }
    return { ...asked, tags: tagsFor(this.#parts.resolved, id) }
  }
}
