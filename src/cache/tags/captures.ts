import { LRUCache } from 'lru-cache'
import type { SharedTier } from '../../backend/shared-tier.ts'
import type { BoundGeneration } from '../../codec/envelope/entry-meta.ts'
import type { Clock } from '../../foundation/clock.ts'
import { CoalescedCalls } from '../keys/coalesced-calls.ts'
import type { GenerationTable } from './generation-table.ts'

/** Generations whose renewal is remembered. */
const MOST_RENEWALS = 50_000
const SHORTEST_GENERATION_MS = 30 * 86_400_000
/** Where entries never expire. */
const LONGEST_GENERATION_MS = 400 * 86_400_000

/**
 * Captures the generations that an entry is to depend on, before its value is loaded or sent: as they are known here,
 * or else as the server has them, made there where it has none (G2).
 */
export class Captures {
  readonly #tier: SharedTier
  readonly #generations: GenerationTable
  readonly #clock: Clock
  readonly #capturing = new CoalescedCalls<string>()
  /** When this process last captured a generation, and for how long. */
  readonly #renewals = new LRUCache<string, { readonly atMs: number; readonly ttlMs: number }>({
    maxSize: MOST_RENEWALS,
    sizeCalculation: () => 1,
  })
  #generationTtlMs = SHORTEST_GENERATION_MS

  constructor(tier: SharedTier, generations: GenerationTable, clock: Clock) {
    this.#tier = tier
    this.#generations = generations
    this.#clock = clock
  }

  /** Time to live of a generation, in milliseconds: twice that of the longest entry met so far (G4). */
  get generationTtlMs(): number {
    return this.#generationTtlMs
  }

  /**
   * One round trip for those that are not known.
   * @param entryTtlMs how long what depends on them may be stored
   * @throws CacheError
   */
  all(generationKeys: readonly string[], entryTtlMs: number): Promise<readonly BoundGeneration[]> {
    this.#generationTtlMs = Math.min(Math.max(this.#generationTtlMs, 2 * entryTtlMs), LONGEST_GENERATION_MS)
    return Promise.all(generationKeys.map((generationKey) => this.#one(generationKey)))
  }

  /** The generation may have been renewed: who asks from now on must not share an older answer. */
  invalidated(generationKey: string): void {
    this.#capturing.askAnew(generationKey)
  }

  writeBegan(generationKey: string): void {
    this.invalidated(generationKey)
  }

  writeSettled(generationKey: string): void {
    this.invalidated(generationKey)
  }

  removing(): void {}

  epochBegan(): void {
    this.#capturing.askAllAnew()
  }

  async #one(generationKey: string): Promise<BoundGeneration> {
    const known = this.#generations.known(generationKey)
    if (known === undefined)
      return { storedKey: generationKey, generation: await this.#capture(generationKey) }
    // One that is known is seldom read from Redis; nobody waits for its renewal.
    if (!this.#isRenewed(generationKey)) this.#capture(generationKey).catch(() => {})
    return { storedKey: generationKey, generation: known.generation }
  }

  /** Those who ask meanwhile share the answer. */
  #capture(generationKey: string): Promise<string> {
    return this.#capturing.ask(generationKey, () => this.#send(generationKey))
  }

  async #send(generationKey: string): Promise<string> {
    const pending = this.#generations.expect(generationKey)
    const ttlMs = this.#generationTtlMs
    this.#renewals.set(generationKey, { atMs: this.#clock.monotonicMs(), ttlMs })
    try {
      const generation = await this.#tier.capture(generationKey, ttlMs)
      this.#generations.learn(generationKey, pending, generation)
      return generation
    } catch (error) {
      this.#renewals.delete(generationKey)
      throw error
    } finally {
      this.#generations.forget(generationKey, pending)
    }
  }

  /** Whether this process has seen to it that the generation outlives what bears it. */
  #isRenewed(generationKey: string): boolean {
    const renewal = this.#renewals.get(generationKey)
    if (renewal === undefined || renewal.ttlMs < this.#generationTtlMs) return false
    return this.#clock.monotonicMs() - renewal.atMs < renewal.ttlMs / 4
  }
}
