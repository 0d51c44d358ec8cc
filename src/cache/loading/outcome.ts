import type { IsolatedValue } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'

/**
 * Where a value came from: a fresh entry (`'hit'`), the loader (`'load'`), or an entry past its time to live, and then
 * why: it is being loaded anew (`'revalidate'`), its loader failed (`'error'`) or was too slow (`'timeout'`).
 */
export type Origin = 'hit' | 'load' | 'revalidate' | 'error' | 'timeout'

/** A tag that only the loaded value named, and whether its generation was known before its loader began. */
export interface LateTagKey {
  readonly tagKey: string
  readonly isKnown: boolean
}

/** What a flight ends with. */
export interface Outcome {
  readonly isolated: IsolatedValue
  readonly origin: Origin
  /** The entry that was served, where nothing was loaded. */
  readonly entry?: LocalEntry | undefined
  /** The loader's error, where a stale value is served in its place. */
  readonly error?: unknown
  readonly lateTagKeys: readonly LateTagKey[]
}

/** The outcome of a flight that ends with an entry. */
export function served(entry: LocalEntry, origin: Origin, error?: unknown): Outcome {
  return { isolated: entry, origin, entry, error, lateTagKeys: [] }
}

/** The outcome of a flight that ends with what its loader returned. */
export function loaded(isolated: IsolatedValue, lateTagKeys: readonly LateTagKey[]): Outcome {
  return { isolated, origin: 'load', lateTagKeys }
}
