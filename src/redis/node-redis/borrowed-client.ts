import { CacheError } from '../../foundation/errors/cache-error.ts'
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
      send: (command, form) => sendOn(node, command, form),
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

  subscribe(channel: string, listener: ChannelListener): Promise<ChannelSubscription> {
    return this.#connections.subscriber.subscribe(channel, listener)
  }
}

/** @throws CacheError `CACHE_INVALID_OPTIONS` if the client is of another kind, or has an option that a cache contradicts */
function assertUsable(client: NodeRedisClient | NodeRedisClusterClient): void {
  if ('getSentinelNode' in client) throw unusable('is a createSentinel(): use the option sentinel instead')
  if ('clientsInUse' in client) throw unusable('is a pool, in which commands overtake one another')
  if (!('withTypeMapping' in client)) throw unusable('is older than version 5')
  const { keyPrefix, readonly } = ('options' in client && client.options) || {}
  if (keyPrefix || ('_keyPrefix' in client && client._keyPrefix))
    throw unusable("has a keyPrefix: use this backend's prefix instead")
  if (readonly) throw unusable('is readonly: a cache needs to write')
}

function unusable(reason: string): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', `The client of @redis/client ${reason}`)
}
