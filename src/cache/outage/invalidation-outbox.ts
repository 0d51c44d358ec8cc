import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import type { Clock } from '../../foundation/clock.ts'

/** Most keys and generations that wait. Past it, the generation of the whole cache takes the place of all of them. */
const MOST_WAITING = 1_000
/** Invalidations that were acknowledged this long ago are sent again to a server that may have forgotten them. */
const RECENT_MS = 10_000
const MOST_RECENT = 1_000
/** One that failed is sent again this long after, unless somebody waits for it. */
const RETRY_AFTER_MS = 500

/** What an invalidation does: it removes a key, or replaces a generation. */
type Kind = 'key' | 'generation'

/** An invalidation that waits. */
interface Waiting {
  readonly kind: Kind
  /** Set while it is being sent. */
  delivery: Promise<void> | undefined
  /** When it last failed. */
  failedAtMs: number
}

/**
 * Invalidations that Redis has not acknowledged, or may have forgotten. A key waits to be removed, a tag or a namespace
 * for a new generation. Whatever depends on something that waits is not read before that has been delivered.
 *
 * Memory is bounded: past a thousand, the generation of the whole cache is replaced, which invalidates everything. The
 * outbox dies with the process.
 */
export class InvalidationOutbox {
  readonly #rootGenerationKey: string
  readonly #clock: Clock
  readonly #generationTtlMs: () => number
  readonly #onAdd: (storedKey: string) => void
  readonly #waiting = new Map<string, Waiting>()
  /** By key, the oldest first. */
  readonly #recent = new Map<string, { readonly kind: Kind; readonly atMs: number }>()
  #hasForgottenRecent = false

  /**
   * @param generationTtlMs time to live of a new generation
   * @param onAdd called for everything that waits from now on: what this process knows of it is out of date
   */
  constructor(
    rootGenerationKey: string,
    generationTtlMs: () => number,
    clock: Clock,
    onAdd: (storedKey: string) => void,
  ) {
    this.#onAdd = onAdd
    this.#rootGenerationKey = rootGenerationKey
    this.#generationTtlMs = generationTtlMs
    this.#clock = clock
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  /** How many invalidations wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** Whether the removal of this key, or a new generation under it, waits. */
  has(storedKey: string): boolean {
    return this.#waiting.has(storedKey)
  }

  add(kind: Kind, storedKeys: readonly string[]): void {
    for (const storedKey of storedKeys) this.#wait(kind, storedKey)
    if (this.#waiting.size <= MOST_WAITING) return
    this.#waiting.clear()
    this.addEverything()
  }

  /** The generation of the whole cache is to be replaced. */
  addEverything(): void {
    this.#wait('generation', this.#rootGenerationKey)
  }

  #wait(kind: Kind, storedKey: string): void {
    this.#waiting.set(storedKey, { kind, delivery: undefined, failedAtMs: Number.NEGATIVE_INFINITY })
    this.#onAdd(storedKey)
  }

  /** A removal by pattern was acknowledged. It can only be repeated by invalidating everything. */
  deliveredEverything(): void {
    this.delivered('generation', [this.#rootGenerationKey])
  }

  /** An invalidation was acknowledged. */
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

  /** A server may have forgotten what it acknowledged lately: all of that waits again. */
  repeatRecent(): void {
    // However long the server was away: what counts is the time before that.
    for (const [storedKey, { kind }] of this.#recent) this.add(kind, [storedKey])
    if (this.#hasForgottenRecent) this.addEverything()
    this.#hasForgottenRecent = false
    this.#recent.clear()
  }

  /**
   * Sends what waits, each by itself: one that fails holds up no other, and is not sent again at once.
   * @param storedKeys what is waited for, and sent in any case. @default all
   * @throws CacheError where one of those that are waited for is not acknowledged; it goes on waiting
   */
  async deliver(tier: SharedTier, storedKeys?: readonly string[]): Promise<void> {
    const all = new Map<string, Promise<void>>()
    const wantsAll = storedKeys === undefined
    const dueMs = this.#clock.monotonicMs() - RETRY_AFTER_MS
    for (const [storedKey, waiting] of this.#waiting) {
      const isWanted = wantsAll || waiting.failedAtMs <= dueMs || storedKeys.includes(storedKey)
      if (!isWanted) continue
      if (waiting.delivery === undefined) {
        waiting.delivery = this.#deliver(tier, storedKey, waiting)
        // Not all of them are waited for.
        waiting.delivery.catch(() => {})
      }
      all.set(storedKey, waiting.delivery)
    }
    const wanted = wantsAll ? all.values() : storedKeys.map((storedKey) => all.get(storedKey))
    const outcomes = await Promise.allSettled(wanted)
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  async #deliver(tier: SharedTier, storedKey: string, waiting: Waiting): Promise<void> {
    try {
      if (waiting.kind === 'key') await tier.remove([storedKey])
      else await tier.bump(storedKey, this.#generationTtlMs())
    } catch (error) {
      waiting.delivery = undefined
      waiting.failedAtMs = this.#clock.monotonicMs()
      throw error
    }
    // Unless it was added anew meanwhile.
    if (this.#waiting.get(storedKey) === waiting) this.#waiting.delete(storedKey)
    this.delivered(waiting.kind, [storedKey])
  }
}
