import { advise } from '../backend/assembly/advice.ts'
import { internalsOf } from '../backend/assembly/backend-internals.ts'
import { INSTEAD_OF_BACKEND_OPTIONS } from '../backend/assembly/backend-options.ts'
import { CallChecks } from '../backend/assembly/call-checks.ts'
import type { CacheBackend } from '../contract/cache-backend.ts'
import { SILENT_LOGGER } from '../contract/logger.ts'
import { type EnvironmentSettings, readEnvironment } from '../foundation/environment.ts'
import { kindOf } from '../foundation/errors/shown-value.ts'
import {
  assertOptions,
  checkedClock,
  invalidOptions,
  type KnownOptions,
  type OptionNames,
  refuseGiven,
} from '../foundation/option-checks.ts'
import { type Clock, SYSTEM_CLOCK, SYSTEM_TIMERS, type Timers } from '../foundation/time/clock.ts'
import type { Duration } from '../foundation/time/duration.ts'
import { MemoryCacheBackend } from '../memory/memory-cache-backend.ts'
import { CLUSTER_OPTIONS } from '../redis/cluster/cluster.ts'
import { INSTEAD_OF_ADDRESS_PARTS } from '../redis/node-redis/options.ts'
import { SENTINEL_OPTIONS } from '../redis/node-redis/sentinels.ts'
import { RedisCacheBackend, type RedisCacheBackendOptions } from '../redis/redis-cache-backend.ts'
import { assembleCache } from './assemble-cache.ts'
import type { Cache } from './cache.ts'
import { INSTEAD_OF_GROUPED } from './core/option-groups.ts'
import {
  READ_THROUGH_NAMES,
  type ReadThroughOptions,
  resolveReadThrough,
} from './core/read-through-options.ts'
import { parseTtl } from './freshness/policies.ts'
import type { Isolation } from './local/isolation.ts'

/** The address of Redis, if it is more than a URL. */
type RedisAddressOptions = Exclude<CreateCacheOptions['redis'], string | false | undefined>

