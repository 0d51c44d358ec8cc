import { clearTimeout, setTimeout, systemMs } from '../../foundation/time/timers.ts'
import type { BorrowedSessions } from '../port/borrowed-sessions.ts'
import { unavailable } from '../port/redis-errors.ts'
import type { RedisArgument, RedisReply, ReplyForm } from '../port/redis-port.ts'
import type { ResolvedTimeouts } from '../port/redis-timeouts.ts'
import type { SharedSubscriber } from '../port/shared-subscriber.ts'
import { followRedirects, type RedirectingClient } from '../slots/follow-redirects.ts'
import { keySlot } from '../slots/key-slot.ts'
import { parseRedirect, type Redirect } from '../slots/slot-map.ts'
import { fromIoredis, type IoredisCluster, type IoredisConnection, ioredisEndpoint } from './client.ts'
import { OwnConnection } from './own-connection.ts'
import { type IoredisRoute, ownSessions, subscriberOf } from './routes.ts'

/** Events of a cluster after which slots may have other owners. */
const CLUSTER_EVENTS = ['+node', '-node', 'refresh'] as const

/**
 * The route on a cluster: an own connection to each master, on which the commands for its slots are sent. The caller's
 * cluster tells which masters there are, and which slots they own.
 */
export class ClusterRoute implements IoredisRoute {
  readonly sessions: BorrowedSessions<OwnConnection> = ownSessions()
  readonly subscriber: SharedSubscriber = subscriberOf(this)
  readonly #cluster: IoredisCluster
  readonly #timeouts: ResolvedTimeouts
  readonly #holders = new Set<object>()
  /** The `host:port` of slots whose owner, as a MOVED reply reported it, differs from that in `cluster.slots`. */
  readonly #moved = new Map<number, string>()
  /** By the caller's connection to a master. */
  readonly #masters = new Map<IoredisConnection, OwnConnection>()
  /** The owners of the slots at the last comparison. */
  #owners: readonly (string | undefined)[] = []
  /** Settles when the cluster is ready; shared by all who wait for it, so that they share their listeners on it too. */
  #readying: Promise<void> | undefined
  #endReadying: () => void = () => {}

  constructor(cluster: IoredisCluster, timeouts: ResolvedTimeouts) {
    this.#cluster = cluster
    this.#timeouts = timeouts
  }

  get isClosed(): boolean {
    return this.#cluster.status === 'end'
  }

