import type { LoopStalls } from './loop-stalls.ts'
import { LOADER_MS, sharedNowMs, TIMES } from './setting.ts'

/** How many commands a call sends one after another, at most; docs/operations.md tells them. One more is an invalidation of before. */
const STEPS = { get: 3, getOrSet: 5, getOrSetMany: 6, set: 5, delete: 3, invalidateTags: 3 } as const
export type CallKind = keyof typeof STEPS

/** The first operations of a cache wait for its connection. A load may have to wait for that of another process, whose lease runs out. */
function deadlineMsOf(kind: CallKind): number {
  const loads = kind.startsWith('getOrSet') ? LOADER_MS + 2 * TIMES.leaseMs : 0
  return STEPS[kind] * TIMES.commandTimeoutMs + loads
}

interface Settled {
  readonly kind: CallKind
  readonly beganMs: number
  readonly endedMs: number
}

/** What came of the calls of one cache. */
export interface CallCounts {
  readonly begun: number
  readonly settled: number
  /** Calls that rejected, and some of their errors. */
  readonly failed: number
  readonly errors: readonly string[]
  /** How long the slowest call took, in milliseconds, and which one it was, without what the event loop stood still. */
  readonly slowestMs: number
  readonly slowest: CallKind | undefined
  /** By how much the latest one missed its deadline; 0 if none did. */
  readonly lateMs: number
}

/** Counts the calls of one cache, and times them. */
export class CallLog {
  readonly #stalls: LoopStalls
  readonly #timed: Settled[] = []
  #begun = 0
  #settled = 0
  #failed = 0
  readonly #errors = new Set<string>()
  #slowestMs = 0
  #slowest: CallKind | undefined
  #lateMs = 0

  constructor(stalls: LoopStalls) {
    this.#stalls = stalls
  }

  get unsettled(): number {
    return this.#begun - this.#settled
  }

  /** What the call answers; `undefined` if it rejects. */
  async run<T>(kind: CallKind, call: () => Promise<T>): Promise<T | undefined> {
    this.#begun++
    const beganMs = sharedNowMs()
    try {
      return await call()
    } catch (error) {
      this.#failed++
      if (this.#errors.size < 5) this.#errors.add(`${kind}: ${String(error)}`)
      return undefined
    } finally {
      this.#settled++
      this.#timed.push({ kind, beganMs, endedMs: sharedNowMs() })
    }
  }

  counts(): CallCounts {
    for (const { kind, beganMs, endedMs } of this.#timed.splice(0)) {
      const tookMs = endedMs - beganMs - this.#stalls.within(beganMs, endedMs)
      this.#lateMs = Math.max(this.#lateMs, tookMs - deadlineMsOf(kind))
      if (tookMs <= this.#slowestMs) continue
      this.#slowestMs = tookMs
      this.#slowest = kind
    }
    return {
      begun: this.#begun,
      settled: this.#settled,
      failed: this.#failed,
      errors: [...this.#errors],
      slowestMs: this.#slowestMs,
      slowest: this.#slowest,
      lateMs: this.#lateMs,
    }
  }
}
