import { CacheError } from '../../foundation/cache-error.ts'
import type { NodeRedisOptions } from '../node-redis/options.ts'
import { parseRedisUrl, type RedisAddress } from '../node-redis/redis-address.ts'
import { fromNodeRedis, isErrorReply } from '../node-redis/replies.ts'
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
import { keySlot } from '../slots/key-slot.ts'
import {
  mappedAddress,
  type NodeAddressMap,
  ownersIn,
  parseRedirect,
  type SlotMap,
} from '../slots/slot-map.ts'
import { ClusterNode, type NodeSettings, within } from './cluster-node.ts'
import { SlotMapSurvey } from './slot-map-survey.ts'
import { SlotMapWatch } from './slot-map-watch.ts'

/** A Redis Cluster. */
export interface ClusterOptions {
  /** URLs of some of its nodes, to discover the others from; credentials and TLS are those of the first. */
  readonly nodes: readonly string[]
  /** Where to reach a node instead of where it says it is, for a cluster behind a tunnel or in containers. */
  readonly nodeAddressMap?: NodeAddressMap | undefined
}

/** How often a command follows a slot that moves. */
const MAX_REDIRECTS = 5

/**
 * A cluster: one connection to each master, and the map of who owns which slot.
 *
 * A command goes straight to the owner of its slot. One that is sent elsewhere (MOVED, ASK) has not been executed
 * and follows; nothing else is sent again. The map is looked at anew after a MOVED, after a lost connection until
 * all is whole again, and every few seconds where somebody watches: a process that only reads what it keeps would
 * never meet a MOVED, and not hear of changes to keys that have moved.
 */
export class NodeRedisCluster implements RedisPort {
  readonly isCluster = true
  readonly #locate: (address: string) => RedisAddress
  readonly #settings: NodeSettings
  readonly #survey: SlotMapSurvey
  readonly #lookout: SlotMapWatch = new SlotMapWatch(() => this.#lookAround())
  /** By the address that the cluster knows them by. */
  readonly #nodes = new Map<string, ClusterNode>()
  /** Are not needed any more, and still answer what they were asked; with the end of that. */
  readonly #retired = new Map<ClusterNode, Promise<void>>()
  /** Those that a command was sent on to since the last look, which owners of slots may not have been yet. */
  readonly #newcomers = new Set<ClusterNode>()
  /** By slot. */
  #owners: (ClusterNode | undefined)[] = []
  /** From `connect` to `close`. */
  #life: AbortController | undefined
  #watch: PortWatch | undefined
  /** Knows of a change, and so is asked first. */
  #witness: ClusterNode | undefined
  #turn = 0

