/** Most removals that are remembered. An entry that was not looked at since is taken for removed. */
const MOST_REMOVALS = 1_000

/**
 * Removals by pattern, remembered in place of being carried out: walking a tier of a million entries would block the
 * event loop for most of a second. An entry is compared with the removals that it has not seen when it is next looked
 * up, so a removal takes effect at once and costs nothing for entries that nobody asks for.
 */
export class PatternRemovals {
  readonly #matchers: ((storedKey: string) => boolean)[] = []
  #count = 0

  /** Removals so far. */
  get count(): number {
    return this.#count
  }

  add(matches: (storedKey: string) => boolean): void {
    this.#count++
    // The same matcher comes at the beginning and at the end of a removal.
    this.#matchers.push(matches)
    if (this.#matchers.length > MOST_REMOVALS) this.#matchers.shift()
  }

  /** Whether a removal after the first `seen` ones removes this key. */
  haveRemoved(storedKey: string, seen: number): boolean {
    const unseen = this.#count - seen
    if (unseen > this.#matchers.length) return true
    for (let index = this.#matchers.length - unseen; index < this.#matchers.length; index++) {
      if ((this.#matchers[index] as (key: string) => boolean)(storedKey)) return true
    }
    return false
  }
}
