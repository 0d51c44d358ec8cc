/**
 * Redis and Valkey as a backend: {@link RedisCacheBackend}, over connections of its own or a client of yours. By itself
 * it is a typed key-value store with counters and sets. For loaders, a local tier and coherence give it to `createCache`,
 * or let that make one.
 * @module cachewright/redis
 */
import {
  BACKEND_OPTIONS,
  type BackendOptions,
  INSTEAD_OF_BACKEND_OPTIONS,
  resolveBackendOptions,
} from '../backend/assembly/backend-options.ts'
import type { FailurePolicy } from '../backend/assembly/failure-policy.ts'
import { StoreBackend } from '../backend/store-backend.ts'
import { readEnvironment } from '../foundation/environment.ts'
import { kindOf } from '../foundation/errors/shown-value.ts'
import {
  invalidOptions,
  type KnownOptions,
  type OptionNames,
  refuseGiven,
} from '../foundation/option-checks.ts'
import type { Duration } from '../foundation/time/duration.ts'
import { type ClusterOptions, NodeRedisCluster } from './cluster/cluster.ts'
import { type IoredisClient, type IoredisCluster, isIoredis } from './ioredis/client.ts'
import { IoredisPort } from './ioredis/port.ts'
import { BorrowedNodeRedisClient } from './node-redis/borrowed-client.ts'
import type { NodeRedisClient, NodeRedisClusterClient } from './node-redis/borrowed-connections.ts'
import { NodeRedisConnection } from './node-redis/connection.ts'
import {
  assertClientOptions,
  assertOneLogin,
  INSTEAD_OF_ADDRESS_PARTS,
  type NodeRedisOptions,
} from './node-redis/options.ts'
import { parseRedisUrl } from './node-redis/redis-address.ts'
import { type SentinelOptions, Sentinels } from './node-redis/sentinels.ts'
import { withTls } from './node-redis/tls.ts'
import { DeadlinePort } from './port/deadline-port.ts'
import type { RedisPort, RedisPortListener } from './port/redis-port.ts'
import { portListener, type ResolvedTimeouts, resolveTimeouts } from './port/redis-timeouts.ts'
import { RedisStore } from './store/redis-store.ts'

export type { ClusterOptions } from './cluster/cluster.ts'
export type { IoredisClient, IoredisCluster, IoredisConnection, IoredisNatMap } from './ioredis/client.ts'
export type { NodeRedisClient, NodeRedisClusterClient } from './node-redis/borrowed-connections.ts'
export type { NodeRedisOptions } from './node-redis/options.ts'
export type { NodeRedisCommandOptions } from './node-redis/replies.ts'
export type { SentinelOptions } from './node-redis/sentinels.ts'
export type { NodeRedisSubscriber } from './node-redis/subscription.ts'
export type { RedisArgument } from './port/redis-port.ts'
export type { NodeAddress, NodeAddressMap } from './slots/slot-map.ts'

/** A caller's own client or cluster: of `@redis/client` (or `redis`), connected, or of `ioredis`. */
export type RedisClient = NodeRedisClient | NodeRedisClusterClient | IoredisClient | IoredisCluster

/** Options of {@link RedisCacheBackend}. Give at most one of `url`, `cluster`, `sentinel` and `client`. */
export interface RedisCacheBackendOptions extends BackendOptions {
  /**
   * The URL of a single server: `redis://`, `rediss://` (TLS) or `unix://`; `valkey://` and `valkeys://` mean the same
   * as the first two. Percent-encode `/ ? # @ : %` in a user name or password.
   * @default REDIS_URL, then `'redis://127.0.0.1:6379'`
   */
  readonly url?: string | undefined
  /** A Redis Cluster. */
  readonly cluster?: ClusterOptions | undefined
  /** A primary that Sentinels monitor. */
  readonly sentinel?: SentinelOptions | undefined
  /**
   * A client of the caller's, which is never closed. Over `ioredis`, commands use connections of this library's own,
   * which are made like the client's.
   */
  readonly client?: RedisClient | undefined
  /** Passed on to `@redis/client` for every connection that this backend opens (`socket: { ca }`, `username`, …). */
  readonly clientOptions?: NodeRedisOptions | undefined
  /**
   * The deadline of a command, in seconds or with a unit (`'250ms'`). A call settles by then, whatever Redis does; the first
   * ones wait for the connection before. A command that is sent again, and commands that are sent together, share one deadline. A call that sends commands one
   * after another ends with the first that is not answered: see "Deadlines" in docs/operations.md.
   * @default CACHEWRIGHT_COMMAND_TIMEOUT, then `'1s'`
   */
  readonly commandTimeout?: Duration | undefined
  /**
   * The deadline of an attempt to connect, in seconds or with a unit, for which `initialize()` and the first operations
   * wait.
   * @default '5s'
   */
  readonly connectTimeout?: Duration | undefined
  /**
   * `true` lets a process end while it is connected, as a short script needs that does not call `shutdown()`. What is
   * awaited keeps the process alive: connecting, and every command until its reply or its deadline. Work in the
   * background does not. It is refused beside a `client`, whose owner decides: the connections that the library makes over
   * `ioredis` end with that client.
   * @default false
   */
  readonly unref?: boolean | undefined
}

