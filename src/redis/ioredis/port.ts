import { CacheError } from '../../foundation/cache-error.ts'
import { unavailable } from '../port/redis-errors.ts'
import type {
  ChannelListener,
  ChannelSubscription,
  PortConnection,
  PortWatch,
  RedisArgument,
  RedisNode,
  RedisPort,
  RedisReply,
  ReplyForm,
} from '../port/redis-port.ts'
import {
  callIoredis,
  fromIoredis,
  type IoredisClient,
  type IoredisCluster,
  isIoredisCluster,
} from './client.ts'
import { ClusterRoute } from './cluster-route.ts'
import { ClientRoute, type IoredisRoute } from './routes.ts'
import { subscribeLike } from './subscription.ts'

/**
 * A caller's own `ioredis` client or cluster: used as it is, and never closed.
 *
 * `ioredis` sends a command again whose reply was lost, so an INCR may count twice. What must not be executed
 * twice (EVALSHA) therefore travels on a connection of its own with resending off. On a cluster everything goes
 * straight to the node that owns the slot, since only the cluster above the nodes resends, and it also keeps
 * TRYAGAIN to itself until a deadline has passed.
 */
export class IoredisPort implements RedisPort {
  readonly isCluster: boolean
  readonly #route: IoredisRoute

  /** @throws CacheError `CACHE_INVALID_OPTIONS` */
  constructor(client: IoredisClient | IoredisCluster) {
    if (client.options.keyPrefix) {
      throw new CacheError(
        'CACHE_INVALID_OPTIONS',
        "The ioredis client has a keyPrefix: use this backend's prefix instead",
      )
    }
    this.isCluster = isIoredisCluster(client)
    this.#route = isIoredisCluster(client) ? new ClusterRoute(client) : new ClientRoute(client)
  }

  async connect(): Promise<void> {
    if (this.#route.isClosed) throw unavailable('the ioredis client that was passed has been closed')
    this.#route.attach()
  }

  async close(): Promise<void> {
    this.#route.close()
  }

  drop(): void {
    this.#route.close()
  }

  suspect(): void {}

  outOfStep(): void {
    this.#route.reconnect()
  }

  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    return this.#route.send(storedKey, command, form)
  }

  translate(error: unknown): CacheError {
    return fromIoredis(error)
  }

  async masters(): Promise<readonly RedisNode[]> {
    const connections = this.#route.connections()
    if (connections.length === 0) throw unavailable('the cluster is not connected')
    return connections.map((connection) => ({
      send: (command, form) => callIoredis(connection, command, form),
      suspect() {},
    }))
  }

  watch(watch: PortWatch): void {
    this.#route.watch(watch)
  }

  connectionOf(storedKey: string): PortConnection | undefined {
    return this.#route.connectionOf(storedKey)
  }

  async subscribe(channel: string, listener: ChannelListener): Promise<ChannelSubscription> {
    const nodes = this.#route.connections()
    const node = nodes.find(({ status }) => status === 'ready') ?? nodes[0]
    if (node === undefined) throw unavailable('the cluster is not connected')
    return subscribeLike(node, channel, listener)
  }
}
