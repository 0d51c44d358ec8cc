import type { BorrowedSessions } from '../port/borrowed-sessions.ts'
import { unavailable } from '../port/redis-errors.ts'
import type { PortConnection, PortWatch, RedisArgument, RedisReply, ReplyForm } from '../port/redis-port.ts'
import { keySlot } from '../slots/key-slot.ts'
import { parseRedirect, type Redirect } from '../slots/slot-map.ts'
import {
  callIoredis,
  fromIoredis,
  type IoredisCluster,
  type IoredisConnection,
  ioredisEndpoint,
} from './client.ts'
import { IoredisLife, type IoredisRoute, ioredisLives } from './routes.ts'

/** How often a command follows a slot that has moved. */
const MAX_REDIRECTS = 5
/** Events of a cluster after which other nodes may own the slots. */
const CHANGES = ['+node', '-node', 'refresh'] as const

/** A cluster: straight to the node that owns the slot. */
export class ClusterRoute implements IoredisRoute {
  readonly #cluster: IoredisCluster
  /** `host:port` of the owner of a slot, where MOVED has taught another than the cluster knows. */
  readonly #moved = new Map<number, string>()
  readonly #lives: BorrowedSessions<IoredisConnection> = ioredisLives()
  /** Of the masters. */
  readonly #followed = new Map<IoredisConnection, IoredisLife>()
  /** Who owned the slots when that was last compared. */
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
    for (const event of CHANGES) this.#cluster.on(event, this.#compare)
    this.#compare()
  }

  async send(storedKey: string, command: readonly RedisArgument[], form: ReplyForm): Promise<RedisReply> {
    const slot = keySlot(storedKey)
    let asking: string | undefined
    for (let redirects = 0; ; redirects++) {
      const node = await this.#node(asking ?? this.#ownerOf(slot))
      try {
        // Both are written in this tick, so nothing comes between them.
        if (asking !== undefined) callIoredis(node, ['ASKING'], 'text').catch(() => {})
        return await callIoredis(node, command, form)
      } catch (error) {
        const redirect = redirectOf(error, node)
        if (redirects === MAX_REDIRECTS || redirect === undefined) throw error
        const address = this.#mapped(redirect.address)
        asking = redirect.isPermanent ? undefined : address
        if (redirect.isPermanent) this.#learn(slot, address)
      }
    }
  }

  connections(): readonly IoredisConnection[] {
    return this.#cluster.nodes('master')
  }

  watch(watch: PortWatch): void {
    this.#lives.watch(watch)
  }

  connectionOf(storedKey: string): PortConnection | undefined {
    const owner = this.#nodeAt(this.#ownerOf(keySlot(storedKey)))
    return owner && this.#lives.of(owner)
  }

  reconnect(): void {
    for (const connection of this.connections()) connection.disconnect(true)
  }

  close(): void {
    this.#isAttached = false
    for (const event of CHANGES) this.#cluster.off(event, this.#compare)
    for (const life of this.#followed.values()) life.detach()
    this.#followed.clear()
    this.#moved.clear()
    this.#owners = []
    this.#lives.closeAll('closed')
  }

  /** Follows the masters that are there now, and tells where slots have other owners than before. */
  readonly #compare = (): void => {
    const masters = new Set(this.connections())
    for (const [node, life] of this.#followed) {
      if (masters.has(node)) continue
      life.detach()
      this.#followed.delete(node)
      this.#lives.close(node, 'no longer a master')
    }
    for (const node of masters) {
      if (!this.#followed.has(node)) this.#followed.set(node, new IoredisLife(node, this.#lives))
    }
    const before = this.#owners
    this.#owners = this.#cluster.slots.map((nodes) => nodes?.[0])
    const hasChanged = this.#owners.some((owner, slot) => owner !== before[slot])
    if (before.length > 0 && hasChanged) this.#lives.rerouted()
  }

  #learn(slot: number, address: string): void {
    if (this.#ownerOf(slot) === address) return
    this.#moved.set(slot, address)
    this.#lives.rerouted()
  }

  #ownerOf(slot: number): string | undefined {
    return this.#moved.get(slot) ?? this.#cluster.slots[slot]?.[0]
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
    return this.connections().find((connection) => ioredisEndpoint(connection) === address)
  }
}

/** Where MOVED (for good) or ASK (this once) sends a command, which then has not been executed. */
function redirectOf(error: unknown, { options }: IoredisConnection): Redirect | undefined {
  return fromIoredis(error).replyCode === undefined
    ? undefined
    : parseRedirect((error as Error).message, options.host ?? '')
}
