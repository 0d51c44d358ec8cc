import type { CacheError } from '../../foundation/errors/cache-error.ts'
import type { RedisAddress } from '../node-redis/redis-address.ts'
import { fromNodeRedis } from '../node-redis/replies.ts'
import { disconnected, unavailable } from '../port/redis-errors.ts'
import { parseSlotMap, type SlotMap } from '../slots/slot-map.ts'
import { ClusterNode, type NodeSettings, within } from './cluster-node.ts'

/** Longest wait for the reply of one node. */
const REPLY_MS = 1_000

/** The slot map as one node reports it. */
interface ReportedMap {
  readonly map: SlotMap
  /** The `cluster_current_epoch` that the node knows; `NaN` if the user may not ask for it. */
  readonly epoch: number
}

/**
 * Fetches the slot map of a cluster: asks one node after the other until one replies (`CLUSTER SLOTS`, `CLUSTER INFO`).
 *
 * A failover or a moved slot begins a new configuration epoch. Some nodes learn of it late, and a node that is
 * partitioned from the others does not learn of it. So a map of an older epoch than one fetched before is accepted only
 * if no node has a newer one.
 */
export class SlotMapSurvey {
  readonly #seeds: readonly RedisAddress[]
  readonly #settings: NodeSettings
  /** Longest time for connecting to one seed and its reply. */
  readonly #seedMs: number
  /** The epoch of the last accepted map. */
  #epoch = Number.NEGATIVE_INFINITY

  constructor(seeds: readonly RedisAddress[], settings: NodeSettings) {
    const { connectTimeoutMs } = settings.timeouts
    this.#seeds = seeds
    this.#settings = { ...settings, listener: { connected() {}, disconnected() {} }, onLost() {} }
    this.#seedMs = Math.max(connectTimeoutMs / seeds.length, Math.min(connectTimeoutMs, REPLY_MS))
  }

  /**
   * @param nodes connected nodes, in the order in which to ask them; the seeds are asked after them
   * @throws CacheError the first error reply, if some server sent one; else why the first node could not be reached
   */
  async fetch(nodes: readonly ClusterNode[], signal: AbortSignal): Promise<SlotMap> {
    const requests = [
      ...nodes.map((node) => () => askNode(node)),
      ...this.#seeds.map((seed) => () => this.#askSeed(seed, signal)),
    ]
    let newestOutdated: ReportedMap | undefined
    let failure: CacheError | undefined
    for (const request of requests) {
      if (signal.aborted) break
      try {
        const reported = await request()
        if (!(reported.epoch < this.#epoch)) return this.#accept(reported)
        if (newestOutdated === undefined || reported.epoch > newestOutdated.epoch) newestOutdated = reported
      } catch (error) {
        const next = fromNodeRedis(error)
        if (failure === undefined || (!isRefusal(failure) && isRefusal(next))) failure = next
      }
    }
    if (newestOutdated !== undefined) return this.#accept(newestOutdated)
    throw failure ?? unavailable('closed while connecting')
  }

  #accept({ epoch, map }: ReportedMap): SlotMap {
    if (!Number.isNaN(epoch)) this.#epoch = epoch
    return map
  }

  async #askSeed(seed: RedisAddress, signal: AbortSignal): Promise<ReportedMap> {
    const node = new ClusterNode(seed.endpoint, () => seed, this.#settings)
    const drop = () => node.drop()
    signal.addEventListener('abort', drop)
    try {
      return await within(
        node.open().then(() => askNode(node)),
        this.#seedMs,
      )
    } finally {
      signal.removeEventListener('abort', drop)
      drop()
    }
  }
}

function isRefusal({ replyCode }: CacheError): boolean {
  return replyCode !== undefined
}

async function askNode({ connection, host }: ClusterNode): Promise<ReportedMap> {
  const replies = Promise.all([
    connection.send('', ['CLUSTER', 'SLOTS'], 'text'),
    connection.send('', ['CLUSTER', 'INFO'], 'text').catch(() => ''),
  ])
  const [slots, info] = await within(replies, REPLY_MS, () => connection.suspect())
  const map = parseSlotMap(slots, host)
  if (map === undefined) {
    connection.desynchronized()
    throw disconnected('its replies came out of step')
  }
  if (map.every((owner) => owner === undefined)) throw unavailable('the node knows of no slots')
  return { map, epoch: Number(/^cluster_current_epoch:(\d+)/m.exec(String(info))?.[1] ?? Number.NaN) }
}
