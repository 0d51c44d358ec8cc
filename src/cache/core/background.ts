import type { Timers } from '../../foundation/time/clock.ts'

/** Work that no caller waits for. It is counted, and awaited when the cache is closed. */
export class Background {
  readonly #working = new Set<Promise<void>>()

  /** The number of pieces of work in progress. */
  get size(): number {
    return this.#working.size
  }

  /** Tracks a piece of work until it ends. */
  follow(work: Promise<unknown>, onError: (error: unknown) => void): void {
    const followed = work.then(() => {}, onError)
    this.#working.add(followed)
    void followed.finally(() => this.#working.delete(followed))
  }

  /** Resolves when all work has ended, including work that was started meanwhile. Never rejects. */
  async idle(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working)
  }

  /** As {@link idle}, but waits for `boundMs` at most; `false` if work is still in progress then. */
  async idleWithin(boundMs: number, timers: Timers): Promise<boolean> {
    if (this.#working.size === 0) return true
    let cancel = () => {}
    const tooLate = new Promise<false>((resolve) => {
      cancel = timers.after(boundMs, () => resolve(false), true)
    })
    return Promise.race([this.idle().then(() => true), tooLate]).finally(() => cancel())
  }
}
