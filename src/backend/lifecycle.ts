import { CacheError } from '../foundation/cache-error.ts'

type Phase = 'new' | 'opening' | 'ready' | 'failed' | 'closing' | 'closed'

/**
 * Opening and closing, each idempotent and safe to call at any moment. The opening promise is shared by
 * concurrent callers and forgotten when it fails, so that it may be retried.
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

  /** Why an operation cannot run now, where `isReady` is false. */
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
    // A backend that once was open absorbs what fails while it opens again; a new one tells of the mistake.
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
