import type { CacheError } from '../../foundation/errors/cache-error.ts'
import { assertOptions, type KnownOptions, type OptionNames } from '../../foundation/option-checks.ts'
import { systemMs } from '../../foundation/time/timers.ts'
import { assertOneLogin, type NodeRedisOptions } from '../node-redis/options.ts'
import { parseRedisUrls, type RedisAddress } from '../node-redis/redis-address.ts'
import { fromNodeRedis, isErrorReply } from '../node-redis/replies.ts'
import { withTls } from '../node-redis/tls.ts'
import { detailOf, isReply, unavailable } from '../port/redis-errors.ts'
import type {
  ChannelListener,
  ChannelSubscription,
  PortConnection,
  PortWatch,
  RedisArgument,
  RedisNode,
  RedisPort,
  RedisPortListener,
  RedisReply,
  ReplyForm,
} from '../port/redis-port.ts'
import type { ResolvedTimeouts } from '../port/redis-timeouts.ts'
import { followRedirects, type RedirectingClient } from '../slots/follow-redirects.ts'
import { keySlot } from '../slots/key-slot.ts'
import { mappedAddress, type NodeAddressMap, parseRedirect } from '../slots/slot-map.ts'
import { ClusterMembers } from './cluster-members.ts'
import { ClusterNode, type NodeSettings, within } from './cluster-node.ts'
import { SlotMapSurvey } from './slot-map-survey.ts'
import { SlotMapWatch } from './slot-map-watch.ts'

/** A Redis Cluster. */
export interface ClusterOptions {
  /** URLs of some nodes, to discover the others from. The credentials and TLS of the first apply to all nodes. */
  readonly nodes: readonly string[]
  /** Where to reach nodes that cannot be reached at the address they report, as behind a tunnel or in containers. */
  readonly nodeAddressMap?: NodeAddressMap | undefined
}

/** What `cluster` may contain. */
export const CLUSTER_OPTIONS: KnownOptions = {
  of: 'cluster',
  names: { nodes: 'value', nodeAddressMap: 'value' } satisfies OptionNames<ClusterOptions>,
}

/**
 * A port over a Redis Cluster, with one connection to each master and a slot map.
 *
 * A command is sent to the owner of its slot. A node that answers with MOVED or ASK has not executed the command, so it
 * is sent again to the node that the reply names; nothing else is sent twice.
 *
 * The slot map is refreshed after a MOVED, and after a lost connection until every slot has a connected owner. With a
 * watch it is also polled every few seconds: a process whose reads are all local would never get a MOVED, nor the
 * invalidations of keys that have moved.
 */
export class NodeRedisCluster implements RedisPort {
  readonly isCluster = true
  readonly #locate: (address: string) => RedisAddress
  readonly #settings: NodeSettings
  readonly #survey: SlotMapSurvey
  readonly #slotMapWatch: SlotMapWatch = new SlotMapWatch(() => this.#refreshSlotMap())
  readonly #members: ClusterMembers = new ClusterMembers((address) => this.#createNode(address))
  /** From `connect` until `close` or `drop`, which abort it. */
  #session: AbortController | undefined
  #watch: PortWatch | undefined
  /** The node that answered with the last MOVED: its slot map is new, so it is asked first. */
  #movedBy: ClusterNode | undefined

