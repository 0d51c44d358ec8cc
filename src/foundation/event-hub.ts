/** Stops a subscription; calling it again does nothing. */
export type Unsubscribe = () => void

/**
 * Typed events. Listeners run synchronously, in the order of their subscription. If a listener throws, the other
 * listeners and the emitting operation continue, and the error goes to `onListenerError`.
 */
export class EventHub<Events extends object> {
  /** An object and not a Map, since `has` runs at every hit. */
  readonly #listeners: { [Name in keyof Events]?: ReadonlySet<(payload: Events[Name]) => void> } = {}
  readonly #onListenerError: (error: unknown, event: keyof Events) => void

  constructor(onListenerError: (error: unknown, event: keyof Events) => void) {
    this.#onListenerError = onListenerError
  }

  on<Name extends keyof Events>(event: Name, listener: (payload: Events[Name]) => void): Unsubscribe {
    this.#listeners[event] = new Set(this.#listeners[event]).add(listener)
    return () => {
      const remaining = new Set(this.#listeners[event])
      remaining.delete(listener)
      if (remaining.size > 0) this.#listeners[event] = remaining
      else delete this.#listeners[event]
    }
  }

  /** Whether an event has listeners. Ask before you build a payload on a hot path. */
  has(event: keyof Events): boolean {
    return this.#listeners[event] !== undefined
  }

  emit<Name extends keyof Events>(event: Name, payload: Events[Name]): void {
    const listeners = this.#listeners[event]
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
