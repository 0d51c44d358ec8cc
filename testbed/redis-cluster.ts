import type { RedisReply } from './redis-command.ts'
import { type RedisProcess, type RedisProcessOptions, startRedisProcesses } from './redis-process.ts'
import { waitUntil } from './wait-until.ts'

const SLOT_COUNT = 16_384
const START_BOUND_MS = 30_000

/** What {@link startCluster} starts. */
export interface ClusterOptions {
  /** Redis Cluster asks for three at least. @default 3 */
  readonly masters?: number
  /** @default 1 */
  readonly replicasPerMaster?: number
  /** Milliseconds of silence after which a node is taken for dead and its replica takes over. @default 2000 */
  readonly nodeTimeoutMs?: number
  /** More arguments of every node; they win over the testbed's own. */
  readonly args?: readonly string[]
}

/**
 * Starts a cluster on 127.0.0.1 and resolves when every node reports it whole, knows who serves each slot, and
 * every replica holds its master's data: about three seconds.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<RedisCluster> {
  const { masters = 3, replicasPerMaster = 1, nodeTimeoutMs = 2000, args = [] } = options
  const node: RedisProcessOptions = {
    args: [
      ...['--save', '', '--appendonly', 'no'],
      ...['--cluster-enabled', 'yes', '--cluster-node-timeout', `${nodeTimeoutMs}`],
      ...['--cluster-allow-replica-migration', 'no'], // else replicas move between masters on their own
      ...['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'], // replicas are listed sooner
      ...args,
    ],
    withBus: true,
  }
  const size = masters * (1 + replicasPerMaster)
  const cluster = new RedisCluster(await startRedisProcesses(Array.from({ length: size }, () => node)))
  try {
    await cluster.form(masters)
    await cluster.whole(replicasPerMaster)
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

/** A running cluster. Made by {@link startCluster}. */
export class RedisCluster {
  /** In the order they were started: the first are masters until a failover. */
  readonly nodes: readonly RedisProcess[]

  /** @internal */
  constructor(nodes: readonly RedisProcess[]) {
    this.nodes = nodes
  }

