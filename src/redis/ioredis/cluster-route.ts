import type { BorrowedSessions } from '../port/borrowed-sessions.ts'
import { unavailable } from '../port/redis-errors.ts'
import type { PortConnection, PortWatch, RedisArgument, RedisReply, ReplyForm } from '../port/redis-port.ts'
import { followRedirects, type RedirectingClient } from '../slots/follow-redirects.ts'
import { keySlot } from '../slots/key-slot.ts'
import { parseRedirect, type Redirect } from '../slots/slot-map.ts'
import {
  callIoredis,
  fromIoredis,
  type IoredisCluster,
  type IoredisConnection,
  ioredisEndpoint,
} from './client.ts'
import { type IoredisRoute, IoredisSessionEvents, ioredisSessions } from './routes.ts'

/** Events of a cluster after which slots may have other owners. */
const CLUSTER_EVENTS = ['+node', '-node', 'refresh'] as const

/** The route on a cluster: each command is sent on the connection to the owner of its slot. */
export class ClusterRoute implements IoredisRoute {
  readonly #cluster: IoredisCluster
  /** The `host:port` of slots whose owner, as a MOVED reply reported it, differs from that in `cluster.slots`. */
  readonly #moved = new Map<number, string>()
  readonly #sessions: BorrowedSessions<IoredisConnection> = ioredisSessions()
  /** By the connection to a master. */
  readonly #sessionEvents = new Map<IoredisConnection, IoredisSessionEvents>()
  /** The owners of the slots at the last comparison. */
  #owners: readonly (string | undefined)[] = []
  #isAttached = false

  constructor(cluster: IoredisCluster) {
    this.#cluster = cluster
  }

  get isClosed(): boolean {
    return this.#cluster.status === 'end'
  }

  attach(): void {
    if (this.#isAttached) return
    this.#isAttached = true
    for (const event of CLUSTER_EVENTS) this.#cluster.on(event, this.#compare)
    this.#compare()
  }

  async send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    const slot = keySlot(storedKey)
    const owner = await this.#node(this.#ownerOf(slot))
    try {
      return await callIoredis(owner, command, form)
    } catch (error) {
      return followRedirects(this.#redirecting(slot), error, owner, command, form)
    }
  }

  connections(): readonly IoredisConnection[] {
    return this.#cluster.nodes('master')
  }

  watch(watch: PortWatch | undefined): void {
    this.#sessions.watch(watch)
  }

  connectionOf(storedKey: string): PortConnection | undefined {
    const owner = this.#nodeAt(this.#ownerOf(keySlot(storedKey)))
    return owner && this.#sessions.of(owner)
  }

  reconnect(): void {
    for (const connection of this.connections()) connection.disconnect(true)
  }

  close(): void {
    this.#isAttached = false
    for (const event of CLUSTER_EVENTS) this.#cluster.off(event, this.#compare)
    for (const events of this.#sessionEvents.values()) events.detach()
    this.#sessionEvents.clear()
    this.#moved.clear()
    this.#owners = []
    this.#sessions.closeAll('closed')
  }

  #redirecting(slot: number): RedirectingClient<IoredisConnection> {
    return {
      redirectIn,
      nodeFor: (redirect) => {
        const address = this.#mapped(redirect.address)
        if (redirect.isPermanent) this.#learnOwner(slot, address)
        return this.#node(address)
      },
      send: callIoredis,
    }
  }

  /** Follows the sessions of the present masters, and reports it if some slots have another owner than before. */
  readonly #compare = (): void => {
    const masters = new Set(this.connections())
    for (const [node, events] of this.#sessionEvents) {
      if (masters.has(node)) continue
      events.detach()
      this.#sessionEvents.delete(node)
      this.#sessions.close(node, 'no longer a master')
    }
    for (const node of masters) {
      if (this.#sessionEvents.has(node)) continue
      this.#sessionEvents.set(node, new IoredisSessionEvents(node, this.#sessions))
    }
    const before = this.#owners
    this.#owners = this.#cluster.slots.map((nodes) => nodes?.[0])
    const hasChanged = this.#owners.some((owner, slot) => owner !== before[slot])
    if (before.length > 0 && hasChanged) this.#sessions.rerouted()
  }

  #learnOwner(slot: number, address: string): void {
    if (this.#ownerOf(slot) === address) return
    this.#moved.set(slot, address)
    this.#sessions.rerouted()
  }

  #ownerOf(slot: number): string | undefined {
    return this.#moved.get(slot) ?? this.#cluster.slots[slot]?.[0]
  }

  #mapped(address: string): string {
    const { natMap } = this.#cluster.options
    const mapped = typeof natMap === 'function' ? natMap(address) : natMap?.[address]
    return mapped ? `${mapped.host}:${mapped.port}` : address
  }

  /** The connection to the node at an address. If `ioredis` has none, it refreshes its slots first. */
  async #node(address: string | undefined): Promise<IoredisConnection> {
    const known = this.#nodeAt(address)
    if (known !== undefined) return known
    await new Promise<void>((resolve) => this.#cluster.refreshSlotsCache(() => resolve()))
    const found = this.#nodeAt(address) ?? this.connections()[0]
    if (found === undefined) throw unavailable('the cluster is not connected')
    return found
  }

  #nodeAt(address: string | undefined): IoredisConnection | undefined {
    return this.connections().find((connection) => ioredisEndpoint(connection) === address)
  }
}

function redirectIn(error: unknown, { options }: IoredisConnection): Redirect | undefined {
  return fromIoredis(error).replyCode === undefined
    ? undefined
    : parseRedirect((error as Error).message, options.host ?? '')
}
