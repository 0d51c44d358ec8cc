import { AsyncLocalStorage } from 'node:async_hooks'

/** How often contexts of one owner are open. What happens millions of times a second asks this one number. */
export interface OpenContexts {
  count: number
}

/**
 * A value that goes with asynchronous calls, for code that is seldom run.
 *
 * Node slows down every promise while an `AsyncLocalStorage` is in use (before version 24). So it is in use only while the
 * context is open, and all else pays for one comparison.
 */
export class RareContext<Value> {
  readonly #running = new AsyncLocalStorage<Value>()
  readonly #all: OpenContexts
  #open = 0

  /** @param all counts the contexts that have the same owner */
  constructor(all: OpenContexts) {
    this.#all = all
  }

  /** The value that the running code was given; `undefined` if there is none. */
  get current(): Value | undefined {
    return this.#open === 0 ? undefined : this.#running.getStore()
  }

  /** Opens the context. It may be open several times. */
  open(): void {
    this.#open++
    this.#all.count++
  }

  /** Ends one {@link open}. */
  close(): void {
    this.#all.count--
    if (--this.#open === 0) this.#running.disable()
  }

  /** Runs code, and all that it calls, with this value, if the context is open. */
  run<Result>(value: Value, code: () => Result): Result {
    return this.#open === 0 ? code() : this.#running.run(value, code)
  }
}
