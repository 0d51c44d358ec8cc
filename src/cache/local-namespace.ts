import { CacheError } from '../foundation/errors/cache-error.ts'
import type { Duration } from '../foundation/time/duration.ts'
import type { CacheParts } from './cache-parts.ts'
import type { NamespaceStats } from './core/counts.ts'
import { Monitor } from './core/monitor.ts'
import { EntryReads } from './entry-reads.ts'
import { type ExplainOptions, explain } from './explain/explain.ts'
import type { Explanation } from './explain/explanation.ts'
import { idOfPolicies, resolvePolicies } from './freshness/policies.ts'
import type { EntryOptions } from './freshness/policy-options.ts'
import {
  claimHeld,
  LOCAL_NAMESPACE_OPTIONS,
  type LocalNamespaceOptions,
  resolveHeld,
} from './holding/held-options.ts'
import { HeldWrites } from './holding/held-writes.ts'
import { HeldSpace } from './keys/held-space.ts'
import { NAMES, type NameRegistry } from './keys/name-registry.ts'
import { memoize, type Wrapped } from './memoize/memoize.ts'
import type {
  CallArguments,
  ContextParameters,
  ContextWrapOptions,
  WrapOptions,
} from './memoize/memoize-options.ts'
import type { ExpireTagsOptions, InvalidationOptions } from './writing/invalidation-options.ts'
import { NamespaceWrites } from './writing/namespace-writes.ts'

/**
 * A namespace whose values stay in this process (`store: 'local'`): functions, compiled templates, keys, sockets. They are
 * never serialized and never sent to Redis, and are handed out as they are, neither frozen nor copied. Each process loads its
 * own; callers within it share a load.
 *
 * They are invalidated in all processes all the same. Redis holds a generation for each key, beside those of tags and
 * namespaces: {@link delete} and {@link set} give the key another one. A load captures all of them before it runs, and its
 * value is kept only if none was replaced meanwhile.
 *
 * While Redis is away, nothing is served beyond `coherence.trust`; loaders are called, and nothing is kept.
 */
export class LocalNamespace extends EntryReads<'share'> {
  readonly #parts: CacheParts
  readonly #names: NameRegistry
  readonly #writes: HeldWrites
  readonly #tags: Pick<NamespaceWrites, 'invalidateTags' | 'expireTags'>

  /** @internal */
  constructor(parts: CacheParts) {
    super(parts)
    this.#parts = parts
    this.#names = parts.names.under(parts.space.prefix)
    this.#writes = new HeldWrites(parts)
    this.#tags = new NamespaceWrites(parts)
  }

  /** @internal */
  get [NAMES](): NameRegistry {
    return this.#names
  }

  /**
   * Puts a value in the place of what this process holds, and has every other process drop what it holds. A load that is
   * under way in any process will not be kept. Two round trips; one if this process knows the generations of its tags.
   * @returns whether Redis has acknowledged it. After `false` the key is a miss in this process, and the others are told as
   * soon as Redis can be reached
   * @throws CacheError `CACHE_INVALID_VALUE` for `undefined`, and other programming mistakes
   */
  set(key: string, value: unknown, options: EntryOptions | Duration = {}): Promise<boolean> {
    return this.#acknowledged('set', key, () => this.#writes.set(key, value, options))
  }

  /**
   * Has every process drop its value. A load that is under way in any of them will not be kept. One round trip.
   * @returns whether Redis has acknowledged it, whoever had a value; if not, it is delivered later
   */
  delete(key: string, options: InvalidationOptions = {}): Promise<boolean> {
    return this.#acknowledged('delete', key, () => this.#writes.remove([key], options))
  }

  /** As {@link delete}, for several keys: whether Redis has acknowledged all of it. They travel together. */
  deleteMany(keys: Iterable<string>, options: InvalidationOptions = {}): Promise<boolean> {
    return this.#acknowledged('deleteMany', undefined, () => this.#writes.remove(keys, options))
  }

