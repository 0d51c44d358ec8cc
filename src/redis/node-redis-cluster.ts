import { createCluster, type RedisClusterOptions } from '@redis/client'
import { CacheError } from '../foundation/cache-error.ts'
import { keySlot } from './key-slot.ts'
import {
  connectionOptions,
  LONGEST_REDIAL_MS,
  type NodeRedisOptions,
  socketBounds,
} from './node-redis-options.ts'
import { commandOptions, fromNodeRedis, isErrorReply } from './node-redis-replies.ts'
import { parseRedisUrl } from './redis-address.ts'
import { detailOf, isReply, unavailable } from './redis-errors.ts'
import type {
  RedisArgument,
  RedisNode,
  RedisPort,
  RedisPortListener,
  RedisReply,
  ReplyForm,
} from './redis-port.ts'
import type { ResolvedTimeouts } from './redis-timeouts.ts'
import { SilenceProbe } from './silence-probe.ts'

/** A Redis Cluster. */
export interface ClusterOptions {
  /** URLs of some of its nodes, to discover the others from; credentials and TLS are those of the first. */
  readonly nodes: readonly string[]
  /** Where to reach a node instead of where it says it is, for a cluster behind a tunnel or in containers. */
  readonly nodeAddressMap?: RedisClusterOptions['nodeAddressMap'] | undefined
}

type Cluster = ReturnType<typeof createCluster>

/** The cluster client of `@redis/client`: it routes by slot, follows MOVED and ASK, and keeps the slot map. */
export class NodeRedisCluster implements RedisPort {
  readonly isCluster = true
  readonly #create: () => Cluster
  readonly #listener: RedisPortListener
  readonly #probe: SilenceProbe
  #cluster: Cluster | undefined
  /** The connections of a cluster that waits for its last replies; it has forgotten them itself by then. */
  #closing: readonly { destroy(): void }[] = []
  #redialTimer: NodeJS.Timeout | undefined
  /** Whether a connection that is lost is to be dialled again. */
  #isWanted = false

