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
}

/** The part of `new Redis()` of `ioredis` that is used. */
export interface IoredisClient extends IoredisConnection {
  duplicate(override: object): IoredisClient
  disconnect(): void
  on(event: 'error', listener: (error: unknown) => void): unknown
}

/** The part of `new Cluster()` of `ioredis` that is used. */
export interface IoredisCluster extends Omit<IoredisConnection, 'options'> {
  readonly options: { readonly keyPrefix?: string | undefined }
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
 * twice (EVALSHA) therefore travels around that habit: on a connection of its own with resending off, or, on a
 * cluster, straight to the node.
 */
export class IoredisPort implements RedisPort {
  readonly isCluster: boolean
  readonly #client: IoredisClient | IoredisCluster
  readonly #sendOnce: OnceSender

  /** @throws CacheError `CACHE_INVALID_OPTIONS` */
  constructor(client: IoredisClient | IoredisCluster) {
    if (client.options.keyPrefix) {
      throw new CacheError(
        'CACHE_INVALID_OPTIONS',
        "The ioredis client has a keyPrefix: use this backend's prefix instead",
      )
    }
    this.#client = client
    this.isCluster = isCluster(client)
    this.#sendOnce = isCluster(client) ? new ClusterOnceSender(client) : new ClientOnceSender(client)
  }

  async connect(): Promise<void> {
    if (this.#client.status === 'end') throw unavailable('the ioredis client that was passed has been closed')
  }

  async close(): Promise<void> {
    this.#sendOnce.close()
  }

  drop(): void {}

  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    const mayRunTwice = command[0] !== 'EVALSHA' && command[0] !== 'EVAL'
    return mayRunTwice ? call(this.#client, command, form) : this.#sendOnce.send(storedKey, command, form)
  }

  translate(error: unknown): CacheError {
    return fromIoredis(error)
  }

  async masters(): Promise<readonly RedisNode[]> {
    const connections = isCluster(this.#client) ? this.#client.nodes('master') : [this.#client]
    if (connections.length === 0) throw unavailable('the cluster is not connected')
    return connections.map((connection) => ({ send: (command, form) => call(connection, command, form) }))
  }
}

interface OnceSender {
  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply>
  close(): void
}

/** A second connection, opened with the first use, that fails what is in flight when it is lost. */
class ClientOnceSender implements OnceSender {
  readonly #client: IoredisClient
  #connection: IoredisClient | undefined

  constructor(client: IoredisClient) {
    this.#client = client
  }

  send(_storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    this.#connection ??= this.#open()
    return call(this.#connection, command, form)
  }

  close(): void {
    this.#connection?.disconnect()
    this.#connection = undefined
  }

  #open(): IoredisClient {
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

/** Straight to the node that owns the slot: a node's connection does not resend, only the cluster above it does. */
class ClusterOnceSender implements OnceSender {
  readonly #cluster: IoredisCluster
  /** `host:port` of the owner of a slot, as MOVED has taught it. */
  readonly #owners = new Map<number, string>()

  constructor(cluster: IoredisCluster) {
    this.#cluster = cluster
  }

  async send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    const slot = keySlot(storedKey)
    let asking: string | undefined
    for (let redirects = 0; ; redirects++) {
      const node = this.#node(asking ?? this.#owners.get(slot))
      try {
        // Both are written in this tick, so nothing comes between them.
        if (asking !== undefined) call(node, ['ASKING'], 'text').catch(() => {})
        return await call(node, command, form)
      } catch (error) {
        const redirect = redirectOf(error)
        if (redirects === MAX_REDIRECTS || redirect === undefined) throw error
        asking = redirect.isPermanent ? undefined : redirect.address
        if (redirect.isPermanent) this.#owners.set(slot, redirect.address)
      }
    }
  }

  close(): void {
    this.#owners.clear()
  }

  #node(address: string | undefined): IoredisConnection {
    const masters = this.#cluster.nodes('master')
    const owner = masters.find(({ options }) => `${options.host}:${options.port}` === address) ?? masters[0]
    if (owner === undefined) throw unavailable('the cluster is not connected')
    return owner
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
  connection: Pick<IoredisConnection, 'call' | 'callBuffer'>,
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
