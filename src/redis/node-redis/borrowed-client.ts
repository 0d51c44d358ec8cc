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
import {
  BorrowedConnections,
  type NodeRedisClient,
  type NodeRedisClusterClient,
  sendOn,
} from './borrowed-connections.ts'
import { commandOptions, fromNodeRedis } from './replies.ts'
import { assertUsable } from './usable-client.ts'

/** A port over a caller's own connected client or cluster of `@redis/client`, used as it is and never closed. */
export class BorrowedNodeRedisClient implements RedisPort {
  readonly isCluster: boolean
  readonly #client: NodeRedisClient | NodeRedisClusterClient
  readonly #connections: BorrowedConnections
  #watch: PortWatch | undefined
  #isHeld = false

  /** @throws CacheError `CACHE_INVALID_OPTIONS` */
  constructor(client: NodeRedisClient | NodeRedisClusterClient) {
    assertUsable(client)
    this.#client = client
    this.#connections = BorrowedConnections.of(client)
    this.isCluster = 'masters' in client
  }

  async connect(): Promise<void> {
    if (!this.#client.isOpen)
      throw unavailable('the client that was passed is not connected: await its connect() first')
    this.#isHeld = true
    this.#connections.hold(this)
    if (this.#watch !== undefined) this.#connections.sessions.join(this.#watch)
  }

  async close(): Promise<void> {
    this.drop()
  }

  drop(): void {
    this.#isHeld = false
    if (this.#watch !== undefined) this.#connections.sessions.leave(this.#watch)
    this.#connections.release(this)
  }

  suspect(): void {}

  desynchronized(): void {
    this.#connections.desynchronized()
  }

  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    if (!this.#isHeld) return Promise.reject(unavailable('closed'))
    if (this.#connections.isDesynchronized)
      return Promise.reject(unavailable('its replies came out of step; reconnect it'))
    if (!('masters' in this.#client)) return sendOn(this.#client, command, form)
    const words = command as RedisArgument[]
    return this.#client.sendCommand(storedKey, false, words, commandOptions(form)) as Promise<RedisReply>
  }

  translate(error: unknown): CacheError {
    return fromNodeRedis(error)
  }

  async masters(): Promise<readonly RedisNode[]> {
    const connections = this.#connections
    const nodes = await Promise.all(connections.handles().map((handle) => connections.clientOf(handle)))
    return nodes.map((node) => ({
      send: (command, form) =>
        this.#isHeld ? sendOn(node, command, form) : Promise.reject(unavailable('closed')),
      suspect() {},
    }))
  }

  watch(watch: PortWatch | undefined): void {
    if (this.#watch !== undefined) this.#connections.sessions.leave(this.#watch)
    this.#watch = watch
    if (watch !== undefined && this.#isHeld) this.#connections.sessions.join(watch)
  }

  connectionOf(storedKey: string): PortConnection | undefined {
    return this.#isHeld ? this.#connections.sessionOf(storedKey) : undefined
  }

  nodeOf(slot: number): string | undefined {
    return this.#connections.nodeOf(slot)
  }

  subscribe(channel: string, listener: ChannelListener, signal?: AbortSignal): Promise<ChannelSubscription> {
    return this.#connections.subscriber.subscribe(channel, listener, signal)
  }
}
