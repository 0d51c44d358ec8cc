import type { CacheError } from '../../foundation/cache-error.ts'
import type { RedisAddress } from '../node-redis/redis-address.ts'
import { fromNodeRedis } from '../node-redis/replies.ts'
import { disconnected, unavailable } from '../port/redis-errors.ts'
import { parseSlotMap, type SlotMap } from '../slots/slot-map.ts'
import { ClusterNode, type NodeSettings, within } from './cluster-node.ts'

/** Longest wait for one node while there are others to ask. */
const ANSWER_MS = 1_000

/** The slot map in the eyes of one node. */
interface View {
  readonly map: SlotMap
  /** The cluster's clock as far as this node has heard of it; `NaN` where it may not be asked. */
  readonly epoch: number
}

/**
 * Finds out who owns which slot: asks one node after the other until one answers (`CLUSTER SLOTS`).
 *
 * A failover or a moved slot begins a new epoch, of which some nodes hear late, and one that is cut off from the
 * others never. So a node that is behind what was known already is believed only where all that answer are.
 */
export class SlotMapSurvey {
  readonly #seeds: readonly RedisAddress[]
  readonly #settings: NodeSettings
  readonly #seedMs: number
  #epoch = Number.NEGATIVE_INFINITY

  constructor(seeds: readonly RedisAddress[], settings: NodeSettings) {
    const { connectTimeoutMs } = settings.timeouts
    this.#seeds = seeds
    this.#settings = { ...settings, listener: { connected() {}, disconnected() {} }, onLost() {} }
    this.#seedMs = Math.max(connectTimeoutMs / seeds.length, Math.min(connectTimeoutMs, ANSWER_MS))
  }

  /**
   * @param nodes those that are connected, in the order to be asked; the seeds come after them
   * @throws CacheError what a server said where one said something, else why the first could not be reached
   */
  async look(nodes: readonly ClusterNode[], signal: AbortSignal): Promise<SlotMap> {
    const questions = [
      ...nodes.map((node) => () => askNode(node)),
      ...this.#seeds.map((seed) => () => this.#askSeed(seed, signal)),
    ]
    let behind: View | undefined
    let refusal: CacheError | undefined
    for (const question of questions) {
      if (signal.aborted) break
      try {
        const view = await question()
        if (!(view.epoch < this.#epoch)) return this.#believe(view)
        if (behind === undefined || view.epoch > behind.epoch) behind = view
      } catch (error) {
        const failure = fromNodeRedis(error)
        if (refusal === undefined || (!isAnswer(refusal) && isAnswer(failure))) refusal = failure
      }
    }
    if (behind !== undefined) return this.#believe(behind)
    throw refusal ?? unavailable('closed while connecting')
  }

  #believe({ epoch, map }: View): SlotMap {
    if (!Number.isNaN(epoch)) this.#epoch = epoch
    return map
  }

  async #askSeed(seed: RedisAddress, signal: AbortSignal): Promise<View> {
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

function isAnswer({ replyCode }: CacheError): boolean {
  return replyCode !== undefined
}

async function askNode({ connection, host }: ClusterNode): Promise<View> {
  const questions = Promise.all([
    connection.send('', ['CLUSTER', 'SLOTS'], 'text'),
    connection.send('', ['CLUSTER', 'INFO'], 'text').catch(() => ''),
  ])
  const [slots, info] = await within(questions, ANSWER_MS, () => connection.suspect())
  const map = parseSlotMap(slots, host)
  if (map === undefined) {
    connection.outOfStep()
    throw disconnected('its replies came out of step')
  }
  if (map.every((owner) => owner === undefined)) throw unavailable('the node knows of no slots')
  return { map, epoch: Number(/^cluster_current_epoch:(\d+)/m.exec(String(info))?.[1] ?? Number.NaN) }
}
