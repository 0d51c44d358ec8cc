import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { Clock } from '../../foundation/time/clock.ts'
import { queueMicrotask } from '../../foundation/time/timers.ts'

/** `'closed'`: commands are sent; `'open'`: they are refused; `'half-open'`: some test whether Redis answers again. */
export type CircuitState = 'closed' | 'open' | 'half-open'

/** The number of consecutive failures that opens the circuit. */
const FAILURES_TO_OPEN = 5
/** The time for which an open circuit refuses all commands. */
const PAUSE_MS = 1_000

/**
 * A circuit breaker, which spares callers the wait for a server that does not answer (Nygard, "Release It!"). After five
 * failures in a row it refuses all commands for a second. Then it admits a trial: all commands that are sent together,
 * since a read asks for an entry and its generations at once. A new connection makes the trial possible at once.
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

  /** Whether the next command would be admitted. */
  get isAdmitting(): boolean {
    if (this.#state === 'closed' || this.#isTrying) return true
    return this.#clock.monotonicMs() - this.#openedAtMs >= PAUSE_MS
  }

  /** @throws CacheError `CACHE_UNAVAILABLE` if the circuit is open */
  admit(): void {
    if (this.#state === 'closed' || this.#isTrying) return
    if (!this.isAdmitting) {
      throw new CacheError('CACHE_UNAVAILABLE', 'Redis has not been answering; it is asked again in a moment')
    }
    this.#openedAtMs = this.#clock.monotonicMs()
    this.#enter('half-open')
    this.#isTrying = true
    // A microtask and not `nextTick`, which callers that follow one another in microtasks would hold up for ever.
    queueMicrotask(this.#endTrial)
  }

  answered(): void {
    this.#failures = 0
    if (this.#state !== 'closed') this.#enter('closed')
  }

  /** A command was not answered. */
  failed(): void {
    this.#failures++
    if (this.#state === 'open' || (this.#state === 'closed' && this.#failures < FAILURES_TO_OPEN)) return
    this.#openedAtMs = this.#clock.monotonicMs()
    this.#enter('open')
  }

  /** A new connection was made, so the next command is admitted as a trial. */
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