const KNOWN: KnownOptions = {
  of: 'RedisCacheBackend',
  names: {
    ...BACKEND_OPTIONS,
    url: 'value',
    cluster: 'value',
    sentinel: 'value',
    client: 'value',
    clientOptions: 'value',
    commandTimeout: 'duration',
    connectTimeout: 'duration',
    unref: 'value',
  } satisfies OptionNames<RedisCacheBackendOptions>,
  instead: {
    ...INSTEAD_OF_BACKEND_OPTIONS,
    ...INSTEAD_OF_ADDRESS_PARTS,
    redis: "its name here is 'url'",
    timeout: "its name here is 'commandTimeout'",
    nodes: 'write cluster: { nodes } or sentinel: { name, nodes }',
  },
}

/**
 * A cache backend in Redis or Valkey (6.2 and later): a single server by URL, a Cluster, a primary behind Sentinels, or
 * a client of the caller's.
 *
 * A read or a write is one round trip. The `get`s of one tick share one MGET, and the counters of one tick a script (one
 * for each hash slot on a cluster). On a cluster every operation works across slots.
 *
 * @example
 * ```ts
 * import { RedisCacheBackend } from 'cachewright/redis'
 *
 * const backend = new RedisCacheBackend<{ name: string }>({ url: 'redis://localhost:6379', prefix: 'shop:' })
 * await backend.set('user:1', { name: 'Ada' }, '5m')
 * const user = await backend.get('user:1')
 * await backend.shutdown()
 * ```
 */
export class RedisCacheBackend<T = unknown> extends StoreBackend<T> {
  /** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION`; nothing is sent before the first operation */
  constructor(options: RedisCacheBackendOptions = {}) {
    const environment = readEnvironment()
    const resolved = resolveBackendOptions(options, KNOWN, environment)
    const timeouts = resolveTimeouts(options, environment)
    const { commandTimeoutMs, connectTimeoutMs, isUnref = false } = timeouts
    const openPort = portOpener(options, environment.url, timeouts)
    super(
      resolved,
      (policy: FailurePolicy) =>
        new RedisStore(
          new DeadlinePort(openPort(portListener(policy)), commandTimeoutMs, connectTimeoutMs, isUnref),
        ),
    )
  }
}

type PortOpener = (listener: RedisPortListener) => RedisPort

/** Checks the options at once, and returns a function that makes the port, which needs a listener. */
function portOpener(
  options: RedisCacheBackendOptions,
  environmentUrl: string | undefined,
  timeouts: ResolvedTimeouts,
): PortOpener {
  const { client, clientOptions = {}, cluster, sentinel, url } = options
  if ([client, cluster, sentinel, url].filter((choice) => choice !== undefined).length > 1) {
    throw invalidOptions('Give only one of url, cluster, sentinel and client')
  }
  assertClientOptions(clientOptions)
  if (client !== undefined) {
    refuseGiven(options, ['unref'], 'is up to the owner of client: call its own unref()')
    refuseGiven(options, ['clientOptions'], 'is of no use to a client that is made already')
    const port = borrowedPort(client, timeouts)
    return () => port
  }
  if (cluster !== undefined) {
    return (listener) => new NodeRedisCluster(cluster, clientOptions, timeouts, listener)
  }
  const common = { options: clientOptions, ...timeouts }
  if (sentinel !== undefined) {
    const sentinels = new Sentinels(sentinel, clientOptions, timeouts.isUnref ?? false)
    const settings = { ...common, locate: () => sentinels.locate(), sentinels }
    return (listener) => new NodeRedisConnection(settings, listener)
  }
  const [address] = withTls([parseRedisUrl(url ?? environmentUrl ?? 'redis://127.0.0.1:6379')], clientOptions)
  assertOneLogin([address], clientOptions)
  return (listener) => new NodeRedisConnection({ ...common, locate: async () => address }, listener)
}

function borrowedPort(client: RedisClient, timeouts: ResolvedTimeouts): RedisPort {
  if (typeof client === 'object' && client !== null) {
    if (isIoredis(client)) return new IoredisPort(client, timeouts)
    if ('sendCommand' in client && 'isOpen' in client) return new BorrowedNodeRedisClient(client)
  }
  throw invalidOptions(
    `client must be a client or cluster of @redis/client or ioredis, not ${kindOf(client)}`,
  )
}
