import type { BackgroundHook } from '../../contract/background-hook.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { refusedOption } from '../../foundation/option-checks.ts'
import type { Timers } from '../../foundation/time/clock.ts'

/** Work that no caller waits for. It is counted, and awaited when the cache is closed. */
export class Background {
  readonly #working = new Set<Promise<void>>()

  /** The number of pieces of work in progress. */
  get size(): number {
    return this.#working.size
  }

  /** Tracks a piece of work until it ends. @returns a promise of its end, which never rejects */
  follow(work: Promise<unknown>, onError: (error: unknown) => void): Promise<void> {
    const followed = work.then(() => {}, onError)
    this.#working.add(followed)
    void followed.finally(() => this.#working.delete(followed))
    return followed
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

/** @throws CacheError `CACHE_INVALID_OPTIONS` */
export function checkedHook(hook: BackgroundHook | undefined): BackgroundHook | undefined {
  if (hook === undefined || typeof hook === 'function') return hook
  throw refusedOption('background', 'a function', hook)
}

/** Hands work to a hook. @param onError called if the hook throws, or returns a promise that rejects */
export function handTo(
  hook: BackgroundHook,
  work: Promise<void>,
  onError: (error: CacheError) => void,
): void {
  const failed = (cause: unknown) =>
    onError(
      new CacheError(
        'CACHE_INVALID_OPTIONS',
        'The option `background` threw an error, which is the cause of this one',
        { cause },
      ),
    )
  try {
    const answer: unknown = hook(work)
    Promise.resolve(answer).catch(failed)
  } catch (error) {
    failed(error)
  }
}
