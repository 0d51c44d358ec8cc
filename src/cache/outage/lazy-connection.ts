import { closedError } from '../../backend/assembly/lifecycle.ts'
import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import type { CacheBackend } from '../../contract/cache-backend.ts'
import { CacheError, isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import type { Timers } from '../../foundation/time/clock.ts'

/** The pause before the first retry; it doubles with each retry, up to the longest pause. */
const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 500

/**
 * Opens a backend on its first use, and retries until that succeeds. Callers wait for the first attempt only. If it
 * fails, Redis counts as unavailable until a retry succeeds.
 */
export class LazyConnection {
  readonly #backend: CacheBackend
  readonly #tier: SharedTier
  readonly #isOwn: boolean
  readonly #timers: Timers
  #attempt: Promise<void> | undefined
  #state: 'new' | 'opening' | 'open' | 'away' | 'closed' = 'new'
  #retries = 0
  #cancelRetry: () => void = () => {}

  /** @param isOwn whether `shutdown` closes the backend too */
  constructor(backend: CacheBackend, tier: SharedTier, isOwn: boolean, timers: Timers) {
    this.#backend = backend
    this.#tier = tier
    this.#isOwn = isOwn
    this.#timers = timers
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** `undefined` if the backend is open; else a promise that settles within the time that connecting may take. */
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
        return Promise.reject(closedError())
    }
  }

  initialize(): Promise<void> {
    if (this.#state === 'open') return Promise.resolve()
    if (this.#state === 'closed') return Promise.reject(closedError())
    this.#cancelRetry()
    this.#attempt ??= this.#open().finally(() => {
      this.#attempt = undefined
    })
    return this.#attempt
  }

  /** The backend has been opened, perhaps by an operation of its own. */
  backendOpened(): void {
    if (this.#state === 'open' || this.#state === 'closed') return
    this.#cancelRetry()
    this.#state = 'open'
    this.#tier.start()
  }

  async shutdown(): Promise<void> {
    this.#state = 'closed'
    this.#cancelRetry()
    if (this.#isOwn) await this.#backend.shutdown()
    await this.#tier.stop()
  }

  async #open(): Promise<void> {
    if (this.#state === 'new') this.#state = 'opening'
    try {
      await this.#backend.initialize()
      this.backendOpened()
    } catch (error) {
      this.#attemptFailed(error)
      throw error
    }
  }

  #attemptFailed(error: unknown): void {
    if (this.#state === 'closed') return
    if (isProgrammingMistake(error)) {
      // No retry would help. The backend answers every further attempt with this error, at once.
      this.#state = 'new'
      return
    }
    this.#state = 'away'
    const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** this.#retries++, LONGEST_RETRY_MS)
    this.#cancelRetry = this.#timers.after(pauseMs, () => {
      this.initialize().catch(() => {})
    })
  }
}
