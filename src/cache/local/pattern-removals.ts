/** The most removals that are remembered. An entry that was not compared with a forgotten one counts as removed. */
const MOST_REMOVALS = 1_000

/**
 * Removals by pattern, which are remembered and not carried out: a walk over a tier of a million entries would block
 * the event loop for most of a second. A lookup of an entry compares it with the removals since its last comparison. So
 * a removal takes effect at once, and costs nothing for entries that are never looked up.
 */
export class PatternRemovals {
  /** The oldest first. */
  readonly #removals: { count: number; readonly matches: (storedKey: string) => boolean }[] = []
  #count = 0
  /** The count of the last removal that is no longer remembered. */
  #forgotten = 0

  /** The number of removals so far. */
  get count(): number {
    return this.#count
  }

  add(matches: (storedKey: string) => boolean): void {
    this.#count++
    const last = this.#removals.at(-1)
    if (last?.matches === matches) {
      // The end of the same removal: entries that entered since it began must be compared with it too.
      last.count = this.#count
      return
    }
    this.#removals.push({ count: this.#count, matches })
    if (this.#removals.length > MOST_REMOVALS) this.#forgotten = this.#removals.shift()?.count ?? 0
  }

  /** Whether a removal later than the first `seen` ones removes this key. */
  haveRemoved(storedKey: string, seen: number): boolean {
    if (seen < this.#forgotten) return true
    for (let index = this.#removals.length - 1; index >= 0; index--) {
      const removal = this.#removals[index]
      if (removal === undefined || removal.count <= seen) return false
      if (removal.matches(storedKey)) return true
    }
    return false
  }
}
