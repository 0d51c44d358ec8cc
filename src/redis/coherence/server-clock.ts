import type { Clock } from '../../foundation/time/clock.ts'

/** Samples that are kept, to choose the best from. */
const SAMPLES = 8
/** The assumed drift between two clocks, by which older samples grow less exact: 200 parts in a million. */
const DRIFT = 0.0002
/** Two samples may differ by this much, and by what is uncertain of each, without one of them being outdated. */
const LARGEST_ADJUSTMENT_MS = 100

interface Sample {
  /** The server's clock less this process's monotonic clock. */
  readonly offsetMs: number
  readonly roundTripMs: number
  readonly takenAtMs: number
}

/**
 * An estimate of one server's clock, as an offset to this process's monotonic clock. The sample with the shortest
 * round trip is the most exact (Cristian 1989). Jumps of the local wall clock have no effect; after a jump of the server's
 * clock, the samples before it no longer count.
 */
export class ServerClock {
  readonly #clock: Clock
  #samples: readonly Sample[] = []
  /** All samples lose precision at the same rate, so the most exact one stays the best until the next sample. */
  #best: Sample | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds since 1970 on the server; `undefined` before the first sample. */
  nowMs(nowMs: number = this.#clock.monotonicMs()): number | undefined {
    return this.#best && nowMs + this.#best.offsetMs
  }

  /** @param serverMs what the server answered to a `TIME` that was sent at `sentMs`; the reply has just arrived */
  learn(serverMs: number, sentMs: number): void {
    const nowMs = this.#clock.monotonicMs()
    const roundTripMs = nowMs - sentMs
    const sample = { offsetMs: serverMs - sentMs - roundTripMs / 2, roundTripMs, takenAtMs: nowMs }
    if (this.#best !== undefined && haveJumpedBetween(this.#best, sample, nowMs)) this.#samples = []
    this.#samples = [sample, ...this.#samples].slice(0, SAMPLES)
    this.#best = this.#samples.reduce((best, other) =>
      uncertainty(other, nowMs) < uncertainty(best, nowMs) ? other : best,
    )
  }
}

/** Whether two samples cannot both be right: then the server's clock has been set. */
function haveJumpedBetween(one: Sample, other: Sample, nowMs: number): boolean {
  const toleranceMs = LARGEST_ADJUSTMENT_MS + uncertainty(one, nowMs) + uncertainty(other, nowMs)
  return Math.abs(one.offsetMs - other.offsetMs) > toleranceMs
}

function uncertainty({ roundTripMs, takenAtMs }: Sample, nowMs: number): number {
  return roundTripMs / 2 + (nowMs - takenAtMs) * DRIFT
}
