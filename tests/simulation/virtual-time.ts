import type { Clock, Timers } from '../../src/foundation/time/clock.ts'

interface Timer {
  readonly dueMs: number
  readonly order: number
  readonly callback: () => void
}

/** Time that passes only when it is told to. A timer that is due fires when the schedule has it fire, not before. */
export class VirtualTime implements Clock {
  #nowMs = 0
  #order = 0
  readonly #timers = new Set<Timer>()

  monotonicMs(): number {
    return this.#nowMs
  }

  /** @param isAlive whether the process that asks has not crashed: the timers of one that has never fire */
  timers(isAlive: () => boolean): Timers {
    return {
      after: (delayMs, callback) => {
        const timer = {
          dueMs: this.#nowMs + delayMs,
          order: this.#order++,
          callback: () => {
            if (isAlive()) callback()
          },
        }
        this.#timers.add(timer)
        return () => this.#timers.delete(timer)
      },
    }
  }

  get hasTimer(): boolean {
    return this.#timers.size > 0
  }

  get isDue(): boolean {
    return (this.#first()?.dueMs ?? Number.POSITIVE_INFINITY) <= this.#nowMs
  }

  pass(durationMs: number): void {
    this.#nowMs += durationMs
  }

  /** Fires the timer that is due first, and lets time pass until then. */
  fireNext(): void {
    const first = this.#first()
    if (first === undefined) return
    this.#timers.delete(first)
    this.#nowMs = Math.max(this.#nowMs, first.dueMs)
    first.callback()
  }

  #first(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) {
      const isEarlier =
        first === undefined ||
        timer.dueMs < first.dueMs ||
        (timer.dueMs === first.dueMs && timer.order < first.order)
      if (isEarlier) first = timer
    }
    return first
  }
}
