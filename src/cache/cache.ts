import type { PresentCoherence } from '../backend/seams/shared-tier.ts'
import type { CacheBackend } from '../contract/cache-backend.ts'
import type { ReadThroughEvents } from '../contract/cache-events.ts'
import type { InferInput, InferOutput, StandardSchema } from '../contract/standard-schema.ts'
import { assertCacheKey } from '../foundation/cache-key.ts'
import type { Unsubscribe } from '../foundation/event-hub.ts'
import { assertOptions, type KnownOptions } from '../foundation/option-checks.ts'
import type { CacheParts } from './cache-parts.ts'
import { type Collection, createCollection } from './collections/collection.ts'
import type { CollectionOptions } from './collections/collection-options.ts'
import type { CacheCore } from './core/cache-core.ts'
import { Monitor } from './core/monitor.ts'
import { EntryOperations } from './entry-operations.ts'
import { type ExplainOptions, explain } from './explain/explain.ts'
import type { Explanation } from './explain/explanation.ts'
import { POLICY_NAMES, type PolicyOptions, resolvePolicies } from './freshness/policies.ts'
import { NAMES, type NameRegistry } from './keys/name-registry.ts'
import { memoize, type Wrapped } from './memoize/memoize.ts'
import type {
  CallArguments,
  ContextParameters,
  ContextWrapOptions,
  WrapOptions,
} from './memoize/memoize-options.ts'
import { type CacheStats, statsOf } from './monitoring/stats.ts'
import type { CircuitState } from './outage/circuit-breaker.ts'

const NAMESPACE_OPTIONS: KnownOptions = { of: 'namespace', names: POLICY_NAMES }

/**
 * A read-through cache: a tier of decoded values in this process, coherent with those of other processes, above a tier
 * that all processes share. {@link createCache} makes it. The cache and its namespaces share one connection and one
 * local tier.
 *
 * **Failure.** An unreachable Redis never fails a `getOrSet`: its loader is called, at most once per key and process at
 * a time. Other operations answer a miss, `false` or `0` and emit an `error` event (`errors: 'absorb'`), or reject
 * (`'throw'`). An invalidation that answered `false` is kept; this process delivers it before it reads anything that
 * the invalidation affects.
 */
export class Cache extends EntryOperations {
  readonly #parts: CacheParts
  readonly #core: CacheCore
  readonly #names: NameRegistry
  #backend: CacheBackend | undefined

  /** @internal */
  constructor(parts: CacheParts) {
    super(parts)
    this.#parts = parts
    this.#core = parts.core
    this.#names = parts.names.under(parts.space.prefix)
  }

  /** @internal */
  get [NAMES](): NameRegistry {
    return this.#names
  }

  /**
   * Counters, sets and plain values under the same prefix. A write drops the local copies of its keys. Its `get` and
   * `getMany` also serve the entries of this cache, as long as they are fresh and none of their tags was invalidated.
   * They do not wait for writes of the cache that were not awaited, nor the cache for theirs.
   */
  get backend(): CacheBackend {
    this.#backend ??= this.#parts.backendWithin(this.#parts.space)
    return this.#backend
  }

  /**
   * The mode in which local tiers learn of changes at this moment; `'none'` before Redis is reached and during an
   * outage. A cache on the bus begins with `'ttl'`, for half a second if it is the first one there: until then other
   * processes may not know yet that somebody listens.
   */
  get coherence(): PresentCoherence {
    return this.#core.coherence
  }

  /** The state of the circuit breaker: `'open'` while no commands are sent to Redis, or to some node of a cluster. */
  get circuit(): CircuitState {
    return this.#core.breakers.state
  }

  /**
   * Connects. You need not call it: the first operation connects too, and continues without Redis if that fails.
   * @throws CacheError if Redis cannot be reached, with the reason; `CACHE_CLOSED` after `shutdown()`
   */
  initialize(): Promise<void> {
    return this.#parts.lifecycle.initialize()
  }

