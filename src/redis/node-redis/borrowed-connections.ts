import { setImmediate } from '../../foundation/time/timers.ts'
import { BorrowedSessions } from '../port/borrowed-sessions.ts'
import { unavailable } from '../port/redis-errors.ts'
import type { PortConnection, RedisArgument, RedisReply, ReplyForm } from '../port/redis-port.ts'
import { SharedSubscriber } from '../port/shared-subscriber.ts'
import { keySlot } from '../slots/key-slot.ts'
import { commandOptions, type NodeRedisCommandOptions } from './replies.ts'
import { type NodeRedisSubscriber, openSubscriber } from './subscription.ts'

/** The part of a `createClient()` of `@redis/client` that is used. */
export interface NodeRedisClient {
  readonly isOpen: boolean
  readonly isReady: boolean
  readonly options?:
    | {
        readonly keyPrefix?: unknown
        readonly readonly?: boolean | undefined
        readonly socket?: object | undefined
      }
    | undefined
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

/** The connections of each client of a caller's. */
const known = new WeakMap<object, BorrowedConnections>()

/**
 * The connections of a caller's client or cluster, which all ports over it share: one set of listeners on the client,
 * one connection for subscriptions, and one account of its sessions and of whether its replies are in step.
 */
export class BorrowedConnections {
  readonly client: NodeRedisClient | NodeRedisClusterClient
  /**
   * The sessions of the client, or of the masters of a cluster. Those of a cluster are all renewed together, since its
   * events do not tell which connection they concern.
   */
  readonly sessions: BorrowedSessions<object> = new BorrowedSessions<object>(
    async (handle, command, form) => sendOn(await this.clientOf(handle), command, form),
    endpointOf,
  )
  readonly subscriber: SharedSubscriber = new SharedSubscriber(async (events, signal) => {
    const [handle] = this.handles()
    if (handle === undefined) throw unavailable('the cluster is not connected')
    const client = await this.clientOf(handle)
    const socket = { ...client.options?.socket, reconnectStrategy: false }
    return openSubscriber(client.duplicate({ socket }), events, signal)
  })
  readonly #holders = new Set<object>()
  #isDesynchronized = false

  private constructor(client: NodeRedisClient | NodeRedisClusterClient) {
    this.client = client
  }

  static of(client: NodeRedisClient | NodeRedisClusterClient): BorrowedConnections {
    const connections = known.get(client) ?? new BorrowedConnections(client)
    known.set(client, connections)
    return connections
  }

  /** Whether no reply may be read, as {@link desynchronized} says. */
  get isDesynchronized(): boolean {
    return this.#isDesynchronized
  }

  /** Follows the client from the first holder on. Idempotent for each holder. */
  hold(holder: object): void {
    const isFirst = this.#holders.size === 0
    this.#holders.add(holder)
    if (!isFirst) return
    for (const [event, listener] of this.#listeners()) this.client.on(event, listener)
    this.#openSessions()
  }

  /** Stops following the client after the last holder. */
  release(holder: object): void {
    if (!this.#holders.delete(holder) || this.#holders.size > 0) return
    for (const [event, listener] of this.#listeners()) this.client.off(event, listener)
    this.sessions.closeAll('closed')
  }

  /** Reconnecting is up to the owner of the client. Until that has happened, the client is not used. */
  desynchronized(): void {
    if (this.#isDesynchronized) return
    this.#isDesynchronized = true
    this.sessions.closeAll('out of step')
    const listener = () => {
      this.#isDesynchronized = false
      if (this.#holders.size > 0) this.#openSessions()
    }
    if ('masters' in this.client) this.client.once('node-ready', listener)
    else this.client.once('ready', listener)
  }

  /** The session of the owner of a key; `undefined` while that is not connected. */
  sessionOf(storedKey: string): PortConnection | undefined {
    const { client } = this
    if (!('masters' in client)) return client.isReady ? this.sessions.of(client) : undefined
    const master = client.slots[keySlot(storedKey)]?.master
    const session = master && this.sessions.of(master)
    // A cluster emits no event when its slot map changes, so an unknown master is how the change is noticed.
    if (master !== undefined && session === undefined) setImmediate(this.#openNewMasters)
    return session
  }

  /** As `RedisPort.nodeOf`. */
  nodeOf(slot: number): string | undefined {
    const { client } = this
    if (!('masters' in client)) return ''
    const master = client.slots[slot]?.master
    return master && endpointOf(master)
  }

  /** The objects that stand for connections: the client itself, or the masters of a cluster. */
  handles(): readonly object[] {
    return 'masters' in this.client ? this.client.masters : [this.client]
  }

  async clientOf(handle: object): Promise<NodeRedisClient> {
    return 'masters' in this.client ? this.client.nodeClient(handle as never) : this.client
  }

  #listeners(): readonly (readonly [event: string, listener: () => void])[] {
    if ('masters' in this.client) return CLUSTER_EVENTS.map((event) => [event, this.#openSessions] as const)
    return [['ready', this.#openSessions], ...LOST_EVENTS.map((event) => [event, this.#lost] as const)]
  }

  readonly #openSessions = (): void => {
    this.sessions.closeAll('a connection of the client changed')
    const isReady = 'masters' in this.client ? this.client.isOpen : this.client.isReady
    if (isReady && !this.#isDesynchronized) for (const handle of this.handles()) this.sessions.open(handle)
  }

  readonly #lost = (): void => {
    this.sessions.closeAll('lost')
  }

  /** Opens all sessions anew if the cluster has a master without one. */
  readonly #openNewMasters = (): void => {
    if (
      this.#holders.size === 0 ||
      this.#isDesynchronized ||
      this.handles().every((handle) => this.sessions.of(handle) !== undefined)
    )
      return
    this.#openSessions()
    this.sessions.rerouted()
  }
}

/** Sends a command if it would be written now: what a client queues is sent at any time, also after its deadline. */
export function sendOn(
  client: NodeRedisClient,
  command: readonly RedisArgument[],
  form: ReplyForm,
): Promise<RedisReply> {
  if (!client.isReady) return Promise.reject(unavailable('not connected'))
  return client.sendCommand(command as RedisArgument[], commandOptions(form)) as Promise<RedisReply>
}

/** A node of a cluster has an `address`; a client has it among its options. */
function endpointOf(handle: object): string {
  if ('address' in handle && typeof handle.address === 'string') return handle.address
  const { host, path, port } = ((handle as NodeRedisClient).options?.socket ?? {}) as Record<string, unknown>
  return path === undefined ? `${host}:${port}` : String(path)
}
