import { CacheError } from '../foundation/cache-error.ts'
import { keySlot } from './key-slot.ts'
import { detailOf, disconnected, fromErrorReply, isReply, unavailable } from './redis-errors.ts'
import type { RedisArgument, RedisNode, RedisPort, RedisReply, ReplyForm } from './redis-port.ts'

/** The part of an `ioredis` connection (5 or 6) that is used. */
export interface IoredisConnection {
  readonly status: string
  readonly options: {
    readonly host?: string | undefined
    readonly port?: number | undefined
    readonly keyPrefix?: string | undefined
  }
  call(command: string, args: RedisArgument[]): Promise<unknown>
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>
  disconnect(reconnect?: boolean): void
}

/** The part of `new Redis()` of `ioredis` that is used. */
export interface IoredisClient extends IoredisConnection {
  duplicate(override: object): IoredisClient
  on(event: 'error', listener: (error: unknown) => void): unknown
}

/** Where `ioredis` reaches a node instead of where it says it is. */
export type IoredisNatMap =
  | Readonly<Record<string, { readonly host: string; readonly port: number }>>
  | ((address: string) => { readonly host: string; readonly port: number } | null)

/** The part of `new Cluster()` of `ioredis` that is used. */
export interface IoredisCluster {
  readonly status: string
  readonly slots: readonly (readonly string[])[]
  refreshSlotsCache(callback: () => void): void
  call(command: string, args: RedisArgument[]): Promise<unknown>
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>
  readonly options: { readonly keyPrefix?: string | undefined; readonly natMap?: IoredisNatMap | undefined }
  readonly isCluster: boolean
  nodes(role: 'master'): IoredisConnection[]
}

/** Whether `client` is a `Redis` or a `Cluster` of `ioredis`. */
export function isIoredis(client: object): client is IoredisClient | IoredisCluster {
  return 'callBuffer' in client && 'status' in client
}

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
    this.isCluster = isCluster(client)
    this.#route = isCluster(client) ? new ClusterRoute(client) : new ClientRoute(client)
  }

  async connect(): Promise<void> {
    if (this.#route.isClosed) throw unavailable('the ioredis client that was passed has been closed')
  }

  async close(): Promise<void> {
    this.#route.close()
  }

  drop(): void {}

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
      send: (command, form) => call(connection, command, form),
      suspect() {},
    }))
  }
}

/** The way of a command to the server that has to answer it. */
interface IoredisRoute {
  readonly isClosed: boolean
  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply>
  /** A connection to each server that owns keys. */
  connections(): readonly IoredisConnection[]
  /** Has every connection dialled anew. */
  reconnect(): void
  /** Closes what the route has opened. */
  close(): void
}

class ClientRoute implements IoredisRoute {
  readonly #client: IoredisClient
  /** Opened with the first use; fails what is in flight when it is lost. */
  #once: IoredisClient | undefined

  constructor(client: IoredisClient) {
    this.#client = client
  }

  get isClosed(): boolean {
    return this.#client.status === 'end'
  }

  send(_storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    const mayRunTwice = command[0] !== 'EVALSHA' && command[0] !== 'EVAL'
    if (mayRunTwice) return call(this.#client, command, form)
    this.#once ??= this.#openOnce()
    return call(this.#once, command, form)
  }

  connections(): readonly IoredisConnection[] {
    return [this.#client]
  }

  reconnect(): void {
    this.#client.disconnect(true)
    this.close()
  }

  close(): void {
    this.#once?.disconnect()
    this.#once = undefined
  }

  #openOnce(): IoredisClient {
    const connection = this.#client.duplicate({
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      lazyConnect: false,
    })
    connection.on('error', () => {})
    return connection
  }
}

/** How often a command follows a slot that has moved. */
const MAX_REDIRECTS = 5

class ClusterRoute implements IoredisRoute {
  readonly #cluster: IoredisCluster
  /** `host:port` of the owner of a slot, where MOVED has taught another than the cluster knows. */
  readonly #moved = new Map<number, string>()

  constructor(cluster: IoredisCluster) {
    this.#cluster = cluster
  }

  get isClosed(): boolean {
    return this.#cluster.status === 'end'
  }

  async send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    const slot = keySlot(storedKey)
    let asking: string | undefined
    for (let redirects = 0; ; redirects++) {
      const node = await this.#node(asking ?? this.#moved.get(slot) ?? this.#cluster.slots[slot]?.[0])
      try {
        // Both are written in this tick, so nothing comes between them.
        if (asking !== undefined) call(node, ['ASKING'], 'text').catch(() => {})
        return await call(node, command, form)
      } catch (error) {
        const redirect = redirectOf(error)
        if (redirects === MAX_REDIRECTS || redirect === undefined) throw error
        const address = this.#mapped(redirect.address)
        asking = redirect.isPermanent ? undefined : address
        if (redirect.isPermanent) this.#moved.set(slot, address)
      }
    }
  }

  connections(): readonly IoredisConnection[] {
    return this.#cluster.nodes('master')
  }

  reconnect(): void {
    for (const connection of this.connections()) connection.disconnect(true)
  }

  close(): void {
    this.#moved.clear()
  }

  #mapped(address: string): string {
    const { natMap } = this.#cluster.options
    const mapped = typeof natMap === 'function' ? natMap(address) : natMap?.[address]
    return mapped ? `${mapped.host}:${mapped.port}` : address
  }

  /** The node at an address; where `ioredis` has lost it, it is told to look around. */
  async #node(address: string | undefined): Promise<IoredisConnection> {
    const known = this.#nodeAt(address)
    if (known !== undefined) return known
    await new Promise<void>((resolve) => this.#cluster.refreshSlotsCache(() => resolve()))
    const found = this.#nodeAt(address) ?? this.connections()[0]
    if (found === undefined) throw unavailable('the cluster is not connected')
    return found
  }

  #nodeAt(address: string | undefined): IoredisConnection | undefined {
    return this.connections().find(({ options }) => `${options.host}:${options.port}` === address)
  }
}

/** Where MOVED (for good) or ASK (this once) sends a command, which then has not been executed. */
function redirectOf(error: unknown): { readonly isPermanent: boolean; readonly address: string } | undefined {
  const failure = fromIoredis(error)
  const isPermanent = isReply(failure, 'MOVED')
  if (!isPermanent && !isReply(failure, 'ASK')) return undefined
  const { message } = error as Error
  return { isPermanent, address: message.slice(message.lastIndexOf(' ') + 1) }
}

function isCluster(client: IoredisClient | IoredisCluster): client is IoredisCluster {
  return 'isCluster' in client && client.isCluster === true
}

function call(
  connection: IoredisConnection,
  [name, ...args]: readonly RedisArgument[],
  form: ReplyForm,
): Promise<RedisReply> {
  const commandName = String(name)
  const reply =
    form === 'bytes' ? connection.callBuffer(commandName, args) : connection.call(commandName, args)
  return reply as Promise<RedisReply>
}

/** `ioredis` hangs the whole command, values included, on its errors: nothing of them is passed on. */
function fromIoredis(error: unknown): CacheError {
  if (error instanceof CacheError) return error
  const isReplyError = error instanceof Error && error.name === 'ReplyError'
  return isReplyError ? fromErrorReply(error.message) : disconnected(detailOf(error))
}