  /**
   * Waits up to `drain` for the work in the background, aborts the rest, and closes what the cache opened, for good: a
   * `getOrSet` still calls its loader afterwards, and other operations fail with `CACHE_CLOSED`. Idempotent; never
   * rejects.
   */
  shutdown(): Promise<void> {
    return this.#parts.lifecycle.shutdown()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  /** Subscribes to an event, and returns a function that ends the subscription. */
  on<Name extends keyof ReadThroughEvents>(
    event: Name,
    listener: (payload: ReadThroughEvents[Name]) => void,
  ): Unsubscribe {
    return this.#core.policy.events.on(event, listener)
  }

  /** Counts of what happened in this cache and its namespaces, and their present state. No round trip. */
  stats(): CacheStats {
    return statsOf(this.#core, this.#parts.flights, this.#parts.verification)
  }

  /**
   * Resolves when the work in the background has ended: refreshes, verifications, and the reclaim after a `clear()`.
   */
  idle(): Promise<void> {
    return this.#core.background.idle()
  }

  /**
   * The reason why a key is served, served stale, or loaded: what each tier holds, which tags are still valid, who is
   * loading it, and what a `getOrSet` with these options would do now. `String(explanation)` is a text for people.
   *
   * It always asks Redis, and changes nothing: no lease, no eviction, no event, no count. At most two round trips,
   * three if the key changes meanwhile. If Redis cannot be asked, or the circuit is open, the answer says so.
   *
   * @throws CacheError for a bad key, tag or option; never because of Redis
   */
  async explain(key: string, options: ExplainOptions = {}): Promise<Explanation> {
    return explain(this.#parts, key, options)
  }

  /**
   * A part of this cache whose keys begin with `name:`, with tags and a `clear()` of its own. It shares the connection
   * and the local tier; clearing this cache clears it too.
   *
   * A key of this cache that begins with `name:` is a key of the namespace. So a key that a user chooses belongs into a
   * namespace of its own, which no key leads out of; at the root it reaches into all of them. A name that contains input
   * must not contain a `:` from there, nor end in `@` and digits, which is the mark of a collection and is refused.
   * @param options the defaults of its calls; what they leave out applies as in this cache
   * @throws CacheError `CACHE_INVALID_KEY`, `CACHE_INVALID_DURATION`, `CACHE_INVALID_OPTIONS`; `CACHE_INVALID_ARGUMENT` if
   * it would be nested more than 15 deep
   */
  namespace(name: string, options: PolicyOptions = {}): Cache {
    assertCacheKey(name, 'namespace')
    assertOptions(options, NAMESPACE_OPTIONS)
    this.#core.calls.check(options, NAMESPACE_OPTIONS)
    const policies = resolvePolicies(options, this.#parts.policies)
    const space = this.#parts.space.within(name)
    return new Cache({ ...this.#parts, space, monitor: new Monitor(this.#core, space), policies })
  }

  /**
   * A function that answers from this cache. The key of a call is the function's name and the arguments.
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
    options: ContextWrapOptions<CallArguments<Parameters>>,
  ): Wrapped<CallArguments<Parameters>, Result>
  wrap<Args extends readonly unknown[], Result>(
    fn: (...args: Args) => Promise<Result> | Result,
    options?: WrapOptions<Args>,
  ): Wrapped<Args, Result>
  wrap(fn: (...args: never) => unknown, options?: object): Wrapped<readonly unknown[], unknown> {
    return memoize<readonly unknown[], unknown>(this, this.#names, fn as () => unknown, options)
  }

  /**
   * Values of one kind, by id. A schema (Zod, Valibot, ArkType, …) gives their types, and validates them before they
   * are stored and when they are read. The collection is a namespace of its own: its keys are
   * `name@version:id`, its tags are those of this cache, and clearing this cache clears it too.
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
  ): Collection<Id, InferInput<Schema>, InferOutput<Schema>> {
    return createCollection<Schema, Id>(this.#parts, this.#names, options)
  }
}
