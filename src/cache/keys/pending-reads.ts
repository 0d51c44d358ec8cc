/**
 * The reads that are under way, by key, so that it is known whether their replies still hold (L2, L3).
 *
 * A read leaves an object that stands for it. Whatever touches the key removes that object, and the reply holds only if
 * it finds the very object of its own read. While an own write of the key is under way, no read holds.
 */
export class PendingReads<Read extends object> {
  readonly #reads = new Map<string, Read>()
  /** Own writes under way, by key. */
  readonly #writes = new Map<string, number>()

  begin(storedKey: string, read: Read): Read {
    if (!this.#writes.has(storedKey)) this.#reads.set(storedKey, read)
    return read
  }

  /** The last read of the key, if nothing has touched the key since. */
  current(storedKey: string): Read | undefined {
    return this.#reads.get(storedKey)
  }

  /** Whether nothing has touched the key since this read began, and no other read of it has begun. */
  holds(storedKey: string, read: Read): boolean {
    return this.#reads.get(storedKey) === read
  }

  /** The reply has come, or none will. Returns whether it holds. */
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
