import type { Clock } from '../../foundation/time/clock.ts'

/** Invalidations that Redis acknowledged within this time are sent again if the server may have forgotten them. */
const RECENT_MS = 10_000

/** What Redis acknowledged recently, by name, the oldest first. It is bounded by time and by number. */
export class RecentInvalidations<Invalidation> {
  readonly #clock: Clock
  readonly #most: number
  readonly #recent = new Map<string, { readonly invalidation: Invalidation; readonly atMs: number }>()
  #hasForgotten = false

  /** @param most the most that are remembered */
  constructor(clock: Clock, most: number) {
    this.#clock = clock
    this.#most = most
  }

  add(name: string, invalidation: Invalidation): void {
    const atMs = this.#clock.monotonicMs()
    this.#recent.delete(name)
    this.#recent.set(name, { invalidation, atMs })
    for (const [oldest, { atMs: recentMs }] of this.#recent) {
      const isOld = atMs - recentMs > RECENT_MS
      if (!isOld && this.#recent.size <= this.#most) break
      this.#hasForgotten ||= !isOld
      this.#recent.delete(oldest)
    }
  }

  /** What is remembered by this name. */
  of(name: string): Invalidation | undefined {
    return this.#recent.get(name)?.invalidation
  }

  /**
   * Removes all of them, and returns them. Their age is not checked again, since the server may have been away for long.
   * `isComplete` is `false` if there were more than are remembered.
   */
  take(): { readonly all: readonly (readonly [name: string, Invalidation])[]; readonly isComplete: boolean } {
    const all = Array.from(this.#recent, ([name, { invalidation }]) => [name, invalidation] as const)
    const isComplete = !this.#hasForgotten
    this.#recent.clear()
    this.#hasForgotten = false
    return { all, isComplete }
  }
}
