import { ownersIn, type SlotMap } from '../slots/slot-map.ts'
import type { ClusterNode } from './cluster-node.ts'

/**
 * The nodes of a cluster that are connected to, by address and by slot.
 *
 * A node stays while the slot map names it, or while it is new: a redirect may name a node before the slot map does.
 * A node that is removed still answers the commands that were sent to it, and closes after that.
 */
export class ClusterMembers {
  readonly #createNode: (address: string) => ClusterNode
  /** By the `host:port` that the cluster reports for them. */
  readonly #nodes = new Map<string, ClusterNode>()
  /** Nodes that are closing, with the promise that they have closed. */
  readonly #retired = new Map<ClusterNode, Promise<void>>()
  /** Targets of redirects since the last slot map, which that map may not have named as owners yet. */
  readonly #newcomers = new Set<ClusterNode>()
  /** By slot. */
  #owners: (ClusterNode | undefined)[] = []
  /** Rotates the order of {@link connected}. */
  #rotation = 0

  constructor(createNode: (address: string) => ClusterNode) {
    this.#createNode = createNode
  }

  ownerOf(slot: number): ClusterNode | undefined {
    return this.#owners[slot]
  }

  /** Every node, whether it owns slots or not. */
  all(): Iterable<ClusterNode> {
    return this.#nodes.values()
  }

  /** The nodes that own slots. */
  masters(): readonly ClusterNode[] {
    return [...new Set(this.#owners)].filter((owner) => owner !== undefined)
  }

  /** The connected nodes, each time beginning with another one. */
  connected(): readonly ClusterNode[] {
    const nodes = [...this.#nodes.values()].filter(({ isConnected }) => isConnected)
    const first = this.#rotation++ % Math.max(nodes.length, 1)
    return [...nodes.slice(first), ...nodes.slice(0, first)]
  }

  /** Connects to the masters. Rejects only if none can be reached: a dead shard costs its own keys. */
  async openSome(): Promise<void> {
    const opening = await Promise.allSettled(this.masters().map((node) => node.open()))
    const failure = opening.find((one) => one.status === 'rejected')
    if (failure !== undefined && opening.every((one) => one.status === 'rejected')) throw failure.reason
  }

  /** Whether every slot has an owner that is connected. */
  isComplete(): boolean {
    return !this.#owners.includes(undefined) && this.masters().every(({ isConnected }) => isConnected)
  }

  /** The node that a redirect names. It survives the next slot map, even if that does not name it. */
  redirectTarget(address: string): ClusterNode {
    const node = this.#nodeAt(address)
    this.#newcomers.add(node)
    return node
  }

  /** Records the owner that a MOVED reply named, and returns whether it is another one than before. */
  setOwner(slot: number, owner: ClusterNode): boolean {
    if (this.#owners[slot] === owner) return false
    this.#owners[slot] = owner
    return true
  }

  /** Takes the owners from a slot map, removes the nodes it does not name, and returns whether any owner changed. */
  install(map: SlotMap): boolean {
    const before = this.#owners
    this.#owners = map.map((address) => (address === undefined ? undefined : this.#nodeAt(address)))
    const named = ownersIn(map)
    for (const [address, node] of this.#nodes) {
      if (named.has(address) || this.#newcomers.has(node)) continue
      this.#nodes.delete(address)
      this.#retire(node)
    }
    this.#newcomers.clear()
    return before.length > 0 && this.#owners.some((owner, slot) => owner !== before[slot])
  }

  /** Removes all nodes. Resolves when they have answered outstanding commands, or at their deadline. */
  async close(): Promise<void> {
    for (const node of this.#removeAll()) this.#retire(node)
    await Promise.all(this.#retired.values())
  }

  /** Removes all nodes; their outstanding commands fail. */
  drop(): void {
    for (const node of this.#removeAll()) node.drop()
    this.dropRetired()
  }

  /** Drops the nodes that are closing; their outstanding commands fail. */
  dropRetired(): void {
    for (const node of this.#retired.keys()) node.drop()
    this.#retired.clear()
  }

  #nodeAt(address: string): ClusterNode {
    let node = this.#nodes.get(address)
    if (node === undefined) {
      node = this.#createNode(address)
      this.#nodes.set(address, node)
    }
    return node
  }

  #retire(node: ClusterNode): void {
    this.#retired.set(
      node,
      node.close().finally(() => this.#retired.delete(node)),
    )
  }

  #removeAll(): readonly ClusterNode[] {
    const nodes = [...this.#nodes.values()]
    this.#nodes.clear()
    this.#newcomers.clear()
    this.#owners = []
    return nodes
  }
}
