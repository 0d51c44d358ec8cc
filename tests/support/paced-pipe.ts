/** How one direction of a connection passes bytes on. All of it may be changed at any time. */
export interface Pace {
  /** How long every chunk is on its way, in milliseconds. */
  latencyMs: number
  /** How much longer a chunk is on its way at most; how much, chance decides for each. */
  jitterMs: number
  /** @default unlimited */
  bytesPerSecond: number
  /** The share of chunks, from 0 to 1, that take `stallMs` longer. What follows on the connection waits behind them. */
  stallShare: number
  stallMs: number
}

export function unhinderedPace(): Pace {
  return { latencyMs: 0, jitterMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY, stallShare: 0, stallMs: 0 }
}

/** Passes chunks on in their order, each as late as the pace says. */
export class PacedPipe {
  readonly #pace: Pace
  readonly #pass: (chunk: Buffer) => void
  readonly #onTheWay: Buffer[] = []
  /** When the latest chunk arrives, by `performance.now()`. */
  #arrivesAtMs = 0

  constructor(pace: Pace, pass: (chunk: Buffer) => void) {
    this.#pace = pace
    this.#pass = pass
  }

  push(chunk: Buffer): void {
    const { bytesPerSecond, jitterMs, latencyMs, stallMs, stallShare } = this.#pace
    const nowMs = performance.now()
    const stalledMs = Math.random() < stallShare ? stallMs : 0
    const sentAtMs = nowMs + latencyMs + Math.random() * jitterMs + stalledMs
    this.#arrivesAtMs = Math.max(this.#arrivesAtMs, sentAtMs) + (chunk.length / bytesPerSecond) * 1_000
    if (this.#onTheWay.length === 0 && this.#arrivesAtMs <= nowMs) {
      this.#pass(chunk)
      return
    }
    this.#onTheWay.push(chunk)
    // Timers that are due in the same millisecond fire in any order, so each passes on whichever chunk is the next.
    setTimeout(() => this.#pass(this.#onTheWay.shift() as Buffer), this.#arrivesAtMs - nowMs)
  }
}
