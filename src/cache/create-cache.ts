import { internalsOf } from '../backend/assembly/backend-internals.ts'
import type { CacheBackend } from '../contract/cache-backend.ts'
import { type Clock, HOLDING_TIMERS, SYSTEM_CLOCK, SYSTEM_TIMERS, type Timers } from '../foundation/clock.ts'
import { type Duration, parseDuration } from '../foundation/duration.ts'
import {
  assertOptions,
  checkedClock,
  invalidOptions,
  type KnownOptions,
  type OptionNames,
  refuseGiven,
} from '../foundation/option-checks.ts'
import { MemoryCacheBackend } from '../memory/memory-cache-backend.ts'
import { INSTEAD_OF_ADDRESS_PARTS } from '../redis/node-redis/options.ts'
import { RedisCacheBackend, type RedisCacheBackendOptions } from '../redis/redis-cache-backend.ts'
import { assembleCache } from './assemble-cache.ts'
import type { Cache } from './cache.ts'
import {
  READ_THROUGH_NAMES,
  type ReadThroughOptions,
  resolveReadThrough,
} from './core/read-through-options.ts'

/** The address of Redis, if it is more than a URL. */
type RedisAddressOptions = Pick<RedisCacheBackendOptions, 'url' | 'cluster' | 'sentinel' | 'clientOptions'>

/** Options of {@link createCache}. At most one of `redis`, `client` and `backend` may be given. */
export interface CreateCacheOptions extends ReadThroughOptions {
  /**
   * The address of Redis: a URL, or the options of {@link RedisCacheBackend} for a cluster or Sentinel. `undefined`
   * keeps the data in this process alone.
   */
  readonly redis?: string | RedisAddressOptions | undefined
  /** A ready client of `@redis/client` or `ioredis`. It is used as it is and never closed; its mode is `'bus'`. */
  readonly client?: RedisCacheBackendOptions['client']
  /**
   * A backend of this library, which may be in use. It serves one cache at a time: it is opened if necessary and never
   * closed, and `shutdown()` gives it back. What a backend decides is given to it, and refused here: prefix,
   * serializer, encryption, timeouts, `unref`, failure mode and logger.
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

/** The options that go to the backend. `ttl` becomes its `defaultTtl`. */
const OF_THE_BACKEND = [
  ...['prefix', 'serializer', 'readers', 'compression', 'encryption', 'maxValueBytes', 'errors', 'logger'],
  ...['timeout', 'connectTimeout', 'unref'],
] as const

const REDIS_OPTIONS: KnownOptions = {
  of: 'redis',
  names: {
    url: 'value',
    cluster: 'value',
    sentinel: 'value',
    clientOptions: 'value',
  } satisfies OptionNames<RedisAddressOptions>,
  instead: { ...INSTEAD_OF_ADDRESS_PARTS, nodes: 'write redis: { cluster: { nodes } }' },
}

const KNOWN: KnownOptions = {
  of: 'createCache',
  names: {
    redis: 'value',
    client: 'value',
    backend: 'value',
    ...READ_THROUGH_NAMES,
    timeout: 'duration',
    connectTimeout: 'duration',
    unref: 'value',
    clock: 'value',
  } satisfies OptionNames<CreateCacheOptions>,
  instead: {
    ...INSTEAD_OF_ADDRESS_PARTS,
    url: "its name here is 'redis'",
    cluster: 'write redis: { cluster }',
    sentinel: 'write redis: { sentinel }',
    clientOptions: 'write redis: { url, clientOptions }',
    defaultTtl: "its name here is 'ttl'",
    maxEntries: 'write local: { maxEntries }',
    maxBytes: 'write local: { maxBytes }',
  },
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
  assertOptions(options, KNOWN)
  const { backend: given } = options
  const clock = checkedClock(options.clock ?? SYSTEM_CLOCK)
  const sources = [options.redis || undefined, options.client, given].filter((one) => one !== undefined)
  if (sources.length > 1) throw invalidOptions('Give only one of redis, client and backend')
  if (given !== undefined) {
    refuseGiven(options, OF_THE_BACKEND, 'is decided by the backend that was passed: give it to that one')
  }
  const backend = given ?? createBackend(options)
  const parts = internalsOf(backend)
  if (parts === undefined) throw invalidOptions('backend must be one of the backends of this library')
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
  const { client, clock, local, redis, ttl } = options
  // The backend would call it by the name that it has there.
  if (ttl !== undefined) parseDuration(ttl, 'ttl')
  const common = {
    ...Object.fromEntries(OF_THE_BACKEND.map((name) => [name, options[name]])),
    defaultTtl: ttl,
  } as Pick<CreateCacheOptions, (typeof OF_THE_BACKEND)[number]> & { readonly defaultTtl: typeof ttl }
  if (client !== undefined) return new RedisCacheBackend({ ...common, client })
  // The text is empty if it comes from an environment variable that is set but empty.
  if (redis !== undefined && redis !== '') return new RedisCacheBackend({ ...common, ...addressOf(redis) })
  const { timeout: _, connectTimeout: __, unref: ___, ...kept } = common
  const { maxBytes, maxEntries } = local === false ? {} : (local ?? {})
  return new MemoryCacheBackend({ ...kept, maxBytes, maxEntries, clock })
}

function addressOf(redis: string | RedisAddressOptions): RedisAddressOptions {
  if (typeof redis === 'string') return { url: redis }
  if (typeof redis !== 'object' || redis instanceof URL) {
    throw invalidOptions('redis must be the text of a URL, or an object as in { cluster: { nodes } }')
  }
  assertOptions(redis, REDIS_OPTIONS)
  return redis
}
