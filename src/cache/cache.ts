import type { PresentCoherence } from '../backend/seams/shared-tier.ts'
import type { ReadThroughEvents } from '../contract/cache-events.ts'
import type { Unsubscribe } from '../foundation/event-hub.ts'
import type { CacheParts } from './cache-parts.ts'
import type { CacheCore } from './core/cache-core.ts'
import type { Isolation } from './local/isolation.ts'
import { type CacheStats, statsOf } from './monitoring/stats.ts'
import { Namespace } from './namespace.ts'
import type { CircuitState } from './outage/circuit-breaker.ts'

/**
 * A read-through cache: a tier of decoded values in this process, coherent with those of other processes, above a tier
 * that all processes share. {@link createCache} makes it. The cache and its namespaces share one connection and one
 * local tier.
 *
 * **Coherence.** A write or an invalidation is *acknowledged* when Redis has executed it. From then on nothing that was
 * loaded before is stored any more. What other processes hold (local copies, the generations of tags) is given up when the
 * news arrives: within a round trip in the modes `'tracking'` and `'bus'`, within `local.ttl` in mode `'ttl'`, and in any mode
 * within `coherence.trust` if the network drops everything. `get(key, { local: false })` does not depend on news: it is never
 * older than what was acknowledged before its call. In its own process a write counts from its call on. {@link coherence} is
 * the mode in force.
 *
 * **Failure.** An unreachable Redis never fails a `getOrSet`: its loader is called, at most once per key and process at
 * a time, and nothing is stored. The same holds for `refresh`, `getOrSetMany`, wrapped functions and collections; `reserve`
 * answers a slot that stores nothing, and `explain` says what it could not find out. Other operations emit an `error` event,
 * and then answer a miss, `false` or `0` (`errors: 'absorb'`), or reject (`'throw'`); counters always reject. A value larger than `maxValueBytes` is such a failure
 * of a write, and so is a walk that its signal has ended (`CACHE_ABORTED`). A deletion or an invalidation that Redis did not
 * acknowledge is kept, and `stats().undelivered` counts it; this process delivers it before it reads or writes anything
 * that it affects; until then it is a miss here. A *programming mistake* always rejects (`peek` throws): an invalid key, tag,
 * duration, option or argument, or a value that the serializer cannot represent, also one that a loader returns.
 *
 * **Tags** are texts of up to 64 KiB, as keys are, and belong to one namespace: a tag of the cache is none of its
 * namespaces', and the other way round. The entries of a collection have the tags of the namespace that it was made in.
 */
export class Cache<Isolate extends Isolation = 'freeze'> extends Namespace<Isolate> {
  readonly #parts: CacheParts
  readonly #core: CacheCore

  /** @internal */
  constructor(parts: CacheParts) {
    super(parts)
    this.#parts = parts
    this.#core = parts.core
  }

  /**
   * The mode in which local tiers learn of changes at this moment; `'none'` before Redis is reached and during an
   * outage. A cache on the bus begins with `'ttl'`, for half a second if it is the first one there: until then other
   * processes may not know yet that somebody listens.
   */
  get coherence(): PresentCoherence {
    return this.#core.coherence
  }

  /**
   * A token that stands for all that Redis had acknowledged when this was called: writes, deletions, invalidations, changes,
   * those of other processes too. Give it to a reader as `atLeast`, in another process or a later request: it is never
   * answered with anything older, and still served from its own memory if that process has heard of all of it. One round
   * trip to each server.
   *
   * It has letters, digits, `-`, `_` and `.` alone: about 20 characters for each server. It serves a few seconds; after
   * `coherence.trust` every process has heard of it, or serves nothing local.
   * @returns the empty text after a failure, and without a connection: as `atLeast` that asks Redis
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * const cache = createCache({ redis: process.env.REDIS_URL, prefix: 'shop:' })
   * await cache.delete('user:1')
   * const token = await cache.mark() // into a cookie that lives for ten seconds
   * const user = await cache.getOrSet('user:1', async () => ({ name: 'Ada' }), { atLeast: token })
   * console.log(user.name)
   * ```
   */
  mark(): Promise<string> {
    return this.#core.policy.absorb('mark', undefined, '', () => this.#core.tier.mark())
  }

  /**
   * The state of the circuit breaker: `'open'` while no commands are sent to Redis, or to some node of a cluster. Five
   * commands in a row that were not answered open it for a second; calls then go on at once without Redis.
   */
  get circuit(): CircuitState {
    return this.#core.breakers.state
  }

  /**
   * Connects. You need not call it: the first operation connects too, and continues without Redis if that fails or takes
   * longer than `connectTimeout`; later operations do not wait then.
   * @throws CacheError if Redis cannot be reached, with the codes of {@link CacheBackend.initialize}; `CACHE_CLOSED` after
   * `shutdown()`
   */
  initialize(): Promise<void> {
    return this.#parts.lifecycle.initialize()
  }

  /**
   * Sends undelivered invalidations once more, waits up to `shutdown.drain` for that and for the work in the background,
   * aborts the rest, gives back all leases, and closes what the cache opened, for good; a `backend` or `client` that was
   * passed stays open. Invalidations that Redis has not acknowledged by then are lost, and an `error` event tells how many
   * (`operation: 'shutdown'`, `CACHE_UNAVAILABLE`). Afterwards every call that loads (`getOrSet`, `refresh`, wrapped functions, collections) still calls its loader,
   * and other operations fail with `CACHE_CLOSED`: they answer a miss, `false` or `0`, or reject, as the failure mode says;
   * counters reject. Idempotent; never rejects.
   */
  shutdown(): Promise<void> {
    return this.#parts.lifecycle.shutdown()
  }

  /** As {@link shutdown}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  /**
   * Subscribes to an event of this cache and its namespaces, and returns a function that ends the subscription. Listeners
   * are called synchronously; what one throws is logged. Nothing throws if an `error` event has no listener.
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * const cache = createCache()
   * const end = cache.on('error', ({ error, namespace, operation }) => {
   *   console.warn(error.code, operation, namespace)
   * })
   * end()
   * ```
   */
  on<Name extends keyof ReadThroughEvents>(
    event: Name,
    listener: (payload: ReadThroughEvents[Name]) => void,
  ): Unsubscribe {
    return this.#core.policy.events.on(event, listener)
  }

  /**
   * Counts of what happened in this cache, its namespaces and its collections, and their present state. No round trip.
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * const cache = createCache()
   * const { lastMinute, local, undelivered } = cache.stats()
   * console.log(`${lastMinute.localHits} hits here, ${lastMinute.sharedHits} in Redis, ${lastMinute.misses} misses`)
   * console.log(`${local.bytes} bytes here, ${undelivered} invalidations that Redis has not acknowledged`)
   * ```
   */
  override stats(): CacheStats {
    return statsOf(this.#core, this.#parts.flights, this.#parts.verification)
  }

  /**
   * Resolves when the work in the background has ended: refreshes, verifications, and the reclaim after a `clear()`. It
   * does not wait for calls that were not awaited, or for undelivered invalidations. Nothing bounds it; never rejects.
   */
  idle(): Promise<void> {
    return this.#core.background.idle()
  }
}
