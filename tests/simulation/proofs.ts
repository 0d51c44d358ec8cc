import type { Clock } from '../../src/foundation/time/clock.ts'
import { ServerClock } from '../../src/redis/coherence/server-clock.ts'

/** A place in the order of what a server executes, in one of its lives. */
export type Mark = readonly [life: number, sequence: number]

/** What the replies to `TIME` have told a process: the server's clock, and up to when everything has arrived. */
export class Proofs {
  readonly #clock: Clock
  #serverClock: ServerClock | undefined
  #provenAtMs = 0
  #proven: Mark = [0, 0]
  /** When each life of the server was first met. */
  readonly #lives = new Map<number, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether a connection is the first one to this life of the server. */
  isFirstOf(life: number): boolean {
    if (this.#lives.has(life)) return false
    this.#lives.set(life, this.#clock.monotonicMs())
    return true
  }

  /** When this life of the server, or a later one, was first met. */
  metAtMs(life: number): number {
    for (const [met, atMs] of this.#lives) if (met >= life) return atMs
    return Number.POSITIVE_INFINITY
  }

  /** A connection was made. */
  begin(): void {
    this.#serverClock = new ServerClock(this.#clock)
    this.#provenAtMs = this.#clock.monotonicMs()
  }

  get provenAtMs(): number {
    return this.#provenAtMs
  }

  serverNowMs(nowMs?: number): number | undefined {
    return this.#serverClock?.nowMs(nowMs)
  }

  hasNewsOf(token: string): boolean {
    const [life, sequence] = token.split('.').map(Number) as [number, number]
    return life === this.#proven[0] && sequence < this.#proven[1]
  }

  /** A reply to a `TIME` has arrived that was sent at `sentMs`. */
  learn(serverMs: number, mark: Mark, sentMs: number): void {
    this.#serverClock?.learn(serverMs, sentMs)
    this.#provenAtMs = Math.max(this.#provenAtMs, sentMs)
    this.#proven = mark
  }
}
