/**
 * The writes of this process that are in flight, by key. Reads of a key wait for those that were called before, so that
 * calls take effect in their order, awaited or not.
 */
export class OwnWrites {
  readonly #settled = new Map<string, Promise<unknown>>()

  /** Resolves when all writes of the key that were called so far have settled; `undefined` if none is in flight. */
  of(storedKey: string): Promise<unknown> | undefined {
    return this.#settled.get(storedKey)
  }

  /** As {@link of}, for several keys. */
  #ofAll(storedKeys: readonly string[]): Promise<unknown> | undefined {
    if (this.#settled.size === 0) return undefined
    const settled = new Set<Promise<unknown>>()
    for (const storedKey of storedKeys) {
      const ofKey = this.#settled.get(storedKey)
      if (ofKey !== undefined) settled.add(ofKey)
    }
    return settled.size === 0 ? undefined : Promise.all(settled)
  }

  /** Adds a write that was just called. Returns it. */
  add<Result>(storedKeys: readonly string[], write: Promise<Result>): Promise<Result> {
    const earlier = this.#ofAll(storedKeys)
    const end = () => {
      for (const storedKey of storedKeys) {
        if (this.#settled.get(storedKey) === settled) this.#settled.delete(storedKey)
      }
    }
    const both = earlier === undefined ? write : Promise.allSettled([earlier, write])
    const settled = both.then(end, end)
    for (const storedKey of storedKeys) this.#settled.set(storedKey, settled)
    return write
  }
}
