/**
 * The reads in flight, by key. They decide whether a reply is still valid when it arrives (L2, L3).
 *
 * Each read registers a unique object. A change of the key removes that object, and a reply is valid only if the object
 * of its own read is still registered. While an own write of the key is in flight, no read is valid.
 */
export class PendingReads<Read extends object> {
  readonly #reads = new Map<string, Read>()
  /** The number of own writes in flight, by key. */
  readonly #writes = new Map<string, number>()

  begin(storedKey: string, read: Read): Read {
    if (!this.#writes.has(storedKey)) this.#reads.set(storedKey, read)
    return read
  }

  /** The last read of the key, if it is in flight and nothing has touched the key since. */
  current(storedKey: string): Read | undefined {
    return this.#reads.get(storedKey)
  }

  /** Whether the read is still valid: nothing has touched the key since it began, and no later read has begun. */
  holds(storedKey: string, read: Read): boolean {
    return this.#reads.get(storedKey) === read
  }

  /** Ends a read, whose reply has arrived or never will. Returns whether the reply is valid. */
  end(storedKey: string, read: Read): boolean {
    return this.holds(storedKey, read) && this.#reads.delete(storedKey)
  }

  /** The key may have been changed. */
  touched(storedKey: string): void {
    this.#reads.delete(storedKey)
  }

  touchedWhere(matches: (storedKey: string) => boolean): void {
    for (const storedKey of this.#reads.keys()) if (matches(storedKey)) this.#reads.delete(storedKey)
  }

  touchedAll(): void {
    this.#reads.clear()
  }

  writeBegan(storedKey: string): void {
    this.#writes.set(storedKey, (this.#writes.get(storedKey) ?? 0) + 1)
    this.touched(storedKey)
  }

  writeSettled(storedKey: string): void {
    this.touched(storedKey)
    const left = (this.#writes.get(storedKey) ?? 1) - 1
    if (left === 0) this.#writes.delete(storedKey)
    else this.#writes.set(storedKey, left)
  }
}
