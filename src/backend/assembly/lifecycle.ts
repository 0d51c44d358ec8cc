import { CacheError, isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import { setImmediate } from '../../foundation/time/timers.ts'

/**
 * Opens a backend with its first operation, or with `initialize()`, and closes it for good. Concurrent callers share one
 * attempt to open; a failed attempt is forgotten, so that the next call tries again.
 */
export class Lifecycle {
  readonly #open: () => Promise<void>
  readonly #close: () => Promise<void>
  #isReady = false
  #opening: Promise<void> | undefined
  #closing: Promise<void> | undefined
  /** Why the last attempt failed. */
  #failure: unknown
  /** Whether the attempt in progress began in this turn of the event loop. */
  #hasJustBegun = false
  #onOpen: () => void = () => {}

  constructor(open: () => Promise<void>, close: () => Promise<void>) {
    this.#open = open
    this.#close = close
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** Calls back once when the backend has been opened; replaces the callback of before. */
  whenOpen(callback: () => void): void {
    this.#onOpen = callback
  }

  initialize(): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closedError())
    // No other attempt would help against a wrong configuration.
    if (isProgrammingMistake(this.#failure)) return Promise.reject(this.#failure)
    this.#opening ??= this.#attempt()
    return this.#opening
  }

  /**
   * Opens the backend for an operation. Operations wait for the first attempt. After a failed one, the next operation
   * makes another attempt. Those that come while it goes on are refused with the reason of the failure, so that an
   * outage does not make each of them wait.
   */
  openForOperation(): Promise<void> {
    const isRepeated = this.#failure !== undefined && this.#opening !== undefined && !this.#hasJustBegun
    return isRepeated && this.#closing === undefined ? Promise.reject(this.#failure) : this.initialize()
  }

  shutdown(): Promise<void> {
    this.#closing ??= this.#shutdown()
    return this.#closing
  }

  async #attempt(): Promise<void> {
    this.#hasJustBegun = true
    setImmediate(() => {
      this.#hasJustBegun = false
    })
    try {
      await this.#open()
    } catch (error) {
      this.#failure = error
      this.#opening = undefined
      throw error
    }
    this.#isReady = this.#closing === undefined
    if (this.#isReady) this.#onOpen()
  }

  async #shutdown(): Promise<void> {
    this.#isReady = false
    const isOpen = await this.#opening?.then(
      () => true,
      () => false,
    )
    if (isOpen) await this.#close()
  }
}

/** The error of everything that is asked of a backend or a cache after its `shutdown()`. */
export function closedError(): CacheError {
  return new CacheError('CACHE_CLOSED', 'The cache has been shut down')
}
