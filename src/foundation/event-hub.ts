/** Stops a subscription; calling it again does nothing. */
export type Unsubscribe = () => void

/**
 * Typed events. Listeners run synchronously, in the order they subscribed; one that throws stops neither the
 * others nor the operation that emitted: its error goes to `onListenerError`.
 */
export class EventHub<Events extends object> {
  readonly #listeners = new Map<keyof Events, ReadonlySet<(payload: never) => void>>()
  readonly #onListenerError: (error: unknown, event: keyof Events) => void

  constructor(onListenerError: (error: unknown, event: keyof Events) => void) {
    this.#onListenerError = onListenerError
  }

  on<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): Unsubscribe {
    this.#listeners.set(event, new Set(this.#listeners.get(event)).add(listener))
    return () => {
      const remaining = new Set(this.#listeners.get(event))
      remaining.delete(listener)
      if (remaining.size > 0) this.#listeners.set(event, remaining)
      else this.#listeners.delete(event)
    }
  }

  /** Whether anybody listens: ask before building a payload on a hot path. */
  has(event: keyof Events): boolean {
    return this.#listeners.has(event)
  }

  emit<Name extends keyof Events>(event: Name, payload: Events[Name]): void {
    const listeners = this.#listeners.get(event) as ReadonlySet<(payload: Events[Name]) => void> | undefined
    if (listeners === undefined) return
    for (const listener of listeners) {
      try {
        listener(payload)
      } catch (error) {
        this.#onListenerError(error, event)
      }
    }
  }
}
