/** A connection that receives an invalidation when a key that it has read changes. */
export interface TrackedConnection {
  invalidated(storedKey: string): void
}

/**
 * The readers of each key, as Redis keeps them for `CLIENT TRACKING` in its default mode without NOLOOP: the first
 * change of a key is pushed to every reader, including the writer, and the readers are forgotten. All pushes come
 * before the reply to the writer, so a test need not wait for them.
 */
export class TrackingTable<Reader extends TrackedConnection = TrackedConnection> {
  readonly #readers = new Map<string, Set<Reader>>()

  read(storedKey: string, by: Reader): void {
    const readers = this.#readers.get(storedKey) ?? new Set()
    readers.add(by)
    this.#readers.set(storedKey, readers)
  }

  changed(storedKey: string): void {
    for (const reader of this.take(storedKey)) reader.invalidated(storedKey)
  }

  /** The readers of a key, which it forgets. */
  take(storedKey: string): Iterable<Reader> {
    const readers = this.#readers.get(storedKey)
    this.#readers.delete(storedKey)
    return readers ?? []
  }

  changedWhere(matches: (storedKey: string) => boolean): void {
    for (const storedKey of [...this.#readers.keys()]) if (matches(storedKey)) this.changed(storedKey)
  }

  forget(connection: Reader): void {
    for (const readers of this.#readers.values()) readers.delete(connection)
  }
}
