import type { BackgroundOptions } from '../../contract/background-hook.ts'
import type { InferInput, StandardSchema } from '../../contract/standard-schema.ts'
import { assertCacheKey } from '../../foundation/cache-key.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { shown } from '../../foundation/errors/shown-value.ts'
import {
  assertOptions,
  type KnownOptions,
  type OptionNames,
  refusedOption,
} from '../../foundation/option-checks.ts'
import type { BatchEntryContext, BatchLoadContext } from '../batches/load-batch.ts'
import { NAMESPACE_LOCAL_OPTIONS, type NamespaceLocalOptions, resolveLocal } from '../core/namespace-local.ts'
import { checkedTags } from '../freshness/policies.ts'
import {
  type AgeOptions,
  COPY_OPTIONS,
  type LocalReadOptions,
  POLICY_NAMES,
  type PolicyOptions,
} from '../freshness/policy-options.ts'
import { collectionPrefix } from '../keys/key-space.ts'
import type { LoadContext } from '../loading/load-context.ts'
import type { ResultOptions } from '../loading/result-options.ts'
import type { LocalRule } from '../local/shelf-rules.ts'

/** Ids whose text is the part of the key. */
export type PlainId = string | number | bigint

/**
 * Loads the value of one id, in the input type of the schema. `undefined` means that there is none, and is not cached;
 * `null` is cached if the schema accepts it.
 */
export type CollectionLoader<Id, Input> = (
  id: Id,
  context: LoadContext,
) => Input | undefined | Promise<Input | undefined>

/**
 * Loads the values of several ids at once, and returns a `Map` by id or an array in the order of the ids. An `Error` in
 * place of a value fails that id alone. A missing or `undefined` value is not cached.
 */
export type CollectionBatchLoader<Id, Input> = (
  ids: readonly Id[],
  context: CollectionBatchContext<Id>,
) => CollectionBatchResult<Id, Input> | Promise<CollectionBatchResult<Id, Input>>

/** The result of a {@link CollectionBatchLoader}. */
export type CollectionBatchResult<Id, Input> =
  | ReadonlyMap<Id, Input | Error | undefined>
  | readonly (Input | Error | undefined)[]

/** The context of one call of a {@link CollectionBatchLoader}. */
export interface CollectionBatchContext<Id> extends Pick<BatchLoadContext, 'signal'> {
  /**
   * The context of one id, as a loader of that id alone would get it.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` for an id that the call does not load
   */
  of(id: Id): BatchEntryContext
  /**
   * Declares that the stale value of this id is still right; what is returned for the id is ignored.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` if there is no stale value
   */
  notModified(id: Id): void
}

/** The options that every collection takes. */
export interface CollectionCommonOptions<Schema extends StandardSchema, Id> extends PolicyOptions {
  /**
   * The beginning of the keys, which is followed by the version: `users@0:ann`. It contains no `:` or `@`, and no other
   * collection in the same namespace of a cache may have it together with the same version.
   */
  readonly name: string
  /**
   * Validates values. Its input is what is stored, and its output is what is read: deeply frozen, or copied for each
   * caller, as all values are. It must not change its argument.
   */
  readonly schema: Schema
  /**
   * A whole number. Raise it by one when stored values change in a way that the previous deployment cannot read. Entries of different versions have different keys. A `set`, `delete` or `clear` in one version also removes what the
   * previous and the next version have of it, so that two deployments see each other's changes while one replaces the
   * other.
   * @default 0
   */
  readonly version?: number | undefined
  /**
   * How the entries of the collection are kept in this process; `false` keeps none of them.
   * @default as in the namespace around it
   */
  readonly local?: NamespaceLocalOptions | false | undefined
  /** Tags by which entries can be invalidated, at most 64: the same for all, or by id. @default none */
  readonly tags?: readonly string[] | ((id: Id) => readonly string[]) | undefined
  /**
   * Says, of a loaded value (the schema's input) and its id, how that value is kept: `ttl` or `expiresAt`, `jitter`, the
   * stale windows, `tags` beside those above, or `skip: true` not to cache it. It goes over the options above and over what
   * the loader told its context; `undefined` leaves all as it is. It is called for loads, not for `set` and hits. It is
   * synchronous. If it throws, the call rejects with `CACHE_INVALID_OPTIONS`, whose `cause` is what it threw, also where a
   * stale value could be served. A tag that this process does not know yet has the value not cached once, as with
   * `context.addTags`.
   * @default none
   */
  readonly result?:
    | ((value: Exclude<InferInput<Schema>, undefined>, id: Id) => ResultOptions | undefined)
    | undefined
}

