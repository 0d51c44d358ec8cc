import type { HitTier } from '../../contract/cache-events.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { LateTagKey } from '../tags/late-tags.ts'

/** The result for one caller. */
export interface Answer<T> {
  readonly value: T
  /** The fresh entry that the value came from, if it was a hit. */
  readonly entry: LocalEntry | undefined
  /** The entry that the value came from, fresh or stale, if nothing was loaded. */
  readonly served: LocalEntry | undefined
  /** Where that entry was found. */
  readonly tier: HitTier
  /** The entry that was loaded and stored for this caller. */
  readonly stored: LocalEntry | undefined
  /** Why the value that was loaded for this caller could not be stored. */
  readonly failure: unknown
  /** The tags that only the value named. */
  readonly lateTagKeys: readonly LateTagKey[]
}