  /** @throws CacheError `CACHE_INVALID_OPTIONS` */
  constructor(
    cluster: ClusterOptions,
    options: NodeRedisOptions,
    timeouts: ResolvedTimeouts,
    listener: RedisPortListener,
  ) {
    assertOptions(cluster, CLUSTER_OPTIONS)
    const { nodeAddressMap } = cluster
    const addresses = withTls(parseRedisUrls('cluster.nodes', cluster.nodes), options)
    assertOneLogin(addresses, options)
    const { password, socket, username } = addresses[0]
    const common = { username, password, database: 0 }
    const seeds = addresses.map((seed) => ({ ...seed, ...common }))
    this.#locate = (address) => {
      const { host, port } = mappedAddress(address, nodeAddressMap)
      return { ...common, socket: { host, port, tls: socket.tls }, endpoint: `${host}:${port}` }
    }
    this.#settings = { options, timeouts, listener, onLost: () => this.#slotMapWatch.refreshSoon() }
    this.#survey = new SlotMapSurvey(seeds, this.#settings)
  }

  async connect(): Promise<void> {
    if (this.#session !== undefined) return
    const session = new AbortController()
    this.#session = session
    try {
      const map = await this.#survey.fetch([], session.signal)
      if (session.signal.aborted) throw unavailable('closed while connecting')
      if (this.#members.install(map)) this.#watch?.rerouted()
      await this.#members.openSome()
      if (session.signal.aborted) throw unavailable('closed while connecting')
      this.#slotMapWatch.start()
      if (!this.#members.isComplete()) this.#slotMapWatch.refreshSoon()
    } catch (error) {
      if (this.#session === session) this.drop()
      throw connectError(error)
    }
  }

  async close(): Promise<void> {
    this.#endSession()
    await this.#members.close()
  }

  drop(): void {
    this.#endSession()
    this.#members.drop()
  }

  desynchronized(): void {
    this.#members.dropRetired()
    for (const { connection } of this.#members.all()) connection.desynchronized()
  }

  suspect(storedKey: string): void {
    this.#members.ownerOf(keySlot(storedKey))?.connection.suspect()
    this.#slotMapWatch.refreshSoon()
  }

  send(
    storedKey: string,
    command: readonly RedisArgument[],
    form: ReplyForm,
    sinceMs: number = systemMs(),
  ): Promise<RedisReply> {
    const owner = this.#members.ownerOf(keySlot(storedKey))
    if (owner === undefined) return Promise.reject(unavailable('not connected to an owner of this slot'))
    return owner.connection
      .send(storedKey, command, form)
      .catch((error: unknown) => this.#follow(error, owner, storedKey, command, form, sinceMs))
  }

  translate(error: unknown): CacheError {
    return fromNodeRedis(error)
  }

  async masters(): Promise<readonly RedisNode[]> {
    const masters = this.#members.masters()
    if (masters.length === 0) throw unavailable('not connected')
    return masters.map(({ connection }) => ({
      send: (command, form) => connection.send('', command, form),
      suspect: () => connection.suspect(),
    }))
  }

  watch(watch: PortWatch | undefined): void {
    this.#watch = watch
    for (const { connection } of this.#members.all()) connection.watch(watch)
    this.#slotMapWatch.poll(watch !== undefined)
  }

  connectionOf(storedKey: string): PortConnection | undefined {
    return this.#members.ownerOf(keySlot(storedKey))?.connection.connectionOf()
  }

  nodeOf(slot: number): string | undefined {
    return this.#members.ownerOf(slot)?.name
  }

  /** Subscribes at any node: a cluster broadcasts what is published at one node to all of them. */
  async subscribe(
    channel: string,
    listener: ChannelListener,
    signal?: AbortSignal,
  ): Promise<ChannelSubscription> {
    let failure: unknown = unavailable('not connected')
    for (const { connection } of this.#members.connected()) {
      try {
        return await connection.subscribe(channel, listener, signal)
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  async #follow(
    error: unknown,
    owner: ClusterNode,
    storedKey: string,
    command: readonly RedisArgument[],
    form: ReplyForm,
    sinceMs: number,
  ): Promise<RedisReply> {
    try {
      return await followRedirects(this.#redirecting(storedKey, sinceMs), error, owner, command, form)
    } catch (failure) {
      // A node that cannot reach the majority of the others answers CLUSTERDOWN to every command.
      if (isReply(fromNodeRedis(failure), 'CLUSTERDOWN')) this.#slotMapWatch.refreshSoon()
      throw failure
    }
  }

  #redirecting(storedKey: string, sinceMs: number): RedirectingClient<ClusterNode> {
    return {
      dueMs: sinceMs + this.#settings.timeouts.commandTimeoutMs,
      redirectIn: (error, { host }) =>
        isErrorReply(error) && this.#session !== undefined ? parseRedirect(error.message, host) : undefined,
      nodeFor: async ({ address, isPermanent }, from) => {
        const target = this.#members.redirectTarget(address)
        if (isPermanent) this.#learnOwner(keySlot(storedKey), target, from)
        await within(target.open(), this.#settings.timeouts.commandTimeoutMs)
        return target
      },
      send: ({ connection }, words, replyForm) => connection.send(storedKey, words, replyForm),
    }
  }

  #learnOwner(slot: number, owner: ClusterNode, from: ClusterNode): void {
    if (!this.#members.setOwner(slot, owner)) return
    this.#watch?.rerouted()
    this.#movedBy = from
    this.#slotMapWatch.refreshSoon()
  }

  /** @returns whether every slot has a connected owner */
  async #refreshSlotMap(): Promise<boolean> {
    const { signal } = this.#session as AbortController
    const movedBy = this.#movedBy
    this.#movedBy = undefined
    const nodes = this.#members.connected().filter((node) => node !== movedBy)
    const map = await this.#survey.fetch(movedBy?.isConnected ? [movedBy, ...nodes] : nodes, signal)
    if (signal.aborted) return true
    if (this.#members.install(map)) this.#watch?.rerouted()
    for (const master of this.#members.masters()) master.open().catch(() => {})
    return this.#members.isComplete()
  }

  #createNode(address: string): ClusterNode {
    const node = new ClusterNode(address, () => this.#locate(address), this.#settings)
    if (this.#watch !== undefined) node.connection.watch(this.#watch)
    return node
  }

  #endSession(): void {
    this.#session?.abort()
    this.#session = undefined
    this.#slotMapWatch.stop()
  }
}

/** A connection that is lost during the handshake was never made, so no command was lost with it. */
function connectError(error: unknown): CacheError {
  const failure = fromNodeRedis(error)
  return failure.code === 'CACHE_DISCONNECTED' ? unavailable(detailOf(error)) : failure
}
