import { internalsOf } from '../../src/backend/assembly/backend-internals.ts'
import { assembleCache } from '../../src/cache/assemble-cache.ts'
import type { Cache } from '../../src/cache/cache.ts'
import { type ReadThroughOptions, resolveReadThrough } from '../../src/cache/core/read-through-options.ts'
import type { FillRefusal } from '../../src/contract/cache-events.ts'
import { MemoryCacheBackend } from '../../src/memory/memory-cache-backend.ts'
import type { SimulatedRedis } from './simulated-redis.ts'
import { SimulatedTier } from './simulated-tier.ts'
import type { VirtualTime } from './virtual-time.ts'

export const PREFIX = 'p:'

/** Of the memory backend only the codec and the failure policy are used: what is opened is the simulated tier. */
class SimulatedBackend extends MemoryCacheBackend {
  readonly #tier: SimulatedTier

  constructor(tier: SimulatedTier) {
    super({ prefix: PREFIX, errors: 'throw' })
    this.#tier = tier
  }

  override async initialize(): Promise<void> {
    await this.#tier.connect()
    await super.initialize()
  }
}

/** A process with a real cache, which may crash: then none of its timers fires and nobody awaits its calls. */
export class SimulatedProcess {
  readonly id: number
  readonly tier: SimulatedTier
  readonly cache: Cache
  isAlive = true
  /** Keys for which a stale value stood in for a load that failed or was slow. */
  readonly servedInstead = new Set<string>()
  /** How often the end of a change was not acknowledged. */
  changeFailures = 0
  /** Why the last fill of a key was refused. */
  readonly refusals = new Map<string, FillRefusal>()

  constructor(
    id: number,
    redis: SimulatedRedis,
    time: VirtualTime,
    options: ReadThroughOptions,
    hasCopies = false,
  ) {
    this.id = id
    const timers = time.timers(() => this.isAlive)
    this.tier = new SimulatedTier(`${id}`, redis, time, timers, hasCopies)
    const backend = new SimulatedBackend(this.tier)
    const parts = internalsOf(backend)
    if (parts === undefined) throw new Error('The backend has no parts')
    this.cache = assembleCache({
      ...{ backend, parts, timers, clock: time, tier: this.tier, isOwnBackend: false },
      // As the schedule has it while it runs.
      random: () => Math.random(),
      options: resolveReadThrough(options, 3_600_000),
    })
    this.cache.on('fill-refused', ({ key, reason }) => this.refusals.set(key, reason))
    this.cache.on('error', ({ operation }) => {
      if (['change', 'delete', 'invalidateTags'].includes(operation)) this.changeFailures++
    })
    this.cache.on('stale', ({ key, reason }) => {
      if (reason !== 'revalidate') this.servedInstead.add(key)
    })
  }

  crash(redis: SimulatedRedis): void {
    this.isAlive = false
    const { link } = this.tier
    if (link === undefined) return
    link.isCut = true
    redis.forget(link)
  }
}
