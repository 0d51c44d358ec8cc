import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import { isReserved } from '../../foundation/reserved-keys.ts'
import type { Clock } from '../../foundation/time/clock.ts'

/** The most pending removals. */
const MOST_PENDING = 100
/** The pause after a failed attempt, which walks the whole database; it doubles up to the longest pause. */
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 5_000
/** The most keys that are remembered as removed one by one. */
const MOST_CLEARED = 10_000

/** What removes many keys at once. */
export type RemovalTier = Pick<SharedTier, 'removeMatching' | 'removeUnbound'>

/** A removal of many keys, which can be repeated. */
export interface Removal {
  /** Removals of one name remove the same keys. */
  readonly name: string
  readonly matches: (storedKey: string) => boolean
  readonly send: (tier: RemovalTier) => Promise<unknown>
}

/** A removal that Redis has not acknowledged. */
class PendingRemoval {
  readonly removal: Removal
  /** Keys of it that were removed one by one. */
  readonly #cleared = new Set<string>()
  #isUnderWay = false
  #pauseMs = FIRST_PAUSE_MS
  #dueAtMs = Number.NEGATIVE_INFINITY

  constructor(removal: Removal) {
    this.removal = removal
  }

  covers(storedKey: string): boolean {
    return !this.#cleared.has(storedKey) && this.removal.matches(storedKey)
  }

  cleared(storedKey: string): void {
    if (this.#cleared.size >= MOST_CLEARED) this.#cleared.clear()
    this.#cleared.add(storedKey)
  }

  /** Sends the removal, unless it is under way or has just failed; resolves to whether Redis has acknowledged it. */
  async attempt(tier: RemovalTier, clock: Clock): Promise<boolean> {
    if (this.#isUnderWay || clock.monotonicMs() < this.#dueAtMs) return false
    this.#isUnderWay = true
    try {
      await this.removal.send(tier)
      return true
    } catch {
      this.#dueAtMs = clock.monotonicMs() + this.#pauseMs
      this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS)
      return false
    } finally {
      this.#isUnderWay = false
    }
  }
}

/**
 * Removals of many keys (by pattern, by `clear()`) that Redis has not acknowledged. Each is sent again until it is. Until
 * then, a key that it covers has to be removed before the next command on it, once. So the keys of nodes that answer
 * stay usable while another node does not.
 */
export class PendingRemovals {
  readonly #clock: Clock
  readonly #pending = new Map<string, PendingRemoval>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#pending.size
  }

  /** Returns whether there is room for it. One of the same name is replaced: it may have cleared keys too early. */
  add(removal: Removal): boolean {
    this.#pending.set(removal.name, new PendingRemoval(removal))
    return this.#pending.size <= MOST_PENDING
  }

  clear(): void {
    this.#pending.clear()
  }

  /** Whether a pending removal covers a key. None covers a generation. */
  covers(storedKey: string): boolean {
    if (this.#pending.size === 0 || isReserved(storedKey)) return false
    for (const pending of this.#pending.values()) if (pending.covers(storedKey)) return true
    return false
  }

  /** Takes note that a key was removed; the function that does it must be made before the key is removed. */
  clearing(storedKey: string): () => void {
    const covering = [...this.#pending.values()].filter((pending) => pending.covers(storedKey))
    return () => {
      for (const pending of covering) pending.cleared(storedKey)
    }
  }

  /** Sends those that are due, one after another. Never rejects. */
  async deliver(tier: RemovalTier, onDelivered: (removal: Removal) => void): Promise<void> {
    for (const [name, pending] of this.#pending) {
      if (!(await pending.attempt(tier, this.#clock))) continue
      if (this.#pending.get(name) === pending) this.#pending.delete(name)
      onDelivered(pending.removal)
    }
  }
}
