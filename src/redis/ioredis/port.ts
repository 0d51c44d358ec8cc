import type { CacheError } from '../../foundation/errors/cache-error.ts'
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
import type { ResolvedTimeouts } from '../port/redis-timeouts.ts'
import { fromIoredis, type IoredisClient, type IoredisCluster, isIoredisCluster } from './client.ts'
import { ClusterRoute } from './cluster-route.ts'
import type { OwnConnection } from './own-connection.ts'
import { ClientRoute, type IoredisRoute } from './routes.ts'
import { assertUsable } from './usable-client.ts'

/** The route of each client of a caller's, which all ports over that client share. */
const routes = new WeakMap<object, IoredisRoute>()

/**
 * A port over a caller's own `ioredis` client or cluster, which it never closes.
 *
 * Commands are not sent on the caller's connections, but on connections of the library's own, made like these
 * ({@link OwnConnection}): `ioredis` resends a command whose reply was lost, so an INCR may count twice, and what the
 * caller's options say of queues, pipelines and the form of replies is meant for the caller's own commands.
 */
export class IoredisPort implements RedisPort {
  readonly isCluster: boolean
  readonly #route: IoredisRoute
  #watch: PortWatch | undefined
  #isHeld = false
  /** Connections that wait for their last replies. */
  #closing: readonly OwnConnection[] = []

  /** @throws CacheError `CACHE_INVALID_OPTIONS` */
  constructor(client: IoredisClient | IoredisCluster, timeouts: ResolvedTimeouts) {
    assertUsable(client)
    this.isCluster = isIoredisCluster(client)
    this.#route = routes.get(client) ?? routeFor(client, timeouts)
    routes.set(client, this.#route)
  }

  async connect(): Promise<void> {
    if (this.#route.isClosed) throw unavailable('the ioredis client that was passed has been closed')
    this.#isHeld = true
    if (this.#watch !== undefined) this.#route.sessions.join(this.#watch)
    await this.#route.hold(this)
  }

  async close(): Promise<void> {
    this.#closing = this.#release()
    await Promise.all(this.#closing.map((own) => own.close()))
    this.#closing = []
  }

  drop(): void {
    for (const own of [...this.#closing, ...this.#release()]) own.drop()
  }

  suspect(storedKey: string): void {
    this.#route.connectionOf(storedKey)?.suspect()
  }

  desynchronized(): void {
    for (const own of this.#route.connections()) own.replace('out of step')
  }

  send(
    storedKey: string,
    command: readonly RedisArgument[],
    form: ReplyForm,
    sinceMs?: number,
  ): Promise<RedisReply> {
    return this.#isHeld
      ? this.#route.send(storedKey, command, form, sinceMs)
      : Promise.reject(unavailable('not connected'))
  }

  translate(error: unknown): CacheError {
    return fromIoredis(error)
  }

  async masters(): Promise<readonly RedisNode[]> {
    const connections = this.#route.connections()
    if (connections.length === 0) throw unavailable('not connected')
    return connections
  }

  watch(watch: PortWatch | undefined): void {
    if (this.#watch !== undefined) this.#route.sessions.leave(this.#watch)
    this.#watch = watch
    if (watch !== undefined && this.#isHeld) this.#route.sessions.join(watch)
  }

  connectionOf(storedKey: string): PortConnection | undefined {
    const own = this.#isHeld ? this.#route.connectionOf(storedKey) : undefined
    return own && this.#route.sessions.of(own)
  }

  nodeOf(slot: number): string | undefined {
    return this.#route.nodeOf(slot)
  }

  subscribe(channel: string, listener: ChannelListener, signal?: AbortSignal): Promise<ChannelSubscription> {
    return this.#route.subscriber.subscribe(channel, listener, signal)
  }

  #release(): readonly OwnConnection[] {
    this.#isHeld = false
    if (this.#watch !== undefined) this.#route.sessions.leave(this.#watch)
    return this.#route.release(this)
  }
}

function routeFor(client: IoredisClient | IoredisCluster, timeouts: ResolvedTimeouts): IoredisRoute {
  return isIoredisCluster(client) ? new ClusterRoute(client, timeouts) : new ClientRoute(client, timeouts)
}
