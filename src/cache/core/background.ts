import type { ReadThroughEvents } from '../../contract/cache-events.ts'
import type { Timers } from '../../foundation/time/clock.ts'

/** A kind of work that no caller waits for. */
export type BackgroundTask = ReadThroughEvents['background-error']['task']

/** Work that no caller waits for. It is counted, awaited when the cache is closed, and its failures are events. */
export class Background {
  readonly #working = new Set<Promise<void>>()
  readonly #onError: (failure: ReadThroughEvents['background-error']) => void

  constructor(onError: (failure: ReadThroughEvents['background-error']) => void) {
    this.#onError = onError
  }

  /** The number of pieces of work in progress. */
  get size(): number {
    return this.#working.size
  }

  /** Tracks a piece of work until it ends, and reports its failure. */
  follow(task: BackgroundTask, key: string | undefined, work: Promise<unknown>): void {
    const followed = work.then(
      () => {},
      (error: unknown) => this.failed(task, key, error),
    )
    this.#working.add(followed)
    void followed.finally(() => this.#working.delete(followed))
  }

  failed(task: BackgroundTask, key: string | undefined, error: unknown): void {
    this.#onError({ task, key, error })
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
