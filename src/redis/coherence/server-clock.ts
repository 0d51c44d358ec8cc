import type { Clock } from '../../foundation/clock.ts'

/** Samples that the best is chosen from. */
const SAMPLES = 8
/** How much a clock may run apart from ours before an older sample counts for less: 200 parts in a million. */
const DRIFT = 0.0002

interface Sample {
  /** The server's clock less ours. */
  readonly offsetMs: number
  readonly roundTripMs: number
  readonly takenAtMs: number
}

/**
 * The clock of one server, as this process's monotonic clock tells it. The sample with the least round trip is
 * the most exact (Cristian 1989); jumps of the local wall clock change nothing.
 */
export class ServerClock {
  readonly #clock: Clock
  #samples: readonly Sample[] = []
  /** All samples age at the same pace, so the most exact of them stays that until another one comes. */
  #best: Sample | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds since 1970 on the server; `undefined` before the first sample. */
  nowMs(nowMs: number = this.#clock.monotonicMs()): number | undefined {
    return this.#best && nowMs + this.#best.offsetMs
  }

  /** @param time the reply to `TIME`, which was asked for at `sentMs` and has just arrived */
  learn(time: readonly string[], sentMs: number): void {
    const nowMs = this.#clock.monotonicMs()
    const serverMs = Number(time[0]) * 1_000 + Number(time[1]) / 1_000
    const roundTripMs = nowMs - sentMs
    const sample = { offsetMs: serverMs - sentMs - roundTripMs / 2, roundTripMs, takenAtMs: nowMs }
    this.#samples = [sample, ...this.#samples].slice(0, SAMPLES)
    this.#best = this.#samples.reduce((best, other) =>
      uncertainty(other, nowMs) < uncertainty(best, nowMs) ? other : best,
    )
  }
}

function uncertainty({ roundTripMs, takenAtMs }: Sample, nowMs: number): number {
  return roundTripMs / 2 + (nowMs - takenAtMs) * DRIFT
}
