import type { CacheError } from '../../foundation/cache-error.ts'
import { BorrowedSessions } from '../port/borrowed-sessions.ts'
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
import { keySlot } from '../slots/key-slot.ts'
import { commandOptions, fromNodeRedis, type NodeRedisCommandOptions } from './replies.ts'
import { type NodeRedisSubscriber, subscribeWith } from './subscription.ts'

/** The part of a `createClient()` of `@redis/client` that is used. */
export interface NodeRedisClient {
  readonly isOpen: boolean
  readonly isReady: boolean
  readonly options?: { readonly socket?: object | undefined } | undefined
  sendCommand(command: RedisArgument[], options?: NodeRedisCommandOptions): Promise<unknown>
  duplicate(overrides: object): NodeRedisSubscriber
  on(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
  once(event: 'ready', listener: () => void): unknown
}

/** The part of a `createCluster()` of `@redis/client` that is used. */
export interface NodeRedisClusterClient {
  readonly isOpen: boolean
  readonly masters: readonly object[]
  readonly slots: readonly ({ readonly master: object } | undefined)[]
  nodeClient(master: never): Promise<NodeRedisClient>
  sendCommand(
    storedKey: string,
    isReadonly: boolean,
    command: RedisArgument[],
    options?: NodeRedisCommandOptions,
  ): Promise<unknown>
  on(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
  once(event: 'node-ready', listener: () => void): unknown
}

/** Events after which a client is not connected any more. There is none for errors: that is the caller's to hear. */
const LOSSES = ['reconnecting', 'terminated', 'end'] as const
/** Events of a cluster after which some connection is another than before. */
const CHANGES = ['node-ready', 'node-error', 'node-reconnecting', 'node-disconnect'] as const

/** A caller's own connected client or cluster of `@redis/client`: used as it is, and never closed. */
export class BorrowedNodeRedisClient implements RedisPort {
  readonly isCluster: boolean
  readonly #client: NodeRedisClient | NodeRedisClusterClient
  /** Of the client, or of the masters of a cluster: they begin anew together, since events do not say which it is. */
  readonly #lives: BorrowedSessions<object> = new BorrowedSessions<object>(
    async (line, command, form) => sendTo(await this.#clientAt(line), command, form),
    endpointOf,
  )
  #isOutOfStep = false
  #isAttached = false

  constructor(client: NodeRedisClient | NodeRedisClusterClient) {
    this.#client = client
    this.isCluster = 'masters' in client
  }

  async connect(): Promise<void> {
    if (!this.#client.isOpen)
      throw unavailable('the client that was passed is not connected: await its connect() first')
    if (this.#isAttached) return
    this.#isAttached = true
    for (const [event, listener] of this.#listeners()) this.#client.on(event, listener)
    this.#begin()
  }

  async close(): Promise<void> {
    this.drop()
  }

  drop(): void {
    this.#isAttached = false
    for (const [event, listener] of this.#listeners()) this.#client.off(event, listener)
    this.#lives.closeAll('closed')
  }

  suspect(): void {}

  /** Reconnecting is its owner's business; until that has happened, it is not used. */
  outOfStep(): void {
    if (this.#isOutOfStep) return
    this.#isOutOfStep = true
    this.#lives.closeAll('out of step')
    const listener = () => {
      this.#isOutOfStep = false
      if (this.#isAttached) this.#begin()
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
    const nodes = await Promise.all(this.#lines().map((line) => this.#clientAt(line)))
    return nodes.map((node) => ({
      send: (command, form) => sendTo(node, command, form),
      suspect() {},
    }))
  }

  watch(watch: PortWatch): void {
    this.#lives.watch(watch)
  }

  connectionOf(storedKey: string): PortConnection | undefined {
    const client = this.#client
    if (!('masters' in client)) return client.isReady ? this.#lives.of(client) : undefined
    const master = client.slots[keySlot(storedKey)]?.master
    const life = master && this.#lives.of(master)
    // A cluster says nothing of a slot map that has changed; a master that is new in it is a sign.
    if (master !== undefined && life === undefined && this.#isAttached) setImmediate(this.#meet)
    return life
  }

  async subscribe(channel: string, listener: ChannelListener): Promise<ChannelSubscription> {
    const [line] = this.#lines()
    if (line === undefined) throw unavailable('the cluster is not connected')
    const client = await this.#clientAt(line)
    const socket = { ...client.options?.socket, reconnectStrategy: false }
    return subscribeWith(client.duplicate({ socket }), channel, listener)
  }

  /** What has a connection of its own. */
  #lines(): readonly object[] {
    return 'masters' in this.#client ? this.#client.masters : [this.#client]
  }

  async #clientAt(line: object): Promise<NodeRedisClient> {
    return 'masters' in this.#client ? this.#client.nodeClient(line as never) : this.#client
  }

  #listeners(): readonly (readonly [event: string, listener: () => void])[] {
    if (this.isCluster) return CHANGES.map((event) => [event, this.#begin] as const)
    return [['ready', this.#begin], ...LOSSES.map((event) => [event, this.#lost] as const)]
  }

  readonly #begin = (): void => {
    this.#lives.closeAll('some connection is another')
    const isReady = 'masters' in this.#client ? this.#client.isOpen : this.#client.isReady
    if (isReady && !this.#isOutOfStep) for (const line of this.#lines()) this.#lives.open(line)
  }

  readonly #lost = (): void => {
    this.#lives.closeAll('lost')
  }

  readonly #meet = (): void => {
    if (
      !this.#isAttached ||
      this.#isOutOfStep ||
      this.#lines().every((line) => this.#lives.of(line) !== undefined)
    )
      return
    this.#begin()
    this.#lives.rerouted()
  }
}

function sendTo(
  client: NodeRedisClient,
  command: readonly RedisArgument[],
  form: ReplyForm,
): Promise<RedisReply> {
  return client.sendCommand(command as RedisArgument[], commandOptions(form)) as Promise<RedisReply>
}

/** Nodes of a cluster bear their address; a client has it among its options. */
function endpointOf(line: object): string {
  if ('address' in line && typeof line.address === 'string') return line.address
  const { host, path, port } = ((line as NodeRedisClient).options?.socket ?? {}) as Record<string, unknown>
  return path === undefined ? `${host}:${port}` : String(path)
}
