import type { InferInput, StandardSchema } from '../../contract/standard-schema.ts'
import { CacheError } from '../../foundation/cache-error.ts'
import { assertCacheKey } from '../../foundation/cache-key.ts'
import type { BatchEntryContext, BatchLoadContext } from '../batches/load-batch.ts'
import { checkedTags, type PolicyOptions } from '../freshness/policies.ts'
import type { LoadContext } from '../loading/load-context.ts'

/** Ids that are their own text in a key. */
export type PlainId = string | number | bigint

/**
 * Loads the value of one id, as the schema takes it. `undefined` says that there is none, and is not cached; `null` is
 * cached where the schema accepts it.
 */
export type CollectionLoader<Id, Input> = (
  id: Id,
  context: LoadContext,
) => Input | undefined | Promise<Input | undefined>

/**
 * Loads the values of several ids at once: a `Map` by id, or an array in the order of the ids. An `Error` in place of
 * a value fails that id alone; what is missing or `undefined` is not cached.
 */
export type CollectionBatchLoader<Id, Input> = (
  ids: readonly Id[],
  context: CollectionBatchContext<Id>,
) => CollectionBatch<Id, Input> | Promise<CollectionBatch<Id, Input>>

/** What a {@link CollectionBatchLoader} returns. */
export type CollectionBatch<Id, Input> =
  | ReadonlyMap<Id, Input | Error | undefined>
  | readonly (Input | Error | undefined)[]

/** What a {@link CollectionBatchLoader} is told, and what it can say of the values that it is about to return. */
export interface CollectionBatchContext<Id> extends Pick<BatchLoadContext, 'signal'> {
  /** As the context of a loader of this one id. @throws CacheError `CACHE_INVALID_ARGUMENT` for an id that was not asked */
  of(id: Id): BatchEntryContext
  /**
   * The stale value of this id is still right, whatever is returned for it.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` where there is none
   */
  notModified(id: Id): void
}

/** What every collection is made of. */
export interface CollectionCommonOptions<Schema extends StandardSchema, Id> extends PolicyOptions {
  /** What its keys begin with; no other collection of the cache has it with the same version. It holds no `:` or `@`. */
  readonly name: string
  /**
   * Tells stored values from those of other. What is stored is what it takes; what is read is what it gives, deeply
   * frozen (or copied for each caller) as all values are. It must leave what it is given as it is.
   */
  readonly schema: Schema
  /**
   * A positive integer, to be raised by one where stored values change in a way that other deployments cannot read.
   * The entries of two versions lie side by side; a `set` and a `delete` in one also removes the entry of the same id
   * in the version before it and in the one after it, so that both deployments see the change while one replaces the
   * other. No version metrics as 0.
   * @default none
   */
  readonly version?: number | undefined
  /** Names under which its entries can be invalidated, at most 64: the same for all, or by id. @default none */
  readonly tags?: readonly string[] | ((id: Id) => readonly string[]) | undefined
}

/** How an id becomes the part of the key that tells it from all others. */
export type CollectionKeyOption<Id> = [Id] extends [PlainId]
  ? {
      /** The part of the key that tells this id from all others. @default the id itself */
      readonly key?: ((id: Id) => string) | undefined
    }
  : {
      /** The part of the key that tells this id from all others. */
      readonly key: (id: Id) => string
    }

/** One loader, of either kind. */
export type CollectionSource<Id, Input> =
  | { readonly load: CollectionLoader<Id, Input>; readonly loadMany?: undefined }
  | { readonly load?: undefined; readonly loadMany: CollectionBatchLoader<Id, Input> }

/**
 * Options of a collection: what its values are (`schema`), where they lie (`name`, `version`, `key`), where they come
 * from (`load`, or `loadMany`), and how long they are served.
 */
export type CollectionOptions<Schema extends StandardSchema, Id = string> = CollectionCommonOptions<
  Schema,
  Id
> &
  CollectionKeyOption<Id> &
  CollectionSource<Id, InferInput<Schema>>

/** {@link CollectionOptions}, checked. */
export interface ResolvedCollection<Id> {
  readonly name: string
  /** What its keys begin with. */
  readonly prefix: string
  /** Likewise in the versions that run beside it while one deployment replaces another. */
  readonly neighbours: readonly string[]
  /** The rest of the key of an id. @throws CacheError `CACHE_INVALID_KEY` */
  readonly partOf: (id: Id) => string
  readonly tagsOf: readonly string[] | ((id: Id) => readonly string[])
  readonly load: CollectionLoader<Id, unknown> | undefined
  readonly loadMany: CollectionBatchLoader<Id, unknown> | undefined
}

/** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_KEY` for a name that is no key, and for what is no tag */
export function resolveCollection<Schema extends StandardSchema, Id>(
  options: CollectionOptions<Schema, Id>,
): ResolvedCollection<Id> {
  const { key, load, loadMany, name, tags, version } = options
  assertCacheKey(name, 'name of a collection')
  if (/[:@]/.test(name)) throw invalid('name must hold no ":" and no "@"')
  if (version !== undefined && !(Number.isSafeInteger(version) && version > 0)) {
    throw invalid('version must be a positive integer')
  }
  if (key !== undefined && typeof key !== 'function') throw invalid('key must be a function')
  const loader = load ?? loadMany
  if ((load === undefined) === (loadMany === undefined) || typeof loader !== 'function') {
    throw invalid('either load or loadMany must be given, a function')
  }
  const present = version ?? 0
  return {
    name,
    prefix: prefixOf(name, present),
    neighbours: [present - 1, present + 1].filter((one) => one >= 0).map((one) => prefixOf(name, one)),
    partOf: key === undefined ? plainPart : (id) => givenPart(key(id)),
    tagsOf: typeof tags === 'function' ? tags : checkedTags(tags),
    load: load as CollectionLoader<Id, unknown> | undefined,
    loadMany: loadMany as CollectionBatchLoader<Id, unknown> | undefined,
  }
}

function prefixOf(name: string, version: number): string {
  return version === 0 ? `${name}:` : `${name}@${version}:`
}

function plainPart(id: unknown): string {
  if (typeof id === 'string' && id !== '') return id
  if (typeof id === 'bigint' || (typeof id === 'number' && !Number.isNaN(id))) return String(id)
  throw invalidKey('The id', id)
}

function givenPart(part: unknown): string {
  if (typeof part === 'string' && part !== '') return part
  throw invalidKey('What the option key makes of an id', part)
}

/** A text made of anything else ('undefined', '[object Object]') would be the same for many ids. */
function invalidKey(what: string, value: unknown): CacheError {
  const kind =
    value === '' ? 'empty' : value === null ? 'null' : typeof value === 'number' ? 'NaN' : typeof value
  return new CacheError(
    'CACHE_INVALID_KEY',
    `${what} must be a text that tells it from others, and is ${kind}`,
  )
}

function invalid(message: string): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', `Options of a collection: ${message}`)
}