/** Options of {@link createCache}. At most one of `redis`, `client` and `backend` may be given. */
export interface CreateCacheOptions<Isolate extends Isolation = Isolation>
  extends ReadThroughOptions<Isolate> {
  /**
   * The address of Redis: a URL, or the options of {@link RedisCacheBackend} for a cluster or Sentinel. `false` keeps
   * the data in this process alone.
   * @default REDIS_URL; where that is not set, this process alone, which is worth a warning if NODE_ENV is `production`
   */
  readonly redis?:
    | string
    | Pick<RedisCacheBackendOptions, 'url' | 'cluster' | 'sentinel' | 'clientOptions'>
    | false
    | undefined
  /**
   * A client of yours, of `@redis/client` (connected) or `ioredis`. It is never closed; its mode is `'bus'`. Over
   * `ioredis`, commands use a connection of the library's own, which is made like the client's.
   */
  readonly client?: RedisCacheBackendOptions['client']
  /**
   * A backend of this library, which may be in use. It serves one cache at a time: it is opened if necessary and never
   * closed, and `shutdown()` gives it back. What a backend decides is given to it, and refused here: `prefix`,
   * `serializer`, `readers`, `compression`, `encryption`, `maxValueBytes`, `errors`, `logger`, `commandTimeout`,
   * `connectTimeout` and `unref`. Its `ttl` is the default of the cache's. A backend of your own making is refused: it has
   * no leases and no generations.
   */
  readonly backend?: CacheBackend | undefined
  /** The deadline of a command, in seconds or with a unit (`'250ms'`). @default CACHEWRIGHT_COMMAND_TIMEOUT, then `'1s'` */
  readonly commandTimeout?: Duration | undefined
  /** The deadline of an attempt to connect, in seconds or with a unit. @default '5s' */
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

/** The options that go to the backend, beside `ttl`. */
const OF_THE_BACKEND = [
  ...['prefix', 'serializer', 'readers', 'compression', 'encryption', 'maxValueBytes', 'errors', 'logger'],
  ...['commandTimeout', 'connectTimeout', 'unref'],
] as const

const REDIS_OPTIONS: KnownOptions = {
  of: 'redis',
  names: {
    url: 'value',
    cluster: CLUSTER_OPTIONS,
    sentinel: SENTINEL_OPTIONS,
    clientOptions: 'value',
  } satisfies OptionNames<RedisAddressOptions>,
  instead: { ...INSTEAD_OF_ADDRESS_PARTS, nodes: 'write redis: { cluster: { nodes } }' },
}

/** What the options of {@link createCache} may contain. */
export const CREATE_CACHE_OPTIONS: KnownOptions = {
  of: 'createCache',
  names: {
    redis: REDIS_OPTIONS,
    client: 'value',
    backend: 'value',
    ...READ_THROUGH_NAMES,
    commandTimeout: 'duration',
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
    ...INSTEAD_OF_BACKEND_OPTIONS,
    timeout: 'write commandTimeout for the commands of Redis, softTimeout or hardTimeout for loaders',
    ...INSTEAD_OF_GROUPED,
  },
}

/**
 * Creates a read-through {@link Cache}. It connects with its first operation. While Redis cannot be reached, it tries
 * again in the background and calls loaders.
 *
 * The data is in the Redis that `redis`, `client` or `backend` names, else in that of the environment variable
 * `REDIS_URL`, else in the memory of this process.
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
export function createCache<Isolate extends Isolation = 'freeze'>(
  options: CreateCacheOptions<Isolate> = {},
): Cache<Isolate> {
  assertOptions(options, CREATE_CACHE_OPTIONS)
  const environment = readEnvironment()
  const { backend: given } = options
  const clock = checkedClock(options.clock ?? SYSTEM_CLOCK)
  const sources = [options.redis || undefined, options.client, given].filter((one) => one !== undefined)
  if (sources.length > 1) throw invalidOptions('Give only one of redis, client and backend')
  if (given !== undefined) {
    refuseGiven(options, OF_THE_BACKEND, 'is decided by the backend that was passed: give it to that one')
  }
  const logger = (given && internalsOf(given)?.options.logger) ?? options.logger ?? SILENT_LOGGER
  const checks = new CallChecks(environment.isProduction !== true, logger)
  checks.check(options, CREATE_CACHE_OPTIONS)
  const backend = given ?? createBackend(options, environment)
  const parts = internalsOf(backend)
  if (parts === undefined)
    throw invalidOptions(`backend must be one of the backends of this library, not ${kindOf(backend)}`)
  const resolved = resolveReadThrough(options, parts.options.defaultTtlMs, environment)
  const tier = parts.share({
    coherence: resolved.coherence,
    prefix: parts.options.prefix,
    localTtlMs: resolved.localTtlMs,
    trustMs: resolved.trustMs,
    clock,
  })
  return assembleCache<Isolate>({
    ...{ backend, clock, parts, tier },
    options: resolved,
    isOwnBackend: given === undefined,
    timers: hasTimers(clock) ? clock : SYSTEM_TIMERS,
  })
}

function hasTimers(clock: Clock & Partial<Timers>): clock is Clock & Timers {
  return clock.after !== undefined
}

function createBackend(options: CreateCacheOptions, environment: EnvironmentSettings): CacheBackend {
  const { client, clock, local, redis, ttl } = options
  // Its message tells of loaders too, of which a backend knows nothing.
  if (ttl !== undefined) parseTtl(ttl)
  const common = {
    ...Object.fromEntries(OF_THE_BACKEND.map((name) => [name, options[name]])),
    ttl,
  } as Pick<CreateCacheOptions, (typeof OF_THE_BACKEND)[number] | 'ttl'>
  if (client !== undefined) return new RedisCacheBackend({ ...common, client })
  // The text is empty if it comes from an environment variable that is set but empty.
  const address = redis === undefined || redis === '' ? environment.url : redis
  if (address !== undefined && address !== false) {
    return new RedisCacheBackend({ ...common, ...addressOf(address) })
  }
  if (environment.isProduction && address === undefined) {
    advise(
      options.logger ?? SILENT_LOGGER,
      'memory',
      'No Redis is configured, neither by the option redis nor by REDIS_URL: every process keeps a cache of its own. If that is meant, say redis: false',
    )
  }
  const { commandTimeout: _, connectTimeout: __, unref: ___, ...kept } = common
  const { maxBytes, maxEntries } = local === false ? {} : (local ?? {})
  return new MemoryCacheBackend({ ...kept, maxBytes, maxEntries, clock })
}

function addressOf(redis: string | RedisAddressOptions): RedisAddressOptions {
  if (typeof redis === 'string') return { url: redis }
  if (typeof redis !== 'object' || redis instanceof URL) {
    throw invalidOptions(
      `redis must be the text of a URL, or an object as in { cluster: { nodes } }, not ${kindOf(redis)}`,
    )
  }
  assertOptions(redis, REDIS_OPTIONS)
  return redis
}