/** The option that turns an id into its part of the key; required if the id is not plain text or a number. */
export type CollectionKeyOption<Id> = [Id] extends [PlainId]
  ? {
      /** Returns the part of the key that distinguishes this id from all others. @default the id itself */
      readonly key?: ((id: Id) => string) | undefined
    }
  : {
      /** Returns the part of the key that distinguishes this id from all others. */
      readonly key: (id: Id) => string
    }

/** The loader of a collection: for one id, or for several. */
export type CollectionSource<Id, Input> =
  | { readonly load: CollectionLoader<Id, Input>; readonly loadMany?: undefined }
  | { readonly load?: undefined; readonly loadMany: CollectionBatchLoader<Id, Input> }

/**
 * Options of a collection: the type of its values (`schema`), their keys (`name`, `version`, `key`), their source
 * (`load` or `loadMany`), and how long they are served.
 * @example
 * ```ts
 * import { createCache } from 'cachewright'
 * import { z } from 'zod'
 *
 * declare const db: { findUsers(ids: readonly number[]): Promise<{ id: number; name: string }[]> }
 * const cache = createCache({ prefix: 'shop:' })
 * const users = cache.collection({
 *   name: 'users',
 *   version: 2,
 *   schema: z.object({ id: z.number(), name: z.string() }),
 *   loadMany: async (ids: readonly number[]) => {
 *     const rows = await db.findUsers(ids)
 *     return new Map(rows.map((row) => [row.id, row]))
 *   },
 *   tags: (id) => [`user:${id}`],
 * })
 * const [ann, bob] = await Promise.all([users.get(1), users.get(2)]) // one call of loadMany
 * await users.delete(1)
 * ```
 */
export type CollectionOptions<Schema extends StandardSchema, Id = string> = CollectionCommonOptions<
  Schema,
  Id
> &
  CollectionKeyOption<Id> &
  CollectionSource<Id, InferInput<Schema>>

/** Options of a read of a collection. */
export interface CollectionReadOptions extends AgeOptions, LocalReadOptions, BackgroundOptions {
  /** Detaches this caller: its promise rejects with the signal's reason. The load continues for other callers. */
  readonly signal?: AbortSignal | undefined
}

/** What the options of a read may contain. */
export const READ_OPTIONS: KnownOptions = {
  of: 'the call',
  names: {
    maxAge: 'duration',
    local: COPY_OPTIONS,
    atLeast: 'value',
    signal: 'value',
    background: 'value',
  } satisfies OptionNames<CollectionReadOptions>,
}

/** What the options of a collection may contain. */
export const COLLECTION_OPTIONS: KnownOptions = {
  of: 'collection',
  names: {
    ...POLICY_NAMES,
    name: 'value',
    schema: 'value',
    version: 'value',
    local: NAMESPACE_LOCAL_OPTIONS,
    tags: 'value',
    result: 'value',
    key: 'value',
    load: 'value',
    loadMany: 'value',
  } satisfies OptionNames<CollectionCommonOptions<StandardSchema, string>> &
    OptionNames<CollectionKeyOption<string>> &
    OptionNames<CollectionSource<string, unknown>>,
}

