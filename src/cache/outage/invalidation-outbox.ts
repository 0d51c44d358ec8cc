import type { Renewal, SharedTier } from '../../backend/seams/shared-tier.ts'
import type { Clock } from '../../foundation/time/clock.ts'
import { PendingRemovals, type Removal, type RemovalTier } from './pending-removals.ts'
import { RecentInvalidations } from './recent-invalidations.ts'

/** The most pending invalidations, and the most recent ones that are remembered. */
const MOST_WAITING = 10_000
const MOST_RECENT = 10_000
const MOST_RECENT_REMOVALS = 100

/** The kind of an invalidation: it removes a key, replaces a generation, or expires one. */
export type InvalidationKind = 'key' | 'generation' | 'expiry'

/** What the outbox sends invalidations to. */
export type DeliveryTier = RemovalTier & Pick<SharedTier, 'remove' | 'bump'>

/** A pending invalidation. */
interface Waiting {
  readonly kind: InvalidationKind
  /** Set while the invalidation is in flight. */
  delivery: Promise<void> | undefined
}

/** The parts of an {@link InvalidationOutbox}. */
export interface OutboxParts {
  readonly clock: Clock
  /** The time to live of a new generation. */
  readonly generationTtlMs: () => number
  /** Stored keys of the generations of the whole cache. */
  readonly rootGenerationKeys: () => readonly string[]
  /** Removes all values that are bound to no generation; `undefined` if the cache has no prefix to find them by. */
  readonly rootRemoval: Removal | undefined
  /** Called for each invalidation that becomes pending: what this process knows of its key is out of date. */
  readonly onAdd: (storedKey: string) => void
}

/**
 * Invalidations that Redis has not acknowledged, or may have forgotten. A pending one removes a key, gives a tag or a
 * namespace a new generation, or removes many keys. No command on its key is sent before it has been delivered.
 *
 * Memory is bounded: if there are too many, everything in the cache is invalidated in place of them. The outbox is lost
 * when the process ends.
 */
export class InvalidationOutbox {
  readonly #parts: OutboxParts
  readonly #waiting = new Map<string, Waiting>()
  readonly #removals: PendingRemovals
  readonly #recent: RecentInvalidations<InvalidationKind>
  readonly #recentRemovals: RecentInvalidations<Removal>

  constructor(parts: OutboxParts) {
    const { clock } = parts
    this.#parts = parts
    this.#removals = new PendingRemovals(clock)
    this.#recent = new RecentInvalidations(clock, MOST_RECENT)
    this.#recentRemovals = new RecentInvalidations(clock, MOST_RECENT_REMOVALS)
  }

  get isEmpty(): boolean {
    return this.size === 0
  }

  /** The number of pending invalidations. */
  get size(): number {
    return this.#waiting.size + this.#removals.size
  }

  /** Whether an invalidation of this key, or a new generation under it, is pending. */
  has(storedKey: string): boolean {
    return this.#waiting.has(storedKey) || this.#removals.covers(storedKey)
  }

