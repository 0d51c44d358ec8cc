import { CacheError, isSilence } from '../../foundation/cache-error.ts'
import type { Clock } from '../../foundation/clock.ts'

/** `'closed'`: Redis is asked; `'open'`: it is not; `'half-open'`: what is asked at once tries whether it answers again. */
export type CircuitState = 'closed' | 'open' | 'half-open'

/** Failures in a row that open the circuit. */
const FAILURES_TO_OPEN = 5
/** How long an open circuit waits before it lets somebody try. */
const PAUSE_MS = 1_000

/**
 * Spares callers the wait for a Redis that does not answer (Nygard, "Release It!"): after five failures in a row
 * nothing is sent for a second, then what is asked at once tries: a read asks for an entry and its generations together. A connection that is made closes it at once.
 */
export class CircuitBreaker {
  readonly #clock: Clock
  readonly #onChange: (state: CircuitState) => void
  #state: CircuitState = 'closed'
  #failures = 0
  #openedAtMs = 0
  #isTrying = false

  constructor(clock: Clock, onChange: (state: CircuitState) => void) {
    this.#clock = clock
    this.#onChange = onChange
  }

  get state(): CircuitState {
    return this.#state
  }

  /** Whether what is asked next would be let through. */
  get isAdmitting(): boolean {
    if (this.#state === 'closed' || this.#isTrying) return true
    return this.#clock.monotonicMs() - this.#openedAtMs >= PAUSE_MS
  }

  /** @throws CacheError `CACHE_UNAVAILABLE` where the circuit is open */
  admit(): void {
    if (this.#state === 'closed' || this.#isTrying) return
    if (!this.isAdmitting) {
      throw new CacheError('CACHE_UNAVAILABLE', 'Redis has not been answering; it is asked again in a moment')
    }
    this.#openedAtMs = this.#clock.monotonicMs()
    this.#enter('half-open')
    this.#isTrying = true
    // Not with the tick: callers that follow one another at once would never let it end.
    queueMicrotask(this.#endTrial)
  }

  answered(): void {
    this.#failures = 0
    if (this.#state !== 'closed') this.#enter('closed')
  }

  failed(error: unknown): void {
    if (!(error instanceof CacheError && isSilence(error.code))) {
      this.answered()
      return
    }
    this.#failures++
    if (this.#state === 'open' || (this.#state === 'closed' && this.#failures < FAILURES_TO_OPEN)) return
    this.#openedAtMs = this.#clock.monotonicMs()
    this.#enter('open')
  }

  /** A connection has been made: the next operation may try. */
  connected(): void {
    this.#failures = 0
    if (this.#state === 'open') this.#openedAtMs = Number.NEGATIVE_INFINITY
  }

  readonly #endTrial = (): void => {
    this.#isTrying = false
  }

  #enter(state: CircuitState): void {
    if (this.#state === state) return
    this.#state = state
    this.#onChange(state)
  }
}
