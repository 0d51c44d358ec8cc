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
 * A port over a caller's own `ioredis` client or cluster, which it uses as it is and never closes.
 *
 * `ioredis` resends a command whose reply was lost, so an INCR may count twice. Scripts (EVALSHA, EVAL) must not be
 * executed twice, so they are sent on a second connection without resending. On a cluster, every command is sent
 * directly on the connection to the owner of its slot: only the cluster object resends, and it also retries TRYAGAIN
 * until a deadline has passed.
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

  desynchronized(): void {
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

  watch(watch: PortWatch | undefined): void {
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
