import type { CacheBackend, Counters, KeysOptions, PlainValues, Sets } from '../contract/cache-backend.ts'
import type { InferInput, InferOutput, StandardSchema } from '../contract/standard-schema.ts'
import { assertCacheKey } from '../foundation/cache-key.ts'
import { assertOptions, type KnownOptions, type OptionNames } from '../foundation/option-checks.ts'
import type { CacheParts } from './cache-parts.ts'
import { type Collection, createCollection } from './collections/collection.ts'
import type { CollectionOptions } from './collections/collection-options.ts'
import type { NamespaceStats } from './core/counts.ts'
import { Monitor } from './core/monitor.ts'
import { NAMESPACE_LOCAL_OPTIONS, type NamespaceLocalOptions, resolveLocal } from './core/namespace-local.ts'
import { claimRules } from './core/namespace-rules.ts'
import { EntryOperations } from './entry-operations.ts'
import { type ExplainOptions, explain } from './explain/explain.ts'
import type { Explanation } from './explain/explanation.ts'
import { idOfPolicies, resolvePolicies } from './freshness/policies.ts'
import { POLICY_NAMES, type PolicyOptions } from './freshness/policy-options.ts'
import type { LocalNamespaceOptions } from './holding/held-options.ts'
import { NAMES, type NameRegistry } from './keys/name-registry.ts'
import type { Isolation, Served } from './local/isolation.ts'
import { isHeld, type LocalNamespace, localNamespace } from './local-namespace.ts'
import { memoize, type Wrapped } from './memoize/memoize.ts'
import type {
  CallArguments,
  ContextParameters,
  ContextWrapOptions,
  WrapOptions,
} from './memoize/memoize-options.ts'
import { PlainOperations } from './plain-operations.ts'

/** Options of a namespace. What they leave out is as in the cache or the namespace that it is made in. */
export interface NamespaceOptions<Isolate extends Isolation = Isolation> extends PolicyOptions {
  /**
   * How the values of this namespace, and of those within it, are kept from being changed by a caller. It belongs to the
   * name, for the life of the cache: another one for the same name is refused with `CACHE_INVALID_OPTIONS`, and a call that
   * names none has the one that was given first.
   * @default that of the namespace around it, then the cache's
   */
  readonly isolate?: Isolate | undefined
  /**
   * How the entries of this namespace, and of those within it, are kept in this process: in room of their own, for a limited
   * time, or not at all (`false`: every read asks Redis, and callers share it). It belongs to the name, as `isolate` does.
   * @default that of the namespace around it, then the cache's
   */
  readonly local?: NamespaceLocalOptions | false | undefined
}

const NAMESPACE_OPTIONS: KnownOptions = {
  of: 'namespace',
  names: {
    ...POLICY_NAMES,
    isolate: 'value',
    local: NAMESPACE_LOCAL_OPTIONS,
  } satisfies OptionNames<NamespaceOptions>,
}

/**
 * A part of a cache whose keys begin with its name: entries, tags and a `clear()` of its own. It shares the connection,
 * the local tier and the lifecycle of its {@link Cache}.
 */
export class Namespace<Isolate extends Isolation = 'freeze'> extends EntryOperations<Isolate> {
  readonly #parts: CacheParts
  readonly #names: NameRegistry
  #made: PlainOperations | undefined

  /** @internal */
  constructor(parts: CacheParts) {
    super(parts)
    this.#parts = parts
    this.#names = parts.names.under(parts.space.prefix)
  }

  /** @internal */
  get [NAMES](): NameRegistry {
    return this.#names
  }

  /**
   * Plain values, without tags, a stale window or a loader, and what can be asked of a key of any kind. A write ends the
   * local copies of its keys in all processes, as a write of the cache does; so do counters. `get`, `getMany` and
   * `getAndDelete` also take the entries of this cache, as long as they are fresh and none of their tags was invalidated.
   * Await a call of the cache before you rely on it here, and the other way round: neither waits for the other. {@link delete}, {@link clear} and {@link invalidatePattern} of the cache remove plain values, too.
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * const cache = createCache({ prefix: 'shop:' })
   * const isFirst = await cache.plain.setIfAbsent('order:17', 'sent', '1d')
   * const state = await cache.plain.getAndDelete('order:17')
   * ```
   */
  get plain(): PlainValues {
    return this.#operations.plain
  }

