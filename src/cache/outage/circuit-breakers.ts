import { isUnanswered } from '../../foundation/errors/cache-error.ts'
import type { Clock } from '../../foundation/time/clock.ts'
import { CircuitBreaker, type CircuitState } from './circuit-breaker.ts'

/** The most failing nodes that are remembered. Beyond it, the one that began to fail first is forgotten. */
const MOST_FAILING = 1_000

/**
 * A circuit breaker for each node that fails, so that a dead shard of a cluster delays only commands on its own keys.
 * A node that answers has none. A node is `undefined` where it is not known, or where a command concerns several.
 */
export class CircuitBreakers {
  readonly #clock: Clock
  readonly #onChange: (state: CircuitState, node: string) => void
  readonly #failing = new Map<string, CircuitBreaker>()

  constructor(clock: Clock, onChange: (state: CircuitState, node: string) => void) {
    this.#clock = clock
    this.#onChange = onChange
  }

  /** Whether no node fails. */
  get isQuiet(): boolean {
    return this.#failing.size === 0
  }

  /** The worst state of all nodes. */
  get state(): CircuitState {
    const states = Array.from(this.#failing.values(), ({ state }) => state)
    return (
      states.find((state) => state === 'open') ?? states.find((state) => state === 'half-open') ?? 'closed'
    )
  }

  stateOf(node: string | undefined): CircuitState {
    return this.#of(node)?.state ?? 'closed'
  }

  /** Whether the next command to this node would be admitted. */
  isAdmitting(node: string | undefined): boolean {
    return this.#of(node)?.isAdmitting ?? true
  }

  /** @throws CacheError `CACHE_UNAVAILABLE` if the circuit of this node is open */
  admit(node: string | undefined): void {
    this.#of(node)?.admit()
  }

  answered(node: string | undefined): void {
    const breaker = this.#of(node)
    if (breaker === undefined) return
    breaker.answered()
    this.#failing.delete(node as string)
  }

  failed(node: string | undefined, error: unknown): void {
    if (!isUnanswered(error)) this.answered(node)
    else if (node !== undefined) (this.#of(node) ?? this.#begin(node)).failed()
  }

  /** A new connection was made, so the next command to any node is admitted as a trial. */
  connected(): void {
    for (const breaker of this.#failing.values()) breaker.connected()
  }

  #of(node: string | undefined): CircuitBreaker | undefined {
    return node === undefined || this.#failing.size === 0 ? undefined : this.#failing.get(node)
  }

  #begin(node: string): CircuitBreaker {
    if (this.#failing.size >= MOST_FAILING) this.#failing.delete(this.#failing.keys().next().value as string)
    const breaker = new CircuitBreaker(this.#clock, (state) => this.#onChange(state, node))
    this.#failing.set(node, breaker)
    return breaker
  }
}
