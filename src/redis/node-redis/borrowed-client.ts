import type { CacheError } from '../../foundation/cache-error.ts'
import { setImmediate } from '../../foundation/timers.ts'
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

/** Events after which a client is not connected. `error` is not among them: handling it is up to the caller. */
const LOST_EVENTS = ['reconnecting', 'terminated', 'end'] as const
/** Events of a cluster after which some connection may be a new one. */
const CLUSTER_EVENTS = ['node-ready', 'node-error', 'node-reconnecting', 'node-disconnect'] as const

/** A port over a caller's own connected client or cluster of `@redis/client`, used as it is and never closed. */
export class BorrowedNodeRedisClient implements RedisPort {
  readonly isCluster: boolean
  readonly #client: NodeRedisClient | NodeRedisClusterClient
  /**
   * The sessions of the client, or of the masters of a cluster. Those of a cluster are all renewed together, since its
   * events do not tell which connection they concern.
   */
  readonly #sessions: BorrowedSessions<object> = new BorrowedSessions<object>(
    async (handle, command, form) => sendTo(await this.#clientOf(handle), command, form),
    endpointOf,
  )
  #isDesynchronized = false
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
    this.#openSessions()
  }

  async close(): Promise<void> {
    this.drop()
  }

  drop(): void {
    this.#isAttached = false
    for (const [event, listener] of this.#listeners()) this.#client.off(event, listener)
    this.#sessions.closeAll('closed')
  }

  suspect(): void {}

  /** Reconnecting is up to the owner of the client. Until that has happened, the client is not used. */
  desynchronized(): void {
    if (this.#isDesynchronized) return
    this.#isDesynchronized = true
    this.#sessions.closeAll('out of step')
    const listener = () => {
      this.#isDesynchronized = false
      if (this.#isAttached) this.#openSessions()
    }
    if ('masters' in this.#client) this.#client.once('node-ready', listener)
    else this.#client.once('ready', listener)
  }

  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    if (this.#isDesynchronized)
      return Promise.reject(unavailable('its replies came out of step; reconnect it'))
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
    const nodes = await Promise.all(this.#handles().map((handle) => this.#clientOf(handle)))
    return nodes.map((node) => ({
      send: (command, form) => sendTo(node, command, form),
      suspect() {},
    }))
  }

  watch(watch: PortWatch | undefined): void {
    this.#sessions.watch(watch)
  }

  connectionOf(storedKey: string): PortConnection | undefined {
    const client = this.#client
    if (!('masters' in client)) return client.isReady ? this.#sessions.of(client) : undefined
    const master = client.slots[keySlot(storedKey)]?.master
    const session = master && this.#sessions.of(master)
    // A cluster emits no event when its slot map changes, so an unknown master is how the change is noticed.
    if (master !== undefined && session === undefined && this.#isAttached) setImmediate(this.#openNewMasters)
    return session
  }

  async subscribe(channel: string, listener: ChannelListener): Promise<ChannelSubscription> {
    const [handle] = this.#handles()
    if (handle === undefined) throw unavailable('the cluster is not connected')
    const client = await this.#clientOf(handle)
    const socket = { ...client.options?.socket, reconnectStrategy: false }
    return subscribeWith(client.duplicate({ socket }), channel, listener)
  }

  /** The objects that stand for connections: the client itself, or the masters of a cluster. */
  #handles(): readonly object[] {
    return 'masters' in this.#client ? this.#client.masters : [this.#client]
  }

  async #clientOf(handle: object): Promise<NodeRedisClient> {
    return 'masters' in this.#client ? this.#client.nodeClient(handle as never) : this.#client
  }

  #listeners(): readonly (readonly [event: string, listener: () => void])[] {
    if (this.isCluster) return CLUSTER_EVENTS.map((event) => [event, this.#openSessions] as const)
    return [['ready', this.#openSessions], ...LOST_EVENTS.map((event) => [event, this.#lost] as const)]
  }

  readonly #openSessions = (): void => {
    this.#sessions.closeAll('a connection of the client changed')
    const isReady = 'masters' in this.#client ? this.#client.isOpen : this.#client.isReady
    if (isReady && !this.#isDesynchronized) for (const handle of this.#handles()) this.#sessions.open(handle)
  }

  readonly #lost = (): void => {
    this.#sessions.closeAll('lost')
  }

  /** Opens all sessions anew if the cluster has a master without one. */
  readonly #openNewMasters = (): void => {
    if (
      !this.#isAttached ||
      this.#isDesynchronized ||
      this.#handles().every((handle) => this.#sessions.of(handle) !== undefined)
    )
      return
    this.#openSessions()
    this.#sessions.rerouted()
  }
}

function sendTo(
  client: NodeRedisClient,
  command: readonly RedisArgument[],
  form: ReplyForm,
): Promise<RedisReply> {
  return client.sendCommand(command as RedisArgument[], commandOptions(form)) as Promise<RedisReply>
}

/** A node of a cluster has an `address`; a client has it among its options. */
function endpointOf(handle: object): string {
  if ('address' in handle && typeof handle.address === 'string') return handle.address
  const { host, path, port } = ((handle as NodeRedisClient).options?.socket ?? {}) as Record<string, unknown>
  return path === undefined ? `${host}:${port}` : String(path)
}
