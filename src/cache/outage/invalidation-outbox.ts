import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import type { Clock } from '../../foundation/clock.ts'

/** The most pending invalidations. If there are more, one new generation for the whole cache replaces all of them. */
const MOST_WAITING = 1_000
/** Invalidations that Redis acknowledged within this time are sent again if the server may have forgotten them. */
const RECENT_MS = 10_000
const MOST_RECENT = 1_000
/** A failed invalidation is sent again after this time, or at once if a command depends on it. */
const RETRY_AFTER_MS = 500

/** The kind of an invalidation: it removes a key, or replaces a generation. */
type Kind = 'key' | 'generation'

/** A pending invalidation. */
interface Waiting {
  readonly kind: Kind
  /** Set while the invalidation is in flight. */
  delivery: Promise<void> | undefined
  /** The time of the last failure; `-Infinity` if there was none. */
  failedAtMs: number
}

/**
 * Invalidations that Redis has not acknowledged, or may have forgotten. A pending one removes a key, or gives a tag or
 * a namespace a new generation. No command on its key is sent before it has been delivered.
 *
 * Memory is bounded: more than a thousand pending invalidations become one new generation for the whole cache, which
 * invalidates everything. The outbox is lost when the process ends.
 */
export class InvalidationOutbox {
  readonly #rootGenerationKey: string
  readonly #clock: Clock
  readonly #generationTtlMs: () => number
  readonly #onAdd: (storedKey: string) => void
  readonly #waiting = new Map<string, Waiting>()
  /** The invalidations that Redis acknowledged recently, by key, the oldest first. */
  readonly #recent = new Map<string, { readonly kind: Kind; readonly atMs: number }>()
  #hasForgottenRecent = false

  /**
   * @param generationTtlMs returns the time to live of a new generation
   * @param onAdd called for each invalidation that becomes pending: what this process knows of its key is out of date
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

  /** The number of pending invalidations. */
  get size(): number {
    return this.#waiting.size
  }

  /** Whether an invalidation of this key, or a new generation under it, is pending. */
  has(storedKey: string): boolean {
    return this.#waiting.has(storedKey)
  }

  add(kind: Kind, storedKeys: readonly string[]): void {
    for (const storedKey of storedKeys) this.#wait(kind, storedKey)
    if (this.#waiting.size <= MOST_WAITING) return
    this.#waiting.clear()
    this.addEverything()
  }

  /** Adds a new generation for the whole cache, which invalidates everything. */
  addEverything(): void {
    this.#wait('generation', this.#rootGenerationKey)
  }

  #wait(kind: Kind, storedKey: string): void {
    this.#waiting.set(storedKey, { kind, delivery: undefined, failedAtMs: Number.NEGATIVE_INFINITY })
    this.#onAdd(storedKey)
  }

  /** Redis acknowledged a removal by pattern, which can only be repeated by invalidating everything. */
  deliveredEverything(): void {
    this.delivered('generation', [this.#rootGenerationKey])
  }

  /** Redis acknowledged these invalidations. */
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

  /** A server may have forgotten what it acknowledged recently, so all of that becomes pending again. */
  repeatRecent(): void {
    // Their age is not checked again, since the server may have been away for long.
    for (const [storedKey, { kind }] of this.#recent) this.add(kind, [storedKey])
    if (this.#hasForgottenRecent) this.addEverything()
    this.#hasForgottenRecent = false
    this.#recent.clear()
  }

  /**
   * Sends the pending invalidations, each as its own command, so that a failed one does not delay the others. One that
   * has just failed is skipped, unless its key is in `storedKeys`.
   * @param storedKeys the keys whose invalidations are awaited. @default all
   * @throws CacheError if Redis does not acknowledge one that is awaited; it stays pending
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
        // The caller does not await all of them.
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
    // It stays pending if it was added again meanwhile.
    if (this.#waiting.get(storedKey) === waiting) this.#waiting.delete(storedKey)
    this.delivered(waiting.kind, [storedKey])
  }
}
