import type { SharedTier } from '../../src/backend/seams/shared-tier.ts'
import { escapeGlob } from '../../src/foundation/glob.ts'
import { ReplacedGenerations } from '../../src/redis/store/namespace-removal.ts'
import type { SimulatedRedis } from './simulated-redis.ts'

/** Sends one command, which has a label in the schedule, and runs when the schedule says so. */
type Send = <Reply>(label: string, run: () => Reply) => Promise<Reply>

/** The removals of a process that walk through the key space, a page at a time. */
export class Walks {
  readonly #tier: Pick<SharedTier, 'generationCopies' | 'read' | 'remove'>
  readonly #redis: SimulatedRedis
  readonly #send: Send

  constructor(
    tier: Pick<SharedTier, 'generationCopies' | 'read' | 'remove'>,
    redis: SimulatedRedis,
    send: Send,
  ) {
    this.#tier = tier
    this.#redis = redis
    this.#send = send
  }

  removeMatching(pattern: string): Promise<number> {
    return this.#walk(pattern, (storedKeys) => this.#tier.remove(storedKeys))
  }

  removeUnbound(prefix: string, generationKey: string): Promise<number> {
    return this.#walk(`${escapeGlob(prefix)}*`, async (storedKeys) => {
      const label = `remove what is unbound of ${storedKeys}`
      return (await this.#send(label, () => this.#redis.reclaim(storedKeys, generationKey, true))).removed
    })
  }

  reclaim(prefix: string, generationKey: string, signal: AbortSignal): Promise<number> {
    const generations = new ReplacedGenerations(async () => {
      const copies = this.#tier.generationCopies.map((copy) => this.#tier.read(generationKey + copy))
      return new Set((await Promise.all(copies)).map((bytes) => bytes?.toString('latin1')))
    })
    return this.#walk(`${escapeGlob(prefix)}*`, (storedKeys) => {
      signal.throwIfAborted()
      const label = `reclaim ${storedKeys}`
      return generations.removeBy((replaced) =>
        this.#send(label, () => this.#redis.reclaim(storedKeys, generationKey, false, replaced)),
      )
    })
  }

  async #walk(pattern: string, remove: (storedKeys: readonly string[]) => Promise<number>): Promise<number> {
    let removed = 0
    let cursor = 0
    do {
      const page = cursor
      const { next, storedKeys } = await this.#send(`scan ${page} ${pattern}`, () =>
        this.#redis.scan(page, pattern),
      )
      if (storedKeys.length > 0) removed += await remove(storedKeys)
      cursor = next
    } while (cursor !== 0)
    return removed
  }
}
