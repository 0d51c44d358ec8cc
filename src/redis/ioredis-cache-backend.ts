import { type BackendOptions, resolveBackendOptions } from '../backend/backend-options.ts'
import { StoreBackend } from '../backend/store-backend.ts'
import { CacheError } from '../foundation/cache-error.ts'
import type { Duration } from '../foundation/duration.ts'
import { readEnvironment } from '../foundation/environment.ts'
import { type IoredisClient, type IoredisCluster, isIoredis } from './ioredis/client.ts'
import { IoredisPort } from './ioredis/port.ts'
import { DeadlinePort } from './port/deadline-port.ts'
import { resolveTimeouts } from './port/redis-timeouts.ts'
import { RedisStore } from './store/redis-store.ts'

export type { IoredisClient, IoredisCluster, IoredisConnection, IoredisNatMap } from './ioredis/client.ts'
export type { RedisArgument } from './port/redis-port.ts'

/** Options of {@link IoredisCacheBackend}. */
export interface IoredisCacheBackendOptions extends BackendOptions {
  /** A `Redis` or `Cluster` of `ioredis` 5 or 6; used as it is and never closed. It must have no `keyPrefix`. */
  readonly client: IoredisClient | IoredisCluster
  /**
   * How long a command may take; when it is over the call settles, whatever Redis does.
   * @default CACHEWRIGHT_TIMEOUT, then `'1s'`
   */
  readonly timeout?: Duration | undefined
}

/**
 * The cache over a caller's own `ioredis`, for a program that has one already: this door does not load
 * `@redis/client`. Counters use a second connection, which never resends and is closed by `shutdown()`.
 *
 * @example
 * ```ts
 * import { IoredisCacheBackend } from 'cachewright/ioredis'
 * import { Redis } from 'ioredis'
 *
 * const redis = new Redis('redis://localhost:6379')
 * const backend = new IoredisCacheBackend<number>({ client: redis })
 * await backend.initialize()
 * ```
 */
export class IoredisCacheBackend<T = unknown> extends StoreBackend<T> {
  /** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION` */
  constructor(options: IoredisCacheBackendOptions) {
    if (typeof options?.client !== 'object' || options.client === null || !isIoredis(options.client)) {
      throw new CacheError('CACHE_INVALID_OPTIONS', 'client must be a Redis or Cluster of ioredis')
    }
    const environment = readEnvironment()
    const { connectTimeoutMs, timeoutMs } = resolveTimeouts(options, environment)
    const port = new DeadlinePort(new IoredisPort(options.client), timeoutMs, connectTimeoutMs)
    super(resolveBackendOptions(options, environment), () => new RedisStore(port))
  }
}
