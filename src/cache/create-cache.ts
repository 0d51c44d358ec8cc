import { internalsOf } from '../backend/assembly/backend-internals.ts'
import type { CacheBackend } from '../contract/cache-backend.ts'
import { CacheError } from '../foundation/cache-error.ts'
import { type Clock, HOLDING_TIMERS, SYSTEM_CLOCK, SYSTEM_TIMERS, type Timers } from '../foundation/clock.ts'
import type { Duration } from '../foundation/duration.ts'
import { MemoryCacheBackend } from '../memory/memory-cache-backend.ts'
import { RedisCacheBackend, type RedisCacheBackendOptions } from '../redis/redis-cache-backend.ts'
import { assembleCache } from './assemble-cache.ts'
import type { Cache } from './cache.ts'
import { type ReadThroughOptions, resolveReadThrough } from './core/read-through-options.ts'

/** Options of {@link createCache}. At most one of `redis`, `client` and `backend` may be given. */
export interface CreateCacheOptions extends ReadThroughOptions {
  /**
   * The address of Redis: a URL, or the options of {@link RedisCacheBackend} for a cluster or Sentinel. `undefined`
   * keeps the data in this process alone.
   */
  readonly redis?:
    | string
    | Pick<RedisCacheBackendOptions, 'url' | 'cluster' | 'sentinel' | 'clientOptions'>
    | undefined
  /** A ready client of `@redis/client` or `ioredis`. It is used as it is and never closed; its mode is `'bus'`. */
  readonly client?: RedisCacheBackendOptions['client']
  /**
   * A backend of this library, which may be in use. It serves one cache at a time: it is opened if necessary and never
   * closed, and `shutdown()` gives it back. The cache takes its prefix, serializer and encryption.
   */
  readonly backend?: CacheBackend | undefined
  /** The deadline of a command. @default CACHEWRIGHT_TIMEOUT, then `'1s'` */
  readonly timeout?: Duration | undefined
  /** The deadline of an attempt to connect. @default '5s' */
  readonly connectTimeout?: Duration | undefined
  /**
   * `true` lets a process end while it is connected, as a short script needs that does not call `shutdown()`. What is
   * awaited keeps the process alive; work in the background does not, such as the refresh of a stale value or an
   * invalidation that Redis has not acknowledged. With `backend`, give it to the backend; a `client` is up to its owner.
   * @default false
   */
  readonly unref?: boolean | undefined
  /**
   * A clock for tests that advance time without sleeping: a `ManualClock` of `cachewright/testing`. If it has timers
   * (`after`), they time every delay of the cache; otherwise delays take real time. Over Redis it affects this process
   * alone: the server expires keys by its own clock, and commands time out in real time.
   * @default the system's monotonic clock and timers
   */
  readonly clock?: (Clock & Partial<Timers>) | undefined
}

/**
 * Creates a read-through {@link Cache}. It connects with its first operation. While Redis cannot be reached, it tries
 * again in the background and calls loaders.
 *
 * @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION`
 * @example
 * ```ts
 * import { createCache } from 'cachewright'
 *
 * const cache = createCache({ redis: 'redis://localhost:6379', prefix: 'shop:', ttl: '5m' })
 * const price = await cache.getOrSet('price:42', async () => 9.5)
 * await cache.delete('price:42')
 * await cache.shutdown()
 * ```
 */
export function createCache(options: CreateCacheOptions = {}): Cache {
  const { backend: given, clock = SYSTEM_CLOCK } = options
  if (given !== undefined && options.encryption !== undefined) {
    throw new CacheError('CACHE_INVALID_OPTIONS', 'Give encryption to the backend: it is what encrypts')
  }
  if (given !== undefined && options.unref) {
    throw new CacheError('CACHE_INVALID_OPTIONS', 'Give unref to the backend: it is what connects')
  }
  const backend = given ?? createBackend(options)
  const parts = internalsOf(backend)
  if (parts === undefined) {
    throw new CacheError('CACHE_INVALID_OPTIONS', 'backend must be one of the backends of this library')
  }
  const resolved = resolveReadThrough(options, parts.options.defaultTtlMs)
  const tier = parts.share({
    coherence: resolved.coherence,
    prefix: parts.options.prefix,
    localTtlMs: resolved.localTtlMs,
    trustMs: resolved.trustMs,
    clock,
  })
  return assembleCache({
    ...{ backend, clock, parts, tier },
    options: resolved,
    isOwnBackend: given === undefined,
    timers: hasTimers(clock) ? clock : parts.options.isUnref ? HOLDING_TIMERS : SYSTEM_TIMERS,
  })
}

function hasTimers(clock: Clock & Partial<Timers>): clock is Clock & Timers {
  return clock.after !== undefined
}

function createBackend(options: CreateCacheOptions): CacheBackend {
  const { client, clock, local, redis, ttl, ...rest } = options
  if (client !== undefined && redis !== undefined) {
    throw new CacheError('CACHE_INVALID_OPTIONS', 'Give only one of redis, client and backend')
  }
  const common = { ...rest, defaultTtl: ttl }
  if (client !== undefined) return new RedisCacheBackend({ ...common, client })
  // The text is empty if it comes from an environment variable that is set but empty.
  if (typeof redis === 'string' && redis !== '') return new RedisCacheBackend({ ...common, url: redis })
  if (typeof redis === 'object') return new RedisCacheBackend({ ...common, ...redis })
  const { maxBytes, maxEntries } = local === false ? {} : (local ?? {})
  return new MemoryCacheBackend({ ...common, maxBytes, maxEntries, clock })
}
