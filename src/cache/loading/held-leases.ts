/** A lease, as far as it can be given back. */
interface Releasable {
  /** Never rejects. */
  release(): Promise<void>
}

/** The leases that this process holds or has asked for, so that it can give all of them back when the cache is closed. */
export class HeldLeases {
  readonly #held = new Set<Releasable>()
  readonly #requests = new Set<Promise<unknown>>()

  /** Follows a request that may bring a lease, and must not reject. {@link releaseAll} resumes after its caller. */
  follow<Reply>(request: Promise<Reply>): Promise<Reply> {
    const followed = request.finally(() => this.#requests.delete(followed))
    this.#requests.add(followed)
    return followed
  }

  add(lease: Releasable): void {
    this.#held.add(lease)
  }

  /** Called when the key no longer holds the lease's token. */
  delete(lease: Releasable): void {
    this.#held.delete(lease)
  }

  /**
   * Gives all leases back, so that no other process waits for loads whose values this one cannot store any more. One
   * round trip after the last pending request. Never rejects.
   */
  async releaseAll(): Promise<void> {
    await Promise.all(this.#requests)
    await Promise.all([...this.#held].map((lease) => lease.release()))
  }
}
