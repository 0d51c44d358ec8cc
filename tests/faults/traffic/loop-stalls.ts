import { sharedNowMs } from './setting.ts'

const TICK_MS = 10
/** Timers are this late also while nothing is wrong. */
const USUAL_MS = 15

/** For how long a stall is remembered: no call takes longer. */
const REMEMBERED_MS = 60_000

/** When the event loop of this process stood still: because it was busy, stopped, or waited for a processor. */
export class LoopStalls {
  readonly #stalls: { readonly beganMs: number; readonly endedMs: number }[] = []
  readonly #timer: NodeJS.Timeout
  #lastMs = sharedNowMs()

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  /** How much of this span, which has ended, the event loop stood still. */
  within(beganMs: number, endedMs: number): number {
    this.#tick()
    let sum = 0
    for (const stall of this.#stalls)
      sum += Math.max(0, Math.min(endedMs, stall.endedMs) - Math.max(beganMs, stall.beganMs))
    return sum
  }

  end(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    const nowMs = sharedNowMs()
    if (nowMs - this.#lastMs > TICK_MS + USUAL_MS) {
      this.#stalls.push({ beganMs: this.#lastMs, endedMs: nowMs })
      while ((this.#stalls[0]?.endedMs ?? nowMs) < nowMs - REMEMBERED_MS) this.#stalls.shift()
    }
    this.#lastMs = nowMs
  }
}
