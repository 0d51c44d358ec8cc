/** A connection that is told of changes to what it has read. */
export interface TrackedConnection {
  invalidated(storedKey: string): void
}

/**
 * Who has read what, as Redis remembers it for `CLIENT TRACKING` in its default mode without NOLOOP: the first change
 * of a key tells everybody who has read it, the writer too, and forgets them. All are told before the writer has its
 * answer: a test needs to wait for nothing else.
 */
export class TrackingTable {
  readonly #readers = new Map<string, Set<TrackedConnection>>()

  read(storedKey: string, by: TrackedConnection): void {
    const readers = this.#readers.get(storedKey) ?? new Set()
    readers.add(by)
    this.#readers.set(storedKey, readers)
  }

  changed(storedKey: string): void {
    const readers = this.#readers.get(storedKey)
    if (readers === undefined) return
    this.#readers.delete(storedKey)
    for (const reader of readers) reader.invalidated(storedKey)
  }

  changedWhere(matches: (storedKey: string) => boolean): void {
    for (const storedKey of [...this.#readers.keys()]) if (matches(storedKey)) this.changed(storedKey)
  }

  forget(connection: TrackedConnection): void {
    for (const readers of this.#readers.values()) readers.delete(connection)
  }
}