  constructor(
    { nodeAddressMap, nodes }: ClusterOptions,
    options: NodeRedisOptions,
    timeouts: ResolvedTimeouts,
    listener: RedisPortListener,
  ) {
    const [first, ...others] = nodes.map(parseRedisUrl)
    if (first === undefined) throw new CacheError('CACHE_INVALID_OPTIONS', 'cluster.nodes is empty')
    const { password, socket, username } = first
    const common = { username, password, database: 0 }
    const seeds = [first, ...others].map((seed) => ({ ...seed, ...common }))
    this.#locate = (address) => {
      const { host, port } = mappedAddress(address, nodeAddressMap)
      return { ...common, socket: { host, port, tls: socket.tls }, endpoint: `${host}:${port}` }
    }
    this.#settings = { options, timeouts, listener, onLost: () => this.#lookout.soon() }
    this.#survey = new SlotMapSurvey(seeds, this.#settings)
  }

  async connect(): Promise<void> {
    if (this.#life !== undefined) return
    const life = new AbortController()
    this.#life = life
    try {
      const map = await this.#survey.look([], life.signal)
      if (life.signal.aborted) throw unavailable('closed while connecting')
      this.#install(map)
      await Promise.all(this.#masters().map((node) => node.open()))
      if (life.signal.aborted) throw unavailable('closed while connecting')
      this.#lookout.start()
      if (!this.#isWhole()) this.#lookout.soon()
    } catch (error) {
      if (this.#life === life) this.drop()
      throw handshakeError(error)
    }
  }

  async close(): Promise<void> {
    for (const node of this.#end()) this.#retire(node)
    await Promise.all(this.#retired.values())
  }

  drop(): void {
    for (const node of [...this.#end(), ...this.#retired.keys()]) node.drop()
    this.#retired.clear()
  }

  outOfStep(): void {
    for (const node of this.#retired.keys()) node.drop()
    for (const { connection } of this.#nodes.values()) connection.outOfStep()
  }

  suspect(storedKey: string): void {
    this.#owners[keySlot(storedKey)]?.connection.suspect()
    this.#lookout.soon()
  }

  send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    const owner = this.#owners[keySlot(storedKey)]
    if (owner === undefined) return Promise.reject(unavailable('not connected to an owner of this slot'))
    return owner.connection
      .send(storedKey, command, form)
      .catch((error: unknown) => this.#follow(error, owner, storedKey, command, form))
  }

  translate(error: unknown): CacheError {
    return fromNodeRedis(error)
  }

  async masters(): Promise<readonly RedisNode[]> {
    const masters = this.#masters()
    if (masters.length === 0) throw unavailable('not connected')
    return masters.map(({ connection }) => ({
      send: (command, form) => connection.send('', command, form),
      suspect: () => connection.suspect(),
    }))
  }

  watch(watch: PortWatch): void {
    this.#watch = watch
    for (const { connection } of this.#nodes.values()) connection.watch(watch)
    this.#lookout.beVigilant()
  }

  connectionOf(storedKey: string): PortConnection | undefined {
    return this.#owners[keySlot(storedKey)]?.connection.connectionOf()
  }

  /** At any node: what is published at one is heard at all. */
  async subscribe(channel: string, listener: ChannelListener): Promise<ChannelSubscription> {
    let failure: unknown = unavailable('not connected')
    for (const { connection } of this.#connected()) {
      try {
        return await connection.subscribe(channel, listener)
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  /** Sends a command on to where its refusal says that it belongs. Any other failure is passed on. */
  async #follow(
    error: unknown,
    refusedBy: ClusterNode,
    storedKey: string,
    command: readonly RedisArgument[],
    form: ReplyForm,
  ): Promise<RedisReply> {
    let refusal = error
    let node = refusedBy
    for (let redirects = 0; redirects < MAX_REDIRECTS; redirects++) {
      const redirect = isErrorReply(refusal) ? parseRedirect(refusal.message, node.host) : undefined
      if (redirect === undefined || this.#life === undefined) break
      const target = this.#nodeAt(redirect.address)
      this.#newcomers.add(target)
      if (redirect.isPermanent) this.#moved(keySlot(storedKey), target, node)
      node = target
      await within(node.open(), this.#settings.timeouts.timeoutMs)
      try {
        // Both are written in this tick, so nothing comes between them.
        if (!redirect.isPermanent) node.connection.send(storedKey, ['ASKING'], 'text').catch(() => {})
        return await node.connection.send(storedKey, command, form)
      } catch (next) {
        refusal = next
      }
    }
    // A node that has lost sight of the others says so to every command.
    if (isReply(fromNodeRedis(refusal), 'CLUSTERDOWN')) this.#lookout.soon()
    throw refusal
  }

  #moved(slot: number, owner: ClusterNode, witness: ClusterNode): void {
    if (this.#owners[slot] === owner) return
    this.#owners[slot] = owner
    this.#watch?.rerouted()
    this.#witness = witness
    this.#lookout.soon()
  }

  /** @returns whether all is well */
  async #lookAround(): Promise<boolean> {
    const { signal } = this.#life as AbortController
    const witness = this.#witness
    this.#witness = undefined
    const nodes = this.#connected().filter((node) => node !== witness)
    const map = await this.#survey.look(witness?.isConnected ? [witness, ...nodes] : nodes, signal)
    if (signal.aborted) return true
    this.#install(map)
    for (const master of this.#masters()) master.open().catch(() => {})
    return this.#isWhole()
  }

  #install(map: SlotMap): void {
    const before = this.#owners
    this.#owners = map.map((address) => (address === undefined ? undefined : this.#nodeAt(address)))
    const named = ownersIn(map)
    for (const [address, node] of this.#nodes) {
      if (named.has(address) || this.#newcomers.has(node)) continue
      this.#nodes.delete(address)
      this.#retire(node)
    }
    this.#newcomers.clear()
    const hasChanged = this.#owners.some((owner, slot) => owner !== before[slot])
    if (before.length > 0 && hasChanged) this.#watch?.rerouted()
  }

  #nodeAt(address: string): ClusterNode {
    let node = this.#nodes.get(address)
    if (node === undefined) {
      node = new ClusterNode(address, () => this.#locate(address), this.#settings)
      this.#nodes.set(address, node)
      if (this.#watch !== undefined) node.connection.watch(this.#watch)
    }
    return node
  }

  #retire(node: ClusterNode): void {
    this.#retired.set(
      node,
      node.close().finally(() => this.#retired.delete(node)),
    )
  }

  /** Forgets all nodes, and returns them. */
  #end(): readonly ClusterNode[] {
    this.#life?.abort()
    this.#life = undefined
    this.#lookout.stop()
    const nodes = [...this.#nodes.values()]
    this.#nodes.clear()
    this.#newcomers.clear()
    this.#owners = []
    return nodes
  }

  /** Those that own slots. */
  #masters(): readonly ClusterNode[] {
    return [...new Set(this.#owners)].filter((owner) => owner !== undefined)
  }

  /** Whether every slot has an owner that is connected. */
  #isWhole(): boolean {
    return !this.#owners.includes(undefined) && this.#masters().every(({ isConnected }) => isConnected)
  }

  /** Those that may be asked, beginning with another each time. */
  #connected(): readonly ClusterNode[] {
    const nodes = [...this.#nodes.values()].filter(({ isConnected }) => isConnected)
    const first = this.#turn++ % Math.max(nodes.length, 1)
    return [...nodes.slice(first), ...nodes.slice(0, first)]
  }
}

function handshakeError(error: unknown): CacheError {
  const failure = fromNodeRedis(error)
  return failure.code === 'CACHE_DISCONNECTED' ? unavailable(detailOf(error)) : failure
}
