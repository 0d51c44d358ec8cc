import { createCluster, ErrorReply, type RedisClusterOptions } from '@redis/client'
import { CacheError } from '../foundation/cache-error.ts'
import type { NodeRedisOptions } from './node-redis-connection.ts'
import { commandOptions, fromNodeRedis } from './node-redis-replies.ts'
import { parseRedisUrl } from './redis-address.ts'
import { detailOf, unavailable } from './redis-errors.ts'
import type {
  RedisArgument,
  RedisNode,
  RedisPort,
  RedisPortListener,
  RedisReply,
  ReplyForm,
} from './redis-port.ts'

/** A Redis Cluster. */
export interface ClusterOptions {
  /** URLs of some of its nodes, to discover the others from; credentials and TLS are those of the first. */
  readonly nodes: readonly string[]
  /** Where to reach a node instead of where it says it is, for a cluster behind a tunnel or in containers. */
  readonly nodeAddressMap?: RedisClusterOptions['nodeAddressMap'] | undefined
}

type Cluster = ReturnType<typeof createCluster>

const SILENT_SOCKET_MS = 15_000
const PING_INTERVAL_MS = 5_000
const LONGEST_REDIAL_MS = 2_000

/** The cluster client of `@redis/client`: it routes by slot, follows MOVED and ASK, and keeps the slot map. */
export class NodeRedisCluster implements RedisPort {
  readonly isCluster = true
  readonly #create: () => Cluster
  readonly #listener: RedisPortListener
  #cluster: Cluster | undefined
  #redialTimer: NodeJS.Timeout | undefined

  constructor(
    { nodeAddressMap, nodes }: ClusterOptions,
    options: NodeRedisOptions,
    connectTimeoutMs: number,
    listener: RedisPortListener,
  ) {
    const addresses = nodes.map(parseRedisUrl)
    const [first] = addresses
    if (first === undefined) throw new CacheError('CACHE_INVALID_OPTIONS', 'cluster.nodes is empty')
    this.#listener = listener
    this.#create = () =>
      createCluster({
        rootNodes: addresses.map(({ socket }) => ({ socket: socket as never })),
        defaults: {
          pingInterval: PING_INTERVAL_MS,
          maintNotifications: 'disabled',
          ...(options as object),
          ...(first.username === undefined ? {} : { username: first.username }),
          ...(first.password === undefined ? {} : { password: first.password }),
          disableOfflineQueue: true,
          socket: {
            connectTimeout: connectTimeoutMs,
            socketTimeout: SILENT_SOCKET_MS,
            reconnectStrategy: (retries: number) => Math.min(50 * 2 ** retries, LONGEST_REDIAL_MS),
            ...options.socket,
            ...('tls' in first.socket && first.socket.tls ? { tls: true } : {}),
          } as never,
        },
        ...(nodeAddressMap === undefined ? {} : { nodeAddressMap }),
      })
  }

  async connect(): Promise<void> {
    if (this.#cluster !== undefined) return
    const cluster = this.#create()
    const endpointOf = ({ host, port }: { host: string; port: number }) => `${host}:${port}`
    const ready = new Set<string>()
    let refusal: unknown
    cluster.on('error', (error) => {
      if (error instanceof ErrorReply) refusal = error
    })
    cluster.on('node-ready', (node) => {
      ready.add(endpointOf(node))
      this.#listener.connected(endpointOf(node))
    })
    cluster.on('node-error', (error, node) => {
      if (error instanceof ErrorReply) refusal = error
      // An error on a connection that goes on is one of reading it: what follows could belong to other commands.
      if (cluster.nodeByAddress.get(endpointOf(node))?.client?.isReady) this.outOfStep()
      if (ready.delete(endpointOf(node))) this.#listener.disconnected(endpointOf(node), detailOf(error))
    })
    try {
      this.#cluster = cluster
      await cluster.connect()
    } catch (error) {
      this.#destroy()
      throw handshakeError(refusal ?? error)
    }
  }

  async close(): Promise<void> {
    const cluster = this.#cluster
    clearTimeout(this.#redialTimer)
    this.#cluster = undefined
    if (cluster?.isOpen) await cluster.close().catch(() => {})
  }

  drop(redial: boolean): void {
    clearTimeout(this.#redialTimer)
    this.#destroy()
    if (redial) this.#redial()
  }

  outOfStep(): void {
    this.drop(true)
  }

  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    if (this.#cluster === undefined) return Promise.reject(unavailable('not connected'))
    const words = command as RedisArgument[]
    return this.#cluster.sendCommand(storedKey, false, words, commandOptions(form)) as Promise<RedisReply>
  }

  translate(error: unknown): CacheError {
    return fromNodeRedis(error)
  }

  async masters(): Promise<readonly RedisNode[]> {
    const cluster = this.#cluster
    if (cluster === undefined) throw unavailable('not connected')
    const clients = await Promise.all(cluster.masters.map((master) => cluster.nodeClient(master)))
    return clients.map((client) => ({
      send: (command, form) =>
        client.sendCommand(command as RedisArgument[], commandOptions(form)) as Promise<RedisReply>,
    }))
  }

  #destroy(): void {
    const cluster = this.#cluster
    this.#cluster = undefined
    if (cluster?.isOpen) cluster.destroy()
  }

  #redial(): void {
    this.connect().catch(() => {
      this.#redialTimer = setTimeout(() => this.#redial(), LONGEST_REDIAL_MS)
    })
  }
}

function handshakeError(error: unknown): CacheError {
  const failure = fromNodeRedis(error)
  return failure.code === 'CACHE_DISCONNECTED' ? unavailable(detailOf(error)) : failure
}
