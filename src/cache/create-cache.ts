import { internalsOf } from '../backend/backend-internals.ts'
import type { CacheBackend } from '../contract/cache-backend.ts'
import { CacheError } from '../foundation/cache-error.ts'
import { type Clock, SYSTEM_CLOCK, SYSTEM_TIMERS, type Timers } from '../foundation/clock.ts'
import type { Duration } from '../foundation/duration.ts'
import { MemoryCacheBackend } from '../memory/memory-cache-backend.ts'
import { RedisCacheBackend, type RedisCacheBackendOptions } from '../redis/redis-cache-backend.ts'
import { assembleCache } from './assemble-cache.ts'
import type { Cache } from './cache.ts'
import { type ReadThroughOptions, resolveReadThrough } from './core/read-through-options.ts'

/** Options of {@link createCache}. At most one of `redis`, `client` and `backend` may be given. */
export interface CreateCacheOptions extends ReadThroughOptions {
  /**
   * Where Redis is: a URL, or what {@link RedisCacheBackend} takes for a cluster or Sentinel. `undefined` = the data
   * lies in this process alone.
   */
  readonly redis?:
    | string
    | Pick<RedisCacheBackendOptions, 'url' | 'cluster' | 'sentinel' | 'clientOptions'>
    | undefined
  /** A ready client of `@redis/client` or `ioredis`: used as it is and never closed. Kept coherent by the bus. */
  readonly client?: RedisCacheBackendOptions['client']
  /** A backend of this library: opened if need be, never closed. Its prefix, serializer and encryption are the cache's. */
  readonly backend?: CacheBackend | undefined
  /** How long a command may take. @default CACHEWRIGHT_TIMEOUT, then `'1s'` */
  readonly timeout?: Duration | undefined
  /** How long connecting may take. @default '5s' */
  readonly connectTimeout?: Duration | undefined
  /**
   * For tests that advance time without sleeping: a `ManualClock` of `cachewright/testing`. A clock that can also wake
   * us later (`after`) rules every delay of the cache; with another one the delays are the system's. Over Redis it
   * rules this process alone: the server expires keys by its own clock, and commands time out in real time.
   * @default the system's monotonic clock and timers
   */
  readonly clock?: (Clock & Partial<Timers>) | undefined
}

/**
 * A read-through {@link Cache}. It connects with its first operation; a Redis that is away is asked again until it
 * answers, and meanwhile loaders are called.
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
    timers: hasTimers(clock) ? clock : SYSTEM_TIMERS,
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
  // A variable that is set but empty names no Redis.
  if (typeof redis === 'string' && redis !== '') return new RedisCacheBackend({ ...common, url: redis })
  if (typeof redis === 'object') return new RedisCacheBackend({ ...common, ...redis })
  const { maxBytes, maxEntries } = local === false ? {} : (local ?? {})
  return new MemoryCacheBackend({ ...common, maxBytes, maxEntries, clock })
}
