import type { CacheError } from '../foundation/cache-error.ts'
import { commandOptions, fromNodeRedis, type NodeRedisCommandOptions } from './node-redis-replies.ts'
import { unavailable } from './redis-errors.ts'
import type { RedisArgument, RedisNode, RedisPort, RedisReply, ReplyForm } from './redis-port.ts'

/** The part of a `createClient()` of `@redis/client` that is used. */
export interface NodeRedisClient {
  readonly isOpen: boolean
  sendCommand(command: RedisArgument[], options?: NodeRedisCommandOptions): Promise<unknown>
  once(event: 'ready', listener: () => void): unknown
}

/** The part of a `createCluster()` of `@redis/client` that is used. */
export interface NodeRedisClusterClient {
  readonly isOpen: boolean
  readonly masters: readonly object[]
  nodeClient(master: never): Promise<NodeRedisClient>
  sendCommand(
    storedKey: string,
    isReadonly: boolean,
    command: RedisArgument[],
    options?: NodeRedisCommandOptions,
  ): Promise<unknown>
  once(event: 'node-ready', listener: () => void): unknown
}

/** A caller's own connected client or cluster of `@redis/client`: used as it is, and never closed. */
export class BorrowedNodeRedis implements RedisPort {
  readonly isCluster: boolean
  readonly #client: NodeRedisClient | NodeRedisClusterClient
  #isOutOfStep = false

  constructor(client: NodeRedisClient | NodeRedisClusterClient) {
    this.#client = client
    this.isCluster = 'masters' in client
  }

  async connect(): Promise<void> {
    if (!this.#client.isOpen)
      throw unavailable('the client that was passed is not connected: await its connect() first')
  }

  async close(): Promise<void> {}

  drop(): void {}

  suspect(): void {}

  /** Reconnecting is its owner's business; until that has happened, it is not used. */
  outOfStep(): void {
    if (this.#isOutOfStep) return
    this.#isOutOfStep = true
    const listener = () => {
      this.#isOutOfStep = false
    }
    if ('masters' in this.#client) this.#client.once('node-ready', listener)
    else this.#client.once('ready', listener)
  }

  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    if (this.#isOutOfStep) return Promise.reject(unavailable('its replies came out of step; reconnect it'))
    const words = command as RedisArgument[]
    const reply =
      'masters' in this.#client
        ? this.#client.sendCommand(storedKey, false, words, commandOptions(form))
        : this.#client.sendCommand(words, commandOptions(form))
    return reply as Promise<RedisReply>
  }

  translate(error: unknown): CacheError {
    return fromNodeRedis(error)
  }

  async masters(): Promise<readonly RedisNode[]> {
    const client = this.#client
    const nodes =
      'masters' in client
        ? await Promise.all(client.masters.map((master) => client.nodeClient(master as never)))
        : [client]
    return nodes.map((node) => ({
      send: (command, form) =>
        node.sendCommand(command as RedisArgument[], commandOptions(form)) as Promise<RedisReply>,
      suspect() {},
    }))
  }
}
