/** Most removals that are remembered. An entry that was not looked at since is taken for removed. */
const MOST_REMOVALS = 1_000

/**
 * Removals by pattern, remembered in place of being carried out: walking a tier of a million entries would block the
 * event loop for most of a second. An entry is compared with the removals that it has not seen when it is next looked
 * up, so a removal takes effect at once and costs nothing for entries that nobody asks for.
 */
export class PatternRemovals {
  /** The oldest first. */
  readonly #removals: { count: number; readonly matches: (storedKey: string) => boolean }[] = []
  #count = 0
  /** The count of the last removal that is no longer remembered. */
  #forgotten = 0

  /** Removals so far. */
  get count(): number {
    return this.#count
  }

  add(matches: (storedKey: string) => boolean): void {
    this.#count++
    const last = this.#removals.at(-1)
    if (last?.matches === matches) {
      // The same removal, at its end: entries that were kept since it began are compared with it again.
      last.count = this.#count
      return
    }
    this.#removals.push({ count: this.#count, matches })
    if (this.#removals.length > MOST_REMOVALS) this.#forgotten = this.#removals.shift()?.count ?? 0
  }

  /** Whether a removal after the first `seen` ones removes this key. */
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
