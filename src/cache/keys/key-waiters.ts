import type { Timers } from '../../foundation/clock.ts'
import type { ChangeListener } from './change-listener.ts'

/** Notices what happens to one key from the moment that it was made. */
export class KeyWaiter {
  readonly #timers: Timers
  readonly #onEnd: (waiter: KeyWaiter) => void
  #hasHappened = false
  #wake: (() => void) | undefined

  constructor(timers: Timers, onEnd: (waiter: KeyWaiter) => void) {
    this.#timers = timers
    this.#onEnd = onEnd
  }

  happened(): void {
    this.#hasHappened = true
    this.#wake?.()
  }

  /** Resolves when something has happened to the key, the time is over, or the signal aborts; never rejects. */
  async wait(longestMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#hasHappened && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          cancel()
          signal.removeEventListener('abort', wake)
          resolve()
        }
        const cancel = this.#timers.after(longestMs, wake)
        this.#wake = wake
        signal.addEventListener('abort', wake, { once: true })
      })
    }
    this.end()
  }

  end(): void {
    this.#onEnd(this)
  }
}

/** Who waits for something to happen to a key. */
export class KeyWaiters implements ChangeListener {
  readonly #timers: Timers
  readonly #expected = new Map<string, Set<KeyWaiter>>()

  constructor(timers: Timers) {
    this.#timers = timers
  }

  /** To be ended by whoever asked. */
  expect(storedKey: string): KeyWaiter {
    const waiters = this.#expected.get(storedKey) ?? new Set()
    this.#expected.set(storedKey, waiters)
    const waiter = new KeyWaiter(this.#timers, (ended) => {
      waiters.delete(ended)
      if (waiters.size === 0 && this.#expected.get(storedKey) === waiters) this.#expected.delete(storedKey)
    })
    waiters.add(waiter)
    return waiter
  }

  invalidated(storedKey: string): void {
    const waiters = this.#expected.get(storedKey)
    if (waiters !== undefined) for (const waiter of [...waiters]) waiter.happened()
  }

  writeBegan(storedKey: string): void {
    this.invalidated(storedKey)
  }

  writeSettled(storedKey: string): void {
    this.invalidated(storedKey)
  }

  /** A removal tells of each key that it removes. */
  removing(): void {}

  epochBegan(): void {
    for (const storedKey of [...this.#expected.keys()]) this.invalidated(storedKey)
  }
}