  /**
   * Makes the values of a key stale in every process: each serves its own within its stale windows while it loads the next
   * one. One round trip; the answer is that of {@link delete}.
   */
  expire(key: string, options: InvalidationOptions = {}): Promise<boolean> {
    return this.#acknowledged('expire', key, () => this.#writes.expire(key, options))
  }

  /** Has every process drop its values with one of these tags, at most 64. One round trip; the answer is that of {@link delete}. */
  invalidateTags(tags: readonly string[], options: InvalidationOptions = {}): Promise<boolean> {
    return this.#acknowledged('invalidateTags', undefined, () => this.#tags.invalidateTags(tags, options))
  }

  /** Makes the values with one of these tags stale in every process, as `expireTags` of the cache does. */
  expireTags(tags: readonly string[], options: ExpireTagsOptions = {}): Promise<boolean> {
    return this.#acknowledged('expireTags', undefined, () => this.#tags.expireTags(tags, options))
  }

  /** Has every process drop all of its values in this namespace. One command; the answer is that of {@link delete}. */
  clear(options: InvalidationOptions = {}): Promise<boolean> {
    return this.#acknowledged('clear', undefined, () => this.#writes.clear(options))
  }

  /** Rejects: a slot stores its value in Redis. @throws CacheError `CACHE_INVALID_ARGUMENT` */
  override reserve(): Promise<never> {
    const message = "A namespace with store: 'local' has no slots: use getOrSet, or set"
    return Promise.reject(new CacheError('CACHE_INVALID_ARGUMENT', message, { operation: 'reserve' }))
  }

  /** As `explain` of the cache. What it tells of Redis are the generations: no value lies there. */
  async explain(key: string, options: ExplainOptions = {}): Promise<Explanation> {
    return explain(this.#parts, key, options)
  }

  /** Counts of what happened in this namespace, and what it holds. No round trip. */
  stats(): NamespaceStats {
    const { core, space } = this.#parts
    return core.statsWithin(space.namePrefix)
  }

  /** As `wrap` of the cache. */
  wrap<Parameters extends ContextParameters, Result>(
    fn: (...args: Parameters) => Promise<Result> | Result,
    options: ContextWrapOptions<CallArguments<Parameters>, Exclude<Result, undefined>>,
  ): Wrapped<CallArguments<Parameters>, Result>
  wrap<Args extends readonly unknown[], Result>(
    fn: (...args: Args) => Promise<Result> | Result,
    options?: WrapOptions<Args, Exclude<Result, undefined>>,
  ): Wrapped<Args, Result>
  wrap(fn: (...args: never) => unknown, options?: object): Wrapped<readonly unknown[], unknown> {
    return memoize(this, this.#names, fn, options)
  }

  #acknowledged(operation: string, key: string | undefined, work: () => Promise<void>): Promise<boolean> {
    return this.#parts.monitor.absorb(operation, key, false, () => work().then(() => true))
  }
}

/** Whether options make a namespace whose values stay in this process. */
export function isHeld(options: object): options is LocalNamespaceOptions {
  return (options as Partial<LocalNamespaceOptions> | null)?.store !== undefined
}

/**
 * A namespace whose values stay in this process. The same name and policies give the same object.
 * @throws CacheError as `Namespace.namespace`; `CACHE_INVALID_OPTIONS` if it has other room, or another `dispose`
 */
export function localNamespace(
  parts: CacheParts,
  name: string,
  options: LocalNamespaceOptions,
): LocalNamespace {
  const { core, namespaces, policies: around, space } = parts
  const held = resolveHeld(options)
  core.calls.check(options, LOCAL_NAMESPACE_OPTIONS)
  const policies = { ...resolvePolicies(options, around), verifySample: 0 }
  const inner = new HeldSpace(space, name, () => core.tier.generationCopies.length > 1)
  const monitor = new Monitor(core, inner)
  claimHeld(core, inner, held, monitor)
  const policiesId = idOfPolicies(policies)
  const id = `local ${policiesId} ${inner.prefix}`
  const known = namespaces.get(id)
  if (known !== undefined) return known as LocalNamespace
  const namespace = new LocalNamespace({ ...parts, space: inner, monitor, policies, policiesId })
  namespaces.set(id, namespace)
  return namespace
}
