import { type IsolatedValue, NO_VALUE } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { LateTagKey } from '../tags/late-tags.ts'

/**
 * The origin of a value: a fresh entry (`'hit'`), the loader (`'load'`), or a stale entry. A stale entry is served
 * while a new value is loaded (`'revalidate'`), or because the loader failed (`'error'`) or was too slow (`'timeout'`).
 * Whoever held a reserved slot may have given it back without a value (`'released'`).
 */
export type Origin = 'hit' | 'load' | 'revalidate' | 'error' | 'timeout' | 'released'

/** The result of a flight. */
export interface Outcome {
  readonly isolated: IsolatedValue
  readonly origin: Origin
  /** The served entry, if nothing was loaded. */
  readonly entry?: LocalEntry | undefined
  /** The loader's error, if a stale value is served instead. */
  readonly error?: unknown
  readonly lateTagKeys: readonly LateTagKey[]
  /** The loaded entry, if Redis has acknowledged it. */
  readonly stored?: LocalEntry | undefined
  /** Why the loaded value could not be stored: Redis did not answer, or the value is too large. */
  readonly failure?: unknown
}

/** The outcome of a flight whose loader was the holder of a slot, which gave it back. */
export const RELEASED: Outcome = Object.freeze({
  isolated: NO_VALUE,
  origin: 'released',
  lateTagKeys: [],
})

/** The outcome of a flight that ends with an entry. */
export function served(entry: LocalEntry, origin: Origin, error?: unknown): Outcome {
  return { isolated: entry, origin, entry, error, lateTagKeys: [] }
}

/** The outcome of a flight that ends with its loader's result. */
export function loaded(
  isolated: IsolatedValue,
  lateTagKeys: readonly LateTagKey[],
  { failure, stored }: Pick<Outcome, 'failure' | 'stored'> = {},
): Outcome {
  return { isolated, origin: 'load', lateTagKeys, stored, failure }
}

/** Tells of a load in the background. @throws the loader's error, although a stale value was served */
export function throwFailure(outcome: Outcome | undefined): void {
  if (outcome?.error !== undefined) throw outcome.error
}

/**
 * Whether a caller that joined later may get the entry that the flight found. A tag that only the entry names may have
 * been invalidated before the caller joined, but after its generation was read (L4).
 */
export function isUndoubted({ entry }: Outcome): boolean {
  return entry === undefined || entry.generationSet.isValid
}
