/**
 * Redis and Valkey as a backend over a client of `ioredis`: {@link IoredisCacheBackend}. It is what `cachewright/redis`
 * makes of such a client, without loading `@redis/client`.
 * @module cachewright/ioredis
 */
import {
  BACKEND_OPTIONS,
  type BackendOptions,
  INSTEAD_OF_BACKEND_OPTIONS,
  resolveBackendOptions,
} from '../backend/assembly/backend-options.ts'
import { StoreBackend } from '../backend/store-backend.ts'
import { readEnvironment } from '../foundation/environment.ts'
import { kindOf } from '../foundation/errors/shown-value.ts'
import { invalidOptions, type KnownOptions, type OptionNames } from '../foundation/option-checks.ts'
import type { Duration } from '../foundation/time/duration.ts'
import { type IoredisClient, type IoredisCluster, isIoredis } from './ioredis/client.ts'
import { IoredisPort } from './ioredis/port.ts'
import { DeadlinePort } from './port/deadline-port.ts'
import { resolveTimeouts } from './port/redis-timeouts.ts'
import { RedisStore } from './store/redis-store.ts'

export type { IoredisClient, IoredisCluster, IoredisConnection, IoredisNatMap } from './ioredis/client.ts'
export type { RedisArgument } from './port/redis-port.ts'

/** Options of {@link IoredisCacheBackend}. */
export interface IoredisCacheBackendOptions extends BackendOptions {
  /**
   * A `Redis` or `Cluster` of `ioredis` 5 or 6, of a primary and without a `keyPrefix`. Its address, credentials and
   * database are used. It is never closed.
   */
  readonly client: IoredisClient | IoredisCluster
  /**
   * The deadline of a command, in seconds or with a unit (`'250ms'`). A call settles by then, whatever Redis does; the first
   * ones wait for the connection before. A command that is sent again, and commands that are sent together, share one deadline. A call that sends commands one
   * after another ends with the first that is not answered: see "Deadlines" in docs/operations.md.
   * @default CACHEWRIGHT_COMMAND_TIMEOUT, then `'1s'`
   */
  readonly commandTimeout?: Duration | undefined
  /**
   * The deadline of `initialize()`, in seconds or with a unit, for which the first operations wait, too.
   * @default '5s'
   */
  readonly connectTimeout?: Duration | undefined
}

const KNOWN: KnownOptions = {
  of: 'IoredisCacheBackend',
  names: {
    ...BACKEND_OPTIONS,
    client: 'value',
    commandTimeout: 'duration',
    connectTimeout: 'duration',
  } satisfies OptionNames<IoredisCacheBackendOptions>,
  instead: {
    ...INSTEAD_OF_BACKEND_OPTIONS,
    redis: "its name here is 'client'",
    timeout: "its name here is 'commandTimeout'",
  },
}

/**
 * A cache backend over a caller's own `ioredis` client, for a program that has one already. This entry point does not
 * load `@redis/client`.
 *
 * Commands use connections of this library's own, made like the client's: one to the server, or to each master of a
 * cluster. They never resend a command, so a counter never counts twice, and keep the order of commands over one key.
 * Backends over one client share them, and the last `shutdown()` closes them.
 *
 * @example
 * ```ts
 * import { IoredisCacheBackend } from 'cachewright/ioredis'
 * import { Redis } from 'ioredis'
 *
 * const redis = new Redis('redis://localhost:6379')
 * const backend = new IoredisCacheBackend<number>({ client: redis })
 * await backend.set('visits', 1)
 * ```
 */
export class IoredisCacheBackend<T = unknown> extends StoreBackend<T> {
  /** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION` */
  constructor(options: IoredisCacheBackendOptions) {
    const environment = readEnvironment()
    const resolved = resolveBackendOptions(options, KNOWN, environment)
    if (typeof options.client !== 'object' || !isIoredis(options.client)) {
      throw invalidOptions(`client must be a Redis or Cluster of ioredis, not ${kindOf(options.client)}`)
    }
    const timeouts = resolveTimeouts(options, environment)
    const port = new DeadlinePort(
      new IoredisPort(options.client, timeouts),
      timeouts.commandTimeoutMs,
      timeouts.connectTimeoutMs,
    )
    super(resolved, () => new RedisStore(port))
  }
}