  constructor(
    { nodeAddressMap, nodes }: ClusterOptions,
    options: NodeRedisOptions,
    { connectTimeoutMs, timeoutMs }: ResolvedTimeouts,
    listener: RedisPortListener,
  ) {
    const addresses = nodes.map(parseRedisUrl)
    const [first] = addresses
    if (first === undefined) throw new CacheError('CACHE_INVALID_OPTIONS', 'cluster.nodes is empty')
    this.#listener = listener
    this.#probe = new SilenceProbe(timeoutMs)
    this.#create = () =>
      createCluster({
        // Used to discover the others: such a connection has no longer to answer than connecting may take.
        rootNodes: addresses.map(({ socket }) => ({
          socket: { ...socket, socketTimeout: connectTimeoutMs, reconnectStrategy: false } as never,
        })),
        defaults: {
          ...(connectionOptions(options, first) as object),
          socket: {
            ...socketBounds(connectTimeoutMs),
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
    let refusal: unknown
    this.#listen(cluster, (reply) => {
      refusal = reply
    })
    this.#cluster = cluster
    try {
      await cluster.connect()
      if (this.#cluster !== cluster) throw unavailable('closed while connecting')
    } catch (error) {
      destroy(cluster)
      if (this.#cluster === cluster) this.#cluster = undefined
      throw handshakeError(refusal ?? error)
    }
  }

  /** @param onRefusal is told what servers answer to a handshake, which the cluster client keeps to itself */
  #listen(cluster: Cluster, onRefusal: (reply: unknown) => void): void {
    const ready = new Set<string>()
    const refused = (error: unknown) => {
      if (isErrorReply(error)) onRefusal(error)
    }
    cluster.on('error', refused)
    cluster.on('node-ready', (at: Node) => {
      ready.add(endpointOf(at))
      this.#listener.connected(endpointOf(at))
    })
    cluster.on('node-error', (error, at: Node) => {
      refused(error)
      // An error on a connection that goes on is one of reading it: what follows could belong to other commands.
      if (isStillReady(cluster, at)) this.outOfStep()
      if (ready.delete(endpointOf(at))) this.#listener.disconnected(endpointOf(at), detailOf(error))
    })
  }

  async close(): Promise<void> {
    const cluster = this.#cluster
    this.#isWanted = false
    clearTimeout(this.#redialTimer)
    this.#cluster = undefined
    this.#closing = clientsOf(cluster)
    if (cluster?.isOpen) await cluster.close().catch(() => {})
    this.#closing = []
  }

  drop(): void {
    this.#isWanted = false
    clearTimeout(this.#redialTimer)
    destroy(this.#cluster)
    for (const client of this.#closing) client.destroy()
    this.#cluster = undefined
    this.#closing = []
  }

  outOfStep(): void {
    this.drop()
    this.#isWanted = true
    this.#redial()
  }

  suspect(storedKey: string): void {
    const master = this.#cluster?.slots[keySlot(storedKey)]?.master
    if (master !== undefined) this.#suspectNode(master)
  }

  /**
   * Straight to the owner of the slot. The cluster client takes commands of several keys apart and puts their
   * replies together again, which costs time and would hide a reply that is out of step; it is asked only where
   * the owner is not connected or sends elsewhere.
   */
  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    const cluster = this.#cluster
    if (cluster === undefined) return Promise.reject(unavailable('not connected'))
    const words = command as RedisArgument[]
    const options = commandOptions(form)
    const routed = () => cluster.sendCommand(storedKey, false, words, options) as Promise<RedisReply>
    const owner = cluster.slots[keySlot(storedKey)]?.master.client
    if (!owner?.isReady) return routed()
    return owner.sendCommand(words, options).catch((error: unknown) => {
      if (isRedirect(error)) return routed()
      throw error
    }) as Promise<RedisReply>
  }

  translate(error: unknown): CacheError {
    return fromNodeRedis(error)
  }

  async masters(): Promise<readonly RedisNode[]> {
    const cluster = this.#cluster
    if (cluster === undefined) throw unavailable('not connected')
    return Promise.all(
      cluster.masters.map(async (master) => {
        const client = await cluster.nodeClient(master)
        return {
          send: (command, form) =>
            client.sendCommand(command as RedisArgument[], commandOptions(form)) as Promise<RedisReply>,
          suspect: () => this.#suspectNode(master),
        }
      }),
    )
  }

  /** Of a node that is given up the cluster client makes a new connection with the next command. */
  #suspectNode(node: Cluster['masters'][number]): void {
    const { address, client } = node
    if (client === undefined) return
    this.#probe.check(
      client,
      () => client.sendCommand(['PING']),
      () => {
        if (node.client !== client) return
        delete node.client
        client.destroy()
        this.#listener.disconnected(address, 'silent')
      },
    )
  }

  #redial(): void {
    this.connect().catch(() => {
      if (this.#isWanted) this.#redialTimer = setTimeout(() => this.#redial(), LONGEST_REDIAL_MS)
    })
  }
}

/** Where the cluster client has connected to. */
interface Node {
  readonly host: string
  readonly port: number
}

function endpointOf({ host, port }: Node): string {
  return `${host}:${port}`
}

function isStillReady(cluster: Cluster, at: Node): boolean {
  return [...cluster.nodeByAddress.values()].some(({ client }) => {
    const socket = client?.options.socket as Partial<Node> | undefined
    return client?.isReady === true && socket?.host === at.host && socket.port === at.port
  })
}

/** MOVED or ASK: the command has not been executed, and the cluster client knows the way. */
function isRedirect(error: unknown): boolean {
  const failure = fromNodeRedis(error)
  return isReply(failure, 'MOVED') || isReply(failure, 'ASK')
}

function clientsOf(cluster: Cluster | undefined): { destroy(): void }[] {
  const nodes = cluster === undefined ? [] : [...cluster.nodeByAddress.values()]
  return nodes.flatMap(({ client }) => (client === undefined ? [] : [client]))
}

function destroy(cluster: Cluster | undefined): void {
  try {
    cluster?.destroy()
  } catch {
    // It was not open any more.
  }
}

function handshakeError(error: unknown): CacheError {
  const failure = fromNodeRedis(error)
  return failure.code === 'CACHE_DISCONNECTED' ? unavailable(detailOf(error)) : failure
}
