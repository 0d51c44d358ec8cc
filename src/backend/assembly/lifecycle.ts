import { CacheError } from '../../foundation/cache-error.ts'

type Phase = 'new' | 'opening' | 'ready' | 'failed' | 'closing' | 'closed'

/**
 * Opens and closes a backend. Both operations are idempotent and may be called at any moment. Concurrent callers share
 * one attempt to open; a failed attempt is forgotten, so that the next call tries again.
 */
export class Lifecycle {
  readonly #open: () => Promise<void>
  readonly #close: () => Promise<void>
  #phase: Phase = 'new'
  #opening: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor(open: () => Promise<void>, close: () => Promise<void>) {
    this.#open = open
    this.#close = close
  }

  get isReady(): boolean {
    return this.#phase === 'ready'
  }

  initialize(): Promise<void> {
    this.#opening ??= this.#initialize()
    return this.#opening
  }

  shutdown(): Promise<void> {
    this.#closing ??= this.#shutdown()
    return this.#closing
  }

  /** The reason why an operation cannot run, if `isReady` is false. */
  notReady(): CacheError {
    switch (this.#phase) {
      case 'new':
      case 'opening':
        return new CacheError('CACHE_NOT_INITIALIZED', 'The cache is not open yet: await initialize() first')
      case 'failed':
        return new CacheError('CACHE_UNAVAILABLE', 'initialize() has failed; call it again to connect')
      default:
        return new CacheError('CACHE_CLOSED', 'The cache has been shut down')
    }
  }

  async #initialize(): Promise<void> {
    await this.#closing
    this.#closing = undefined
    // A new backend reports an early operation as a mistake; one that was open before absorbs it as an outage.
    if (this.#phase === 'new') this.#phase = 'opening'
    try {
      await this.#open()
      this.#phase = 'ready'
    } catch (error) {
      this.#phase = 'failed'
      this.#opening = undefined
      throw error
    }
  }

  async #shutdown(): Promise<void> {
    const opening = this.#opening
    this.#opening = undefined
    await opening?.catch(() => {})
    const wasReady = this.#phase === 'ready'
    this.#phase = 'closing'
    if (wasReady) await this.#close()
    this.#phase = 'closed'
  }
}
