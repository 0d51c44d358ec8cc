import type { Mode } from '../traffic/setting.ts'

/** What a fault came to in one mode, of all processes together. */
export interface ModeOutcome {
  readonly mode: Mode
  readonly reads: number
  readonly changes: number
  readonly acknowledged: number
  /** Loader calls, and those of them while the fault lasted. */
  readonly loads: number
  readonly loadsInFault: number
  readonly readsInFault: number
  /** Reads that were older than they may be, values of other keys, and changes that never arrived; some of each. */
  readonly wrong: readonly string[]
  readonly wrongCount: number
  /** Old reads that are due to what asynchronous replication lost. */
  readonly lost: number
  /** How long after an acknowledged change a local copy of before it was still served, at most, in milliseconds. */
  readonly stalestMs: number
  /** Calls that rejected. */
  readonly failed: number
  readonly errors: readonly string[]
  readonly slowestMs: number
  readonly slowest: string | undefined
  /** By how much a call missed its deadline, at most, without what its event loop stood still. */
  readonly lateMs: number
  /** From the end of the fault until Redis answers first, and until it answers for every key; `undefined` if it never did. */
  readonly firstHitMs: number | undefined
  readonly allHitsMs: number | undefined
  /** How long the first of these may take. */
  readonly hitsWithinMs: number
  /** From the end of the fault until the local tier serves again. */
  readonly firstLocalHitMs: number | undefined
  /** Probes of what the fault does not concern: those that were loaded, and the slowest in milliseconds. */
  readonly healthyLoads: number
  readonly healthySlowestMs: number
}

/** What a fault came to. */
export interface Outcome {
  readonly fault: string
  readonly modes: readonly ModeOutcome[]
  readonly unsettled: number
  /** By how much the heap of a process grew from before the fault until after it, at most. */
  readonly heapGrowthBytes: number
  /** How long the fault lasted, and the whole trial, in milliseconds. */
  readonly lastedMs: number
  readonly tookMs: number
}
