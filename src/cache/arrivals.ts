import type { Timers } from '../foundation/clock.ts'

/** Notices what happens to one key from the moment that it was made. */
export class Arrival {
  readonly #timers: Timers
  readonly #onEnd: (arrival: Arrival) => void
  #hasHappened = false
  #wake: (() => void) | undefined

  constructor(timers: Timers, onEnd: (arrival: Arrival) => void) {
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
export class Arrivals {
  readonly #timers: Timers
  readonly #expected = new Map<string, Set<Arrival>>()

  constructor(timers: Timers) {
    this.#timers = timers
  }

  /** To be ended by whoever asked. */
  expect(storedKey: string): Arrival {
    const arrivals = this.#expected.get(storedKey) ?? new Set()
    this.#expected.set(storedKey, arrivals)
    const arrival = new Arrival(this.#timers, (ended) => {
      arrivals.delete(ended)
      if (arrivals.size === 0 && this.#expected.get(storedKey) === arrivals) this.#expected.delete(storedKey)
    })
    arrivals.add(arrival)
    return arrival
  }

  happened(storedKey: string): void {
    const arrivals = this.#expected.get(storedKey)
    if (arrivals !== undefined) for (const arrival of [...arrivals]) arrival.happened()
  }

  happenedToAll(): void {
    for (const storedKey of [...this.#expected.keys()]) this.happened(storedKey)
  }
}