  async hold(holder: object): Promise<void> {
    if (this.#holders.size === 0) for (const event of CLUSTER_EVENTS) this.#cluster.on(event, this.#compare)
    this.#holders.add(holder)
    await this.#clusterReady()
    this.#compare()
    await Promise.all(this.connections().map((own) => own.ready()))
  }

  release(holder: object): readonly OwnConnection[] {
    if (!this.#holders.delete(holder) || this.#holders.size > 0) return []
    for (const event of CLUSTER_EVENTS) this.#cluster.off(event, this.#compare)
    this.#endReadying()
    const connections = this.connections()
    this.#masters.clear()
    this.#moved.clear()
    this.#owners = []
    return connections
  }

  async send(
    storedKey: string,
    command: readonly RedisArgument[],
    form: ReplyForm,
    sinceMs: number = systemMs(),
  ): Promise<RedisReply> {
    const slot = keySlot(storedKey)
    const dueMs = sinceMs + this.#timeouts.commandTimeoutMs
    const owner = await this.#readyAt(this.nodeOf(slot), dueMs)
    try {
      return await owner.send(command, form)
    } catch (error) {
      return followRedirects(this.#redirecting(slot, dueMs), error, owner, command, form)
    }
  }

  connections(): readonly OwnConnection[] {
    return [...this.#masters.values()]
  }

  connectionOf(storedKey: string): OwnConnection | undefined {
    return this.#at(this.nodeOf(keySlot(storedKey)))
  }

  nodeOf(slot: number): string | undefined {
    return this.#moved.get(slot) ?? this.#cluster.slots[slot]?.[0]
  }

  origin(): IoredisConnection | undefined {
    const nodes = this.#cluster.nodes('master')
    // A connection of the caller's that is idle would not notice that its node is gone.
    const answering = nodes.find((node) => this.#masters.get(node)?.isReady)
    return answering ?? nodes.find(({ status }) => status === 'ready') ?? nodes[0]
  }

  async #clusterReady(): Promise<void> {
    const cluster = this.#cluster
    if (cluster.status === 'ready') return
    if (cluster.status === 'wait') cluster.connect().catch(() => {})
    this.#readying ??= new Promise<void>((resolve, reject) => {
      const settle = (): void => {
        cluster.off('ready', settle)
        cluster.off('end', settle)
        this.#readying = undefined
        if (this.isClosed) reject(unavailable('the cluster that was passed has been closed'))
        else if (this.#holders.size === 0) reject(unavailable('closed while connecting'))
        else resolve()
      }
      this.#endReadying = settle
      cluster.on('ready', settle)
      cluster.on('end', settle)
    })
    await this.#readying
  }

  #redirecting(slot: number, dueMs: number): RedirectingClient<OwnConnection> {
    return {
      dueMs,
      redirectIn,
      nodeFor: (redirect) => {
        const address = this.#mapped(redirect.address)
        if (redirect.isPermanent) this.#learnOwner(slot, address)
        return this.#readyAt(address, dueMs)
      },
      send: (own, command, form) => own.send(command, form),
    }
  }

  /** Connects to the present masters alone, and reports it if some slots have another owner than before. */
  readonly #compare = (): void => {
    if (this.#holders.size === 0) return
    const present = new Set(this.#cluster.nodes('master'))
    for (const [node, own] of this.#masters) {
      if (present.has(node)) continue
      this.#masters.delete(node)
      retire(own, this.#timeouts.commandTimeoutMs)
    }
    for (const node of present) {
      if (this.#masters.has(node)) continue
      this.#masters.set(node, new OwnConnection(node, this.sessions, this.#timeouts, this.#refresh))
    }
    const before = this.#owners
    this.#owners = this.#cluster.slots.map((nodes) => nodes?.[0])
    const hasChanged = this.#owners.some((owner, slot) => owner !== before[slot])
    if (before.length > 0 && hasChanged) this.sessions.rerouted()
  }

  /** The caller's own connections may be idle, and would not notice that a master is gone. */
  readonly #refresh = (): void => {
    if (this.#holders.size > 0) this.#cluster.refreshSlotsCache(() => {})
  }

  #learnOwner(slot: number, address: string): void {
    if (this.nodeOf(slot) === address) return
    this.#moved.set(slot, address)
    this.sessions.rerouted()
  }

  #mapped(address: string): string {
    const { natMap } = this.#cluster.options
    const mapped = typeof natMap === 'function' ? natMap(address) : natMap?.[address]
    return mapped ? `${mapped.host}:${mapped.port}` : address
  }

  /**
   * The connection to the master at an address. If `ioredis` knows no master there, it refreshes its slots first.
   * @param dueMs after it nobody awaits the reply, and the command must not be sent any more
   */
  async #readyAt(address: string | undefined, dueMs: number): Promise<OwnConnection> {
    const known = this.#at(address)
    if (known?.isReady) return known
    if (known === undefined) {
      await new Promise<void>((resolve) => this.#cluster.refreshSlotsCache(() => resolve()))
      this.#compare()
    }
    const found = this.#at(address) ?? this.connections()[0]
    if (found === undefined) throw unavailable('the cluster is not connected')
    if (!found.wasReady) await readyWithin(found, this.#timeouts.commandTimeoutMs / 2)
    if (systemMs() > dueMs) throw unavailable('no connection in time')
    return found
  }

  #at(address: string | undefined): OwnConnection | undefined {
    if (address === undefined) return undefined
    for (const [node, own] of this.#masters) if (ioredisEndpoint(node) === address) return own
    return undefined
  }
}

/** Lets outstanding replies arrive, and closes. */
function retire(own: OwnConnection, timeoutMs: number): void {
  const timer = setTimeout(() => own.drop(), timeoutMs).unref()
  own.close().finally(() => clearTimeout(timer))
}

/** Waits for a connection to a new master. A command that has waited this long is not sent any more. */
function readyWithin(own: OwnConnection, boundMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(unavailable('no connection in time')), boundMs).unref()
    own
      .ready()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer))
  })
}

function redirectIn(error: unknown, { host }: OwnConnection): Redirect | undefined {
  return fromIoredis(error).replyCode === undefined
    ? undefined
    : parseRedirect((error as Error).message, host)
}
