import type { SharedTier } from '../../backend/shared-tier.ts'
import type { CacheBackend } from '../../contract/cache-backend.ts'
import { CacheError } from '../../foundation/cache-error.ts'
import type { Timers } from '../../foundation/clock.ts'

/** First pause before a backend that could not be opened is tried again, doubled until the longest. */
const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 2_000

/**
 * Opens a backend when it is first needed, and again and again where that fails. Who needs it waits for the first
 * attempt alone; after that it metrics as away until it is open.
 */
export class LazyConnection {
  readonly #backend: CacheBackend
  readonly #tier: SharedTier
  readonly #isOwn: boolean
  readonly #timers: Timers
  #attempt: Promise<void> | undefined
  #state: 'new' | 'opening' | 'open' | 'away' | 'closed' = 'new'
  #cancelRetry: () => void = () => {}

  /** @param isOwn whether the backend is to be closed too */
  constructor(backend: CacheBackend, tier: SharedTier, isOwn: boolean, timers: Timers) {
    this.#backend = backend
    this.#tier = tier
    this.#isOwn = isOwn
    this.#timers = timers
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** `undefined` where it is open; else a promise that settles within the bounds of connecting. */
  opened(): Promise<void> | undefined {
    switch (this.#state) {
      case 'open':
        return undefined
      case 'new':
        return this.initialize()
      case 'opening':
        return this.#attempt
      case 'away':
        return Promise.reject(new CacheError('CACHE_UNAVAILABLE', 'Redis has not been reached yet'))
      case 'closed':
        return Promise.reject(new CacheError('CACHE_CLOSED', 'The cache has been shut down'))
    }
  }

  initialize(): Promise<void> {
    if (this.#state === 'open') return Promise.resolve()
    this.#cancelRetry()
    this.#attempt ??= this.#open(0).finally(() => {
      this.#attempt = undefined
    })
    return this.#attempt
  }

  async shutdown(): Promise<void> {
    this.#state = 'closed'
    this.#cancelRetry()
    await this.#tier.stop()
    if (this.#isOwn) await this.#backend.shutdown()
  }

  async #open(retries: number): Promise<void> {
    if (this.#state !== 'away') this.#state = 'opening'
    try {
      await this.#backend.initialize()
      if (this.#isClosed()) {
        if (this.#isOwn) await this.#backend.shutdown()
        return
      }
      this.#state = 'open'
      this.#tier.start()
    } catch (error) {
      if (!this.#isClosed()) {
        this.#state = 'away'
        this.#retryLater(retries)
      }
      throw error
    }
  }

  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #retryLater(retries: number): void {
    const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** retries, LONGEST_RETRY_MS)
    this.#cancelRetry = this.#timers.after(pauseMs, () => {
      this.#open(retries + 1).catch(() => {})
    })
  }
}
