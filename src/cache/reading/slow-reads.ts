import type { Clock, Timers } from '../../foundation/time/clock.ts'

/**
 * A read is slow after this time, in milliseconds. Only then do its caller's signal and timeouts take effect. Redis
 * usually answers sooner, and a timer and a listener for each call would cost more than the read.
 */
const GRACE_MS = 20

/** A read whose caller has a signal or a timeout. */
export interface ImpatientRead {
  /** Called after the grace period or after the caller's shortest timeout, whichever is shorter. */
  slow(): void
}

/** Detects slow reads, with one timer for all of them. */
export class SlowReads {
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #dueMs = new Map<ImpatientRead, number>()
  #nextMs: number = Number.POSITIVE_INFINITY
  #cancel: () => void = () => {}

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock
    this.#timers = timers
  }

  /** @param longestMs the caller's shortest timeout */
  watch(read: ImpatientRead, nowMs: number, longestMs: number): void {
    const dueMs = nowMs + Math.min(GRACE_MS, longestMs)
    this.#dueMs.set(read, dueMs)
    if (dueMs < this.#nextMs) this.#wakeAt(dueMs, nowMs)
  }

  /** Stops watching a read that has been answered. */
  answered(read: ImpatientRead): void {
    this.#dueMs.delete(read)
  }

  /** Called when the cache is closed, which ends all reads. */
  stop(): void {
    this.#cancel()
    this.#dueMs.clear()
    this.#nextMs = Number.POSITIVE_INFINITY
  }

  #wakeAt(dueMs: number, nowMs: number): void {
    this.#cancel()
    this.#nextMs = dueMs
    this.#cancel = this.#timers.after(Math.max(0, dueMs - nowMs), this.#wake)
  }

  readonly #wake = (): void => {
    const nowMs = this.#clock.monotonicMs()
    this.#nextMs = Number.POSITIVE_INFINITY
    let nextMs = Number.POSITIVE_INFINITY
    for (const [read, dueMs] of this.#dueMs) {
      if (dueMs <= nowMs) {
        this.#dueMs.delete(read)
        read.slow()
      } else {
        nextMs = Math.min(nextMs, dueMs)
      }
    }
    if (nextMs < this.#nextMs) this.#wakeAt(nextMs, nowMs)
  }
}