/** {@link CollectionOptions}, validated. */
export interface ResolvedCollection<Id> {
  readonly name: string
  /** 0 if none is given. */
  readonly version: number
  /** The beginning of its keys. */
  readonly prefix: string
  /** The previous and the next version. */
  readonly neighbours: readonly number[]
  /** The part of the key after the prefix, for an id. @throws CacheError `CACHE_INVALID_KEY` */
  readonly partOf: (id: Id) => string
  readonly tagsOf: readonly string[] | ((id: Id) => readonly string[])
  /** Says how a loaded value is kept. */
  readonly result: ((value: unknown, id: Id) => unknown) | undefined
  readonly local: LocalRule | undefined
  readonly load: CollectionLoader<Id, unknown> | undefined
  readonly loadMany: CollectionBatchLoader<Id, unknown> | undefined
}

/**
 * The options of a collection, validated.
 * @throws CacheError `CACHE_INVALID_OPTIONS`; `CACHE_INVALID_KEY` for a name that cannot be a key, and for an invalid
 * tag
 */
export function resolveCollection<Schema extends StandardSchema, Id>(
  options: CollectionOptions<Schema, Id>,
): ResolvedCollection<Id> {
  assertOptions(options, COLLECTION_OPTIONS)
  const { key, load, loadMany, name, result, tags, version } = options
  assertCacheKey(name, 'name of a collection')
  if (/[:@]/.test(name)) throw refusedOption('name of a collection', 'without ":" and "@"', name)
  if (version !== undefined && !(Number.isSafeInteger(version) && version >= 0)) {
    throw refusedOption('version of a collection', 'a whole number', version)
  }
  if (key !== undefined && typeof key !== 'function')
    throw refusedOption('key of a collection', 'a function', key)
  if (result !== undefined && typeof result !== 'function')
    throw refusedOption('result of a collection', 'a function', result)
  const loader = load ?? loadMany
  if ((load === undefined) === (loadMany === undefined) || typeof loader !== 'function') {
    throw invalid('either load or loadMany must be given, a function')
  }
  const present = version ?? 0
  return {
    name,
    version: present,
    prefix: collectionPrefix(name, present),
    neighbours: [present - 1, present + 1].filter((one) => one >= 0),
    partOf: key === undefined ? plainPart : (id) => givenPart(key(id)),
    tagsOf: typeof tags === 'function' ? tags : checkedTags(tags),
    result: result as ResolvedCollection<Id>['result'],
    local: resolveLocal(options.local),
    load: load as CollectionLoader<Id, unknown> | undefined,
    loadMany: loadMany as CollectionBatchLoader<Id, unknown> | undefined,
  }
}

/** The tags of an id. */
export function tagsFor<Id>({ tagsOf }: ResolvedCollection<Id>, id: Id): readonly string[] {
  return typeof tagsOf === 'function' ? tagsOf(id) : tagsOf
}

/** More bits than those of a bigint whose digits fit into a key. To write a longer one takes very long. */
const MOST_ID_BITS = 262_144

function plainPart(id: unknown): string {
  if (typeof id === 'string' && id !== '') return id
  if (typeof id === 'bigint' && BigInt.asIntN(MOST_ID_BITS, id) !== id) throw invalidKey('The id', id)
  if (typeof id === 'bigint' || (typeof id === 'number' && !Number.isNaN(id))) return String(id)
  throw invalidKey('The id', id)
}

function givenPart(part: unknown): string {
  if (typeof part === 'string' && part !== '') return part
  throw invalidKey('What the option key makes of an id', part)
}

/** Anything else, converted to text ('undefined', '[object Object]'), would be the same for many ids. */
function invalidKey(what: string, value: unknown): CacheError {
  return new CacheError(
    'CACHE_INVALID_KEY',
    `${what} must be a text that tells it from others, and is ${shown(value)}`,
  )
}

function invalid(message: string): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', `Options of a collection: ${message}`)
}
