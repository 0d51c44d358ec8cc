import type { SharedTier } from '../backend/shared-tier.ts'
import type { BoundGeneration } from '../codec/entry-meta.ts'
import type { Clock } from '../foundation/clock.ts'
import type { Generations } from './generations.ts'

/**
 * Captures the generations that an entry is to depend on, before its value is loaded or sent: as they are known here,
 * or else as the server has them, made there where it has none (G2).
 */
export class Captures {
  readonly #tier: SharedTier
  readonly #generations: Generations
  readonly #clock: Clock
  readonly #ttlMs: number

  /** @param ttlMs time to live of a generation */
  constructor(tier: SharedTier, generations: Generations, clock: Clock, ttlMs: number) {
    this.#tier = tier
    this.#generations = generations
    this.#clock = clock
    this.#ttlMs = ttlMs
  }

  /** One round trip for those that are not known. @throws CacheError */
  all(generationKeys: readonly string[]): Promise<readonly BoundGeneration[]> {
    return Promise.all(generationKeys.map((generationKey) => this.#one(generationKey)))
  }

  async #one(generationKey: string): Promise<BoundGeneration> {
    const known = this.#generations.known(generationKey)
    // One that is read seldom from Redis is renewed there by being asked for.
    const isYoung = known !== undefined && this.#clock.monotonicMs() - known.learnedAtMs < this.#ttlMs / 4
    if (known !== undefined && isYoung) return { storedKey: generationKey, generation: known.generation }
    const pending = this.#generations.expect(generationKey)
    try {
      const generation = await this.#tier.capture(generationKey, this.#ttlMs)
      this.#generations.learn(generationKey, pending, generation)
      return { storedKey: generationKey, generation }
    } finally {
      this.#generations.forget(generationKey, pending)
    }
  }
}
