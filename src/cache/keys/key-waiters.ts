import type { Timers } from '../../foundation/time/clock.ts'
import type { ChangeListener } from './change-listener.ts'

/** Waits for a change of one key. It also notices changes between its creation and the call of {@link wait}. */
export class KeyWaiter {
  readonly #timers: Timers
  readonly #onEnd: (waiter: KeyWaiter) => void
  #hasChanged = false
  #wake: (() => void) | undefined

  constructor(timers: Timers, onEnd: (waiter: KeyWaiter) => void) {
    this.#timers = timers
    this.#onEnd = onEnd
  }

  changed(): void {
    this.#hasChanged = true
    this.#wake?.()
  }

  /** Resolves when the key has changed, `longestMs` have passed, or the signal aborts. Never rejects. */
  async wait(longestMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#hasChanged && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          cancel()
          signal.removeEventListener('abort', wake)
          resolve()
        }
        const cancel = this.#timers.after(longestMs, wake, true)
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

/** The waiters of this process, by key: flights that found the lease of their key held by another process. */
export class KeyWaiters implements ChangeListener {
  readonly #timers: Timers
  readonly #waiters = new Map<string, Set<KeyWaiter>>()

  constructor(timers: Timers) {
    this.#timers = timers
  }

  /** Returns a new waiter. The caller must end it. */
  expect(storedKey: string): KeyWaiter {
    const waiters = this.#waiters.get(storedKey) ?? new Set()
    this.#waiters.set(storedKey, waiters)
    const waiter = new KeyWaiter(this.#timers, (ended) => {
      waiters.delete(ended)
      if (waiters.size === 0 && this.#waiters.get(storedKey) === waiters) this.#waiters.delete(storedKey)
    })
    waiters.add(waiter)
    return waiter
  }

  invalidated(storedKey: string): void {
    const waiters = this.#waiters.get(storedKey)
    if (waiters !== undefined) for (const waiter of [...waiters]) waiter.changed()
  }

  writeBegan(storedKey: string): void {
    this.invalidated(storedKey)
  }

  writeSettled(storedKey: string): void {
    this.invalidated(storedKey)
  }

  /** Does nothing: Redis or the bus also notifies this process of each key that the removal deletes. */
  removing(): void {}

  epochBegan(): void {
    for (const storedKey of [...this.#waiters.keys()]) this.invalidated(storedKey)
  }
}