  add(kind: InvalidationKind, storedKeys: readonly string[]): void {
    for (const storedKey of storedKeys) this.#wait(kind, storedKey)
    if (this.#waiting.size > MOST_WAITING) this.#addEverythingInstead()
  }

  addRemoval(removal: Removal): void {
    if (!this.#removals.add(removal)) this.#addEverythingInstead()
  }

  /** Adds what invalidates everything in the cache: new generations, and the removal of what is bound to none. */
  addEverything(): void {
    this.renewRoot()
    const { rootRemoval } = this.#parts
    if (rootRemoval !== undefined) this.#removals.add(rootRemoval)
  }

  /** Adds a new generation of the whole cache, which invalidates all entries. */
  renewRoot(): void {
    for (const storedKey of this.#parts.rootGenerationKeys()) this.#wait('generation', storedKey)
  }

  #addEverythingInstead(): void {
    this.#waiting.clear()
    this.#removals.clear()
    this.addEverything()
  }

  #wait(kind: InvalidationKind, storedKey: string): void {
    const wanted = strongerOf(kind, this.#waiting.get(storedKey)?.kind)
    this.#waiting.set(storedKey, { kind: wanted, delivery: undefined })
    this.#parts.onAdd(storedKey)
  }

  /** Redis acknowledged these invalidations. */
  delivered(kind: InvalidationKind, storedKeys: readonly string[]): void {
    for (const storedKey of storedKeys) {
      this.#recent.add(storedKey, strongerOf(kind, this.#recent.of(storedKey)))
    }
  }

  /** Redis acknowledged the removal of many keys. */
  deliveredRemoval(removal: Removal): void {
    this.#recentRemovals.add(removal.name, removal)
  }

  /**
   * A server may have forgotten what it acknowledged recently, so all of that becomes pending again. If there was more
   * than is remembered, all entries are invalidated; counters, sets and plain values are spared.
   */
  repeatRecent(): void {
    const invalidations = this.#recent.take()
    const removals = this.#recentRemovals.take()
    for (const [storedKey, kind] of invalidations.all) this.add(kind, [storedKey])
    for (const [, removal] of removals.all) this.addRemoval(removal)
    if (!invalidations.isComplete || !removals.isComplete) this.renewRoot()
  }

  /**
   * Sends all pending invalidations, each as its own command, so that a failed one does not delay the others. Those that
   * fail stay pending. Never rejects.
   */
  async deliverAll(tier: DeliveryTier): Promise<void> {
    const removing = this.#removals.deliver(tier, (removal) => this.deliveredRemoval(removal))
    const deliveries = Array.from(this.#waiting, ([storedKey, waiting]) =>
      this.#delivery(tier, storedKey, waiting),
    )
    await Promise.allSettled([removing, ...deliveries])
  }

  /**
   * Sends the pending invalidations of these keys. The removals of many keys are not sent for that: they may take long.
   * In place of them, each of these keys that they cover is removed.
   * @throws CacheError if Redis does not acknowledge one; it stays pending
   */
  async deliverFor(tier: DeliveryTier, storedKeys: readonly string[]): Promise<void> {
    const deliveries = storedKeys.map((storedKey) => {
      const waiting = this.#waiting.get(storedKey)
      return waiting === undefined ? this.#clear(tier, storedKey) : this.#delivery(tier, storedKey, waiting)
    })
    const outcomes = await Promise.allSettled(deliveries)
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  #delivery(tier: DeliveryTier, storedKey: string, waiting: Waiting): Promise<void> {
    waiting.delivery ??= this.#deliver(tier, storedKey, waiting)
    return waiting.delivery
  }

  async #deliver(tier: DeliveryTier, storedKey: string, waiting: Waiting): Promise<void> {
    const cleared = this.#removals.clearing(storedKey)
    try {
      if (waiting.kind === 'key') await tier.remove([storedKey])
      else await tier.bump(storedKey, this.#parts.generationTtlMs(), renewalOf(waiting.kind))
    } catch (error) {
      waiting.delivery = undefined
      throw error
    }
    // It stays pending if it was added again meanwhile.
    if (this.#waiting.get(storedKey) === waiting) this.#waiting.delete(storedKey)
    cleared()
    this.delivered(waiting.kind, [storedKey])
  }

  /** Removes a key that a pending removal of many keys covers. */
  async #clear(tier: DeliveryTier, storedKey: string): Promise<void> {
    if (!this.#removals.covers(storedKey)) return
    const cleared = this.#removals.clearing(storedKey)
    await tier.remove([storedKey])
    cleared()
  }
}

/** An expiry does not replace an invalidation of the same generation. */
function strongerOf(kind: InvalidationKind, before: InvalidationKind | undefined): InvalidationKind {
  return kind === 'expiry' && before === 'generation' ? before : kind
}

function renewalOf(kind: InvalidationKind): Renewal {
  return kind === 'expiry' ? { staleOverMs: 0 } : {}
}
