import type { SharedTier } from '../../backend/shared-tier.ts'
import type { Clock } from '../../foundation/clock.ts'

/** Most keys and generations that wait; past it the whole namespace is invalidated instead. */
const MOST_WAITING = 1_000
/** Acknowledged invalidations of this long ago are delivered again to a server that may have forgotten them. */
const RECENT_MS = 10_000
const MOST_RECENT = 1_000

/** What may have been invalidated without Redis knowing: keys to remove, and generations to renew. */
type Kind = 'key' | 'generation'

/**
 * Invalidations that Redis has not acknowledged, or may have forgotten. They are delivered before anything is read:
 * a key as its removal, a tag or namespace as a new generation. Memory is bounded: past a thousand the generation of
 * the whole cache is renewed, which covers them all. What is here dies with the process.
 */
export class InvalidationOutbox {
  readonly #rootGenerationKey: string
  readonly #clock: Clock
  readonly #generationTtlMs: () => number
  readonly #waiting = new Map<string, Kind>()
  /** In the order of their time. */
  readonly #recent = new Map<string, { readonly kind: Kind; readonly atMs: number }>()
  #hasForgottenRecent = false
  #delivering: Promise<void> | undefined

  /** @param generationTtlMs time to live of a new generation */
  constructor(rootGenerationKey: string, generationTtlMs: () => number, clock: Clock) {
    this.#rootGenerationKey = rootGenerationKey
    this.#generationTtlMs = generationTtlMs
    this.#clock = clock
  }

  /** Whether nothing waits, and nothing is on its way. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0 && this.#delivering === undefined
  }

  /** What waits. */
  get size(): number {
    return this.#waiting.size
  }

  /** Whether the removal of a key or the renewal of a generation waits. */
  has(storedKey: string): boolean {
    return this.#waiting.has(storedKey)
  }

  add(kind: Kind, storedKeys: readonly string[]): void {
    for (const storedKey of storedKeys) this.#waiting.set(storedKey, kind)
    if (this.#waiting.size <= MOST_WAITING) return
    this.#waiting.clear()
    this.addEverything()
  }

  /** The generation of the whole cache is to be renewed. */
  addEverything(): void {
    this.#waiting.set(this.#rootGenerationKey, 'generation')
  }

  /** Something was removed that cannot be told again but by invalidating everything. */
  deliveredEverything(): void {
    this.delivered('generation', [this.#rootGenerationKey])
  }

  /** An invalidation has been acknowledged. */
  delivered(kind: Kind, storedKeys: readonly string[]): void {
    const atMs = this.#clock.monotonicMs()
    for (const storedKey of storedKeys) {
      this.#recent.delete(storedKey)
      this.#recent.set(storedKey, { kind, atMs })
    }
    for (const [storedKey, { atMs: recentMs }] of this.#recent) {
      const isOld = atMs - recentMs > RECENT_MS
      if (!isOld && this.#recent.size <= MOST_RECENT) break
      this.#hasForgottenRecent ||= !isOld
      this.#recent.delete(storedKey)
    }
  }

  /** A server may have forgotten what it acknowledged a moment ago. */
  repeatRecent(): void {
    // However long the server was away: what metrics is the time before it went.
    for (const [storedKey, { kind }] of this.#recent) this.add(kind, [storedKey])
    if (this.#hasForgottenRecent) this.addEverything()
    this.#hasForgottenRecent = false
    this.#recent.clear()
  }

  /**
   * Delivers what waits; those who ask meanwhile wait for the same attempt.
   * @throws CacheError where Redis does not acknowledge it; it then goes on waiting
   */
  deliver(tier: SharedTier): Promise<void> {
    this.#delivering ??= this.#deliver(tier).finally(() => {
      this.#delivering = undefined
    })
    return this.#delivering
  }

  async #deliver(tier: SharedTier): Promise<void> {
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting]
      const keys = batch.filter(([, kind]) => kind === 'key').map(([storedKey]) => storedKey)
      const generations = batch.filter(([, kind]) => kind === 'generation').map(([storedKey]) => storedKey)
      // Out before they are sent: what is added meanwhile is added anew.
      for (const [storedKey] of batch) this.#waiting.delete(storedKey)
      try {
        await Promise.all([
          keys.length > 0 ? tier.remove(keys) : undefined,
          ...generations.map((storedKey) => tier.bump(storedKey, this.#generationTtlMs())),
        ])
        this.delivered('key', keys)
        this.delivered('generation', generations)
      } catch (error) {
        this.add('key', keys)
        this.add('generation', generations)
        throw error
      }
    }
  }
}