  /**
   * Counters. `plain.get` reads one, and {@link delete} deletes it.
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * const cache = createCache({ prefix: 'shop:' })
   * const visits = await cache.counters.incr('visits', 1, { ttl: '1d' })
   * await cache.sets.addToSet('online', 'ann', { ttl: '5m', slide: true })
   * const online = await cache.sets.getSetMembers('online')
   * ```
   */
  get counters(): Counters {
    return this.#operations.counters
  }

  /** Sets of strings. {@link delete} deletes one. */
  get sets(): Sets {
    return this.#operations.sets
  }

  /**
   * Lists the keys of entries, plain values, counters and sets, as {@link CacheBackend.keys} does: without the prefix and
   * the name of this namespace. Those of namespaces and collections within this one are among them, and so are entries that
   * are stale or were invalidated and not yet removed.
   */
  keys(pattern?: string, options?: KeysOptions): AsyncIterable<string> {
    return this.#operations.keys(pattern, options)
  }

  get #operations(): PlainOperations {
    this.#made ??= new PlainOperations(this.#parts.backendWithin(this.#parts.space))
    return this.#made
  }

  /**
   * The reason why a key is served, served stale, or loaded: what each tier holds, which tags are still valid, who is
   * loading it, and what a `getOrSet` with these options would do now. `String(explanation)` is a text for people.
   *
   * It always asks Redis, and changes nothing: no lease, no eviction, no event, no count. At most two round trips,
   * three if the key changes meanwhile. If Redis cannot be asked, or the circuit is open, the answer says so.
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * const cache = createCache()
   * const explanation = await cache.explain('user:1', { ttl: '5m', tags: ['users'] })
   * console.log(String(explanation))
   * if (explanation.next.step === 'load') console.log('a getOrSet would load it')
   * ```
   * @throws CacheError for a bad key, tag or option; never because of Redis
   */
  async explain(key: string, options: ExplainOptions = {}): Promise<Explanation> {
    return explain(this.#parts, key, options)
  }

  /**
   * Counts of what happened in this namespace and in the namespaces and collections within it: in all that {@link clear}
   * would remove. Namespaces of one name count together, whatever their options are. No round trip.
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * const users = createCache().namespace('users')
   * const { localHits, misses, savedSeconds } = users.stats().lastMinute
   * console.log({ localHits, misses, savedSeconds })
   * ```
   */
  stats(): NamespaceStats {
    const { core, space } = this.#parts
    return core.statsWithin(space.namePrefix)
  }

  /**
   * A part of this cache whose keys begin with `name:`, with tags and a `clear()` of its own. It shares the connection
   * and the local tier; clearing this cache clears it too. The same name and options give the same object.
   *
   * A key of this cache that begins with `name:` is a key of the namespace: `cache.get('users:ann')` reads what
   * `cache.namespace('users')` has stored under `ann`, and `cache.delete('users:ann')` deletes it. (What the cache itself
   * stores under such a key is a miss in the namespace.) So keys that users choose belong into a namespace of their own, without
   * namespaces or collections in it: there they reach nothing else, and at the root they would reach into every namespace. Where a name is made of input, encode
   * the input: a `:` in it would lead into another namespace. A name that ends in `@` and digits is the mark
   * of a collection, and is refused.
   * @param options the defaults of its calls; what they leave out applies as in this cache. The same name with other
   * options is another object over the same keys
   * @throws CacheError `CACHE_INVALID_KEY`, `CACHE_INVALID_DURATION`, `CACHE_INVALID_OPTIONS`; `CACHE_INVALID_ARGUMENT` if
   * it would be nested more than 15 deep
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * declare const db: { findUser(id: string): Promise<{ name: string }> }
   * const cache = createCache({ prefix: 'shop:' })
   * const users = cache.namespace('users', { ttl: '5m', staleIfError: '1h' })
   * await users.getOrSet('ann', () => db.findUser('ann')) // stored under shop:users:ann
   * await users.clear()
   * ```
   */
  namespace<Inner extends Isolation = Isolate>(
    name: string,
    options?: NamespaceOptions<Inner>,
  ): Namespace<Inner>
  namespace<T = never>(name: string, options: LocalNamespaceOptions<T>): LocalNamespace
  namespace<Inner extends Isolation = Isolate>(
    name: string,
    options: NamespaceOptions<Inner> | LocalNamespaceOptions = {},
  ): Namespace<Inner> | LocalNamespace {
    assertCacheKey(name, 'namespace')
    if (isHeld(options)) return localNamespace(this.#parts, name, options)
    assertOptions(options, NAMESPACE_OPTIONS)
    const { core, namespaces, policies: around, policiesId: idAround, space } = this.#parts
    core.calls.check(options, NAMESPACE_OPTIONS)
    const policies = resolvePolicies(options, around)
    const { isolate, local } = options
    if (isolate !== undefined || local !== undefined) {
      const rules = { isolate, local: resolveLocal(local) }
      claimRules(core, { name, prefix: `${space.prefix}${name}:` }, rules)
    }
    const policiesId = policies === around ? idAround : idOfPolicies(policies)
    const id = `${policiesId} ${space.prefix}${name}`
    const known = namespaces.get(id)
    if (known !== undefined) return known as Namespace<Inner>
    const inner = space.within(name)
    const namespace = new Namespace<Inner>({
      ...this.#parts,
      space: inner,
      monitor: new Monitor(core, inner),
      policies,
      policiesId,
    })
    namespaces.set(id, namespace)
    return namespace
  }

  /**
   * A function that answers from this cache: a call is a {@link getOrSet} whose loader is the function, with its cost and its
   * failures. Options that depend on the arguments are functions of them; what depends on the result says the function `result`. The key of a call is the function's name and the arguments, `findUser("ann",42)`, in this namespace. A call
   * whose arguments make no key rejects with `CACHE_INVALID_ARGUMENT`, or `CACHE_INVALID_KEY` if `key` returns no text.
   *
   * With `context: true`, the function gets the {@link LoadContext} of its load as its last argument, which callers do
   * not pass: `cache.wrap(async (id: string, context: LoadContext) => …, { name: 'find', context: true })`.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` if it is no function; `CACHE_INVALID_OPTIONS`, also if it has no name, or
   * another function has the same one in this namespace
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * const cache = createCache()
   * const square = cache.wrap(async function square(side: number) { return side * side }, { ttl: '5m' })
   * await square(3)
   * await square.delete(3)
   * ```
   */
  wrap<Parameters extends ContextParameters, Result>(
    fn: (...args: Parameters) => Promise<Result> | Result,
    options: ContextWrapOptions<CallArguments<Parameters>, Exclude<Result, undefined>>,
  ): Wrapped<CallArguments<Parameters>, Served<Result, Isolate>>
  wrap<Args extends readonly unknown[], Result>(
    fn: (...args: Args) => Promise<Result> | Result,
    options?: WrapOptions<Args, Exclude<Result, undefined>>,
  ): Wrapped<Args, Served<Result, Isolate>>
  wrap(fn: (...args: never) => unknown, options?: object): Wrapped<readonly unknown[], unknown> {
    return memoize(this, this.#names, fn, options)
  }

  /**
   * Values of one kind, by id. A schema (Zod, Valibot, ArkType, …) gives their types, and validates them before they
   * are stored and when they are read. The collection is a namespace of its own: its keys are
   * `name@version:id`, and clearing this cache clears it too. Its tags are those of this cache or namespace: `invalidateTags`
   * here invalidates its entries.
   * @throws CacheError `CACHE_INVALID_OPTIONS`, also if this namespace has a collection of that name and version
   * already; `CACHE_INVALID_DURATION`, `CACHE_INVALID_KEY`; `CACHE_INVALID_ARGUMENT` if it would be nested more than 15
   * deep
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
  ): Collection<Id, InferInput<Schema>, Served<InferOutput<Schema>, Isolate>> {
    return createCollection<Schema, Id, Isolate>(this.#parts, this.#names, options)
  }
}
