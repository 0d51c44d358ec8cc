import type { Link } from './link.ts'

/** Who has read which keys since they last changed: the table of `CLIENT TRACKING` in its default mode. */
export class TrackingTable {
  readonly #readers = new Map<string, Set<Link>>()

  add(link: Link, storedKey: string): void {
    const links = this.#readers.get(storedKey) ?? new Set()
    links.add(link)
    this.#readers.set(storedKey, links)
  }

  /** The readers of a key that has changed, which it forgets. */
  take(storedKey: string): ReadonlySet<Link> {
    const links = this.#readers.get(storedKey)
    this.#readers.delete(storedKey)
    return links ?? NOBODY
  }

  /** A connection is gone: nothing is tracked for it. */
  forget(link: Link): void {
    for (const links of this.#readers.values()) links.delete(link)
  }

  clear(): void {
    this.#readers.clear()
  }
}

const NOBODY: ReadonlySet<Link> = new Set()