  /**
   * Makes one cluster of the nodes. Each one has its slots or its master before it meets the others, which then need not
   * hear of it later: `redis-cli --cluster create` takes twice as long.
   * @internal
   */
  async form(masters: number): Promise<void> {
    const owners = this.nodes.slice(0, masters)
    await Promise.all(
      this.nodes.map(async (node, index) => {
        await node.ask('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
        const owner = owners[index % masters] as RedisProcess
        if (node === owner) {
          const [first, next] = [index, index + 1].map((share) => Math.ceil((share * SLOT_COUNT) / masters))
          await node.ask('CLUSTER', 'ADDSLOTSRANGE', first as number, (next as number) - 1)
          return
        }
        await node.ask('CLUSTER', 'MEET', owner.host, owner.port)
        const id = await this.#idOf(owner.port)
        const follows = async () => (await node.ask('CLUSTER', 'REPLICATE', id)) === 'OK'
        await waitUntil(follows, { what: 'a replica that knows its master', timeoutMs: START_BOUND_MS })
      }),
    )
    for (const node of this.nodes) {
      for (const { host, port } of this.nodes)
        if (port !== node.port) await node.ask('CLUSTER', 'MEET', host, port)
    }
  }

  /** Of all nodes, without credentials. */
  get urls(): readonly string[] {
    return this.nodes.map(({ port }) => `redis://127.0.0.1:${port}`)
  }

  /** The node on this port. @throws Error when there is none */
  node(port: number): RedisProcess {
    const found = this.nodes.find((node) => node.port === port)
    if (found === undefined) throw new Error(`No cluster node has port ${port}`)
    return found
  }

  /** One command to the node on this port, which does not follow redirections. */
  ask(port: number, ...command: readonly (string | number | Buffer)[]): Promise<RedisReply> {
    return this.node(port).ask(...command)
  }

  /** The ports of the masters that serve slots, as the first node to answer sees it. */
  async masters(): Promise<number[]> {
    return [...new Set((await this.#slotRanges()).map(({ master }) => master))]
  }

  /** The port of the master that serves this slot, as the first node to answer sees it. */
  async masterOf(slot: number): Promise<number> {
    const range = (await this.#slotRanges()).find(({ first, last }) => first <= slot && slot <= last)
    if (range === undefined) throw new Error(`No master serves slot ${slot}`)
    return range.master
  }

  /** The port of a replica of the master on this port, as the replica itself sees it. */
  async replicaOf(master: number): Promise<number> {
    const id = await this.#idOf(master)
    for (const { port, pid } of this.nodes) {
      if (pid === undefined) continue
      const nodes = String(await this.ask(port, 'CLUSTER', 'NODES')).split('\n')
      const own = nodes.find((line) => line.includes('myself'))
      if (own?.split(' ')[3] === id) return port
    }
    throw new Error(`Port ${master} has no replica`)
  }

  /** The slot of a key, as the server computes it. */
  async slotOf(key: string): Promise<number> {
    return Number(await Promise.any(this.nodes.map((node) => node.ask('CLUSTER', 'KEYSLOT', key))))
  }

  /** Opens the migration of a slot: from now on `from` answers ASK for its keys that it does not hold. */
  async beginMigration(slot: number, from: number, to: number): Promise<void> {
    await this.ask(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', await this.#idOf(from))
    await this.ask(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', await this.#idOf(to))
  }

  /** Moves the keys of a migrating slot that are still at `from`, or only the given ones. */
  async moveKeys(slot: number, from: number, to: number, keys?: readonly string[]): Promise<void> {
    const count = await this.ask(from, 'CLUSTER', 'COUNTKEYSINSLOT', slot)
    const moving =
      keys ?? ((await this.ask(from, 'CLUSTER', 'GETKEYSINSLOT', slot, Number(count))) as string[])
    if (moving.length === 0) return
    await this.ask(from, 'MIGRATE', this.node(to).host, to, '', 0, 5000, 'KEYS', ...moving)
  }

  /**
   * Moves what keys are left, gives the slot to `to`, and resolves when every node knows: from now on the others
   * answer MOVED.
   */
  async finishMigration(slot: number, from: number, to: number): Promise<void> {
    await this.moveKeys(slot, from, to)
    const id = await this.#idOf(to)
    // The new owner first: should a node fail in between, the slot has one owner too many rather than none.
    for (const port of [to, from]) await this.ask(port, 'CLUSTER', 'SETSLOT', slot, 'NODE', id)
    await this.#everyNode(`slot ${slot} at port ${to}`, async (node) =>
      parseSlotRanges(await node.ask('CLUSTER', 'SLOTS')).some(
        ({ first, last, master }) => first <= slot && slot <= last && master === to,
      ),
    )
  }

  /**
   * Resolves when every running node reports the cluster whole and lists this many replicas with each slot, and
   * every replica follows its master. After a failover fewer are listed until the dead one is back.
   */
  whole(replicasPerMaster: number): Promise<void> {
    return this.#everyNode('a whole cluster', async (node) => {
      const [info, replication, slots] = await Promise.all([
        node.ask('CLUSTER', 'INFO'),
        node.ask('INFO', 'replication'),
        node.ask('CLUSTER', 'SLOTS'),
      ])
      const ranges = parseSlotRanges(slots)
      const covered = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0)
      return (
        String(info).includes('cluster_state:ok') &&
        !String(replication).includes('master_link_status:down') &&
        covered === SLOT_COUNT &&
        ranges.every(({ replicas }) => replicas.length === replicasPerMaster)
      )
    })
  }

  /** Ends every node. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
  }

  async #slotRanges(): Promise<SlotRange[]> {
    return parseSlotRanges(await Promise.any(this.nodes.map((node) => node.ask('CLUSTER', 'SLOTS'))))
  }

  async #idOf(port: number): Promise<string> {
    return String(await this.ask(port, 'CLUSTER', 'MYID'))
  }

  #everyNode(what: string, holds: (node: RedisProcess) => Promise<boolean>): Promise<void> {
    const running = this.nodes.filter((node) => node.pid !== undefined)
    const ask = async (): Promise<boolean> => (await Promise.all(running.map(holds))).every(Boolean)
    return waitUntil(ask, { what, timeoutMs: START_BOUND_MS })
  }
}

/** Slots in a row with the same owner; nodes by their ports. */
interface SlotRange {
  readonly first: number
  readonly last: number
  readonly master: number
  readonly replicas: readonly number[]
}

/** The reply to `CLUSTER SLOTS`: `[first, last, [host, port, …] of the master, … of each replica]` per range. */
function parseSlotRanges(reply: RedisReply): SlotRange[] {
  return (reply as [number, number, ...[string, number][]][]).map(
    ([first, last, [, master] = ['', 0], ...replicas]) => ({
      first,
      last,
      master,
      replicas: replicas.map(([, port]) => port),
    }),
  )
}
