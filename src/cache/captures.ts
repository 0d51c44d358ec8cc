import type { SharedTier } from '../backend/shared-tier.ts'
import type { BoundGeneration } from '../codec/entry-meta.ts'
import type { Clock } from '../foundation/clock.ts'
import type { Generations, KnownGeneration } from './generations.ts'

const SHORTEST_GENERATION_MS = 30 * 86_400_000
/** Where entries never expire. */
const LONGEST_GENERATION_MS = 400 * 86_400_000

/**
 * Captures the generations that an entry is to depend on, before its value is loaded or sent: as they are known here,
 * or else as the server has them, made there where it has none (G2).
 */
export class Captures {
  readonly #tier: SharedTier
  readonly #generations: Generations
  readonly #clock: Clock
  #generationTtlMs = SHORTEST_GENERATION_MS

  constructor(tier: SharedTier, generations: Generations, clock: Clock) {
    this.#tier = tier
    this.#generations = generations
    this.#clock = clock
  }

  /** Time to live of a generation, in milliseconds: twice that of the longest entry met so far (G4). */
  get generationTtlMs(): number {
    return this.#generationTtlMs
  }

  /**
   * One round trip for those that are not known, or have not been renewed for as long as the entry may live.
   * @param entryTtlMs how long what depends on them may be stored
   * @throws CacheError
   */
  all(generationKeys: readonly string[], entryTtlMs: number): Promise<readonly BoundGeneration[]> {
    this.#generationTtlMs = Math.min(Math.max(this.#generationTtlMs, 2 * entryTtlMs), LONGEST_GENERATION_MS)
    return Promise.all(generationKeys.map((generationKey) => this.#one(generationKey)))
  }

  async #one(generationKey: string): Promise<BoundGeneration> {
    const known = this.#generations.known(generationKey)
    if (known !== undefined && this.#isRenewed(known))
      return { storedKey: generationKey, generation: known.generation }
    const pending = this.#generations.expect(generationKey)
    try {
      const ttlMs = this.#generationTtlMs
      const generation = await this.#tier.capture(generationKey, ttlMs)
      this.#generations.learn(generationKey, pending, generation, ttlMs)
      return { storedKey: generationKey, generation }
    } finally {
      this.#generations.forget(generationKey, pending)
    }
  }

  /** One that is known is seldom read from Redis: before half of its time is over, it is captured again. */
  #isRenewed({ learnedAtMs, ttlMs }: KnownGeneration): boolean {
    const ageMs = this.#clock.monotonicMs() - learnedAtMs
    return ttlMs >= this.#generationTtlMs && ageMs < ttlMs / 4
  }
}
