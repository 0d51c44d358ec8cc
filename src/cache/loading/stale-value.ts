import type { KeySpace } from '../keys/key-space.ts'
import { handOut } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'

/** The value that a load replaces: past its time to live, or fresh if the load refreshes it. */
export interface StaleValue<T = unknown> {
  /** Must not be changed. It is frozen if the cache freezes its values. */
  readonly value: T
  /** Seconds since its load began; `undefined` if it was read before the clock of its server was known. */
  readonly age: number | undefined
  /** Seconds that its load took. */
  readonly loadDuration: number
  readonly tags: readonly string[]
}

/** What an entry tells those who are about to replace it. */
export function staleValueOf<T>(entry: LocalEntry, space: KeySpace, nowMs: number): StaleValue<T> {
  const { bornMs, loadCostMs } = entry
  return {
    value: handOut<T>(entry),
    age: bornMs === undefined ? undefined : Math.max(0, nowMs - bornMs) / 1_000,
    loadDuration: loadCostMs / 1_000,
    tags: entry.generationSet.tagsOf(space),
  }
}
