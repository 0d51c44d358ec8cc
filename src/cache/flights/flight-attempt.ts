import type { BoundGeneration } from '../../codec/envelope/entry-meta.ts'
import type { Judgement } from '../entries/judgement.ts'
import { servableAsReadTo } from '../freshness/max-age.ts'
import type { Servable } from '../freshness/servable.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { LocalEntry } from '../local/local-entry.ts'

/**
 * What a flight is doing:
 *
 * - `'reading'`: it reads the key, or judges what was read
 * - `'queued'`: it waits for its turn (`maxLoads`)
 * - `'acquiring'`: it asks for the lease
 * - `'waiting'`: another process holds the lease
 * - `'loading'`: its loader runs, or what it loaded is being stored
 * - `'over'`: it has its outcome
 */
export type FlightPhase = 'reading' | 'queued' | 'acquiring' | 'waiting' | 'loading' | 'over'

/** What a flight has learned since its last read of the key began. */
export interface FlightAttempt {
  /** A moment of the generation table. The flight's value is read or loaded after it. */
  askedAt: number
  /** The moment at which the read began. */
  readonly readAt: number
  /** The epoch of the local tier when the read began. */
  readonly epoch: number
  /** The valid entry that was found, which may be stale. */
  found: LocalEntry | undefined
  /** The generations that the loaded value will be bound to, once they have been captured. */
  bound: readonly BoundGeneration[]
}

/** One attempt of a flight. The last one takes the lease over. */
export interface Attempt {
  /** How many there have been before. */
  readonly attempt: number
  readonly isLast: boolean
}

/**
 * How an entry that was just read may be served to the caller that began the flight.
 * @param flight tells whether the entry came of a load that it has waited for
 */
export function servableIn(
  flight: { hasAwaited(entry: LocalEntry): boolean },
  { maxAgeMs }: LoadRequest,
  entry: LocalEntry,
  nowMs: number,
): Servable {
  return servableAsReadTo(flight.hasAwaited(entry) ? undefined : maxAgeMs, entry, nowMs)
}

export function entryIn(judgement: Judgement): LocalEntry | undefined {
  return judgement.state === 'usable' ? judgement.entry : undefined
}

/** Whether the request replaces this entry even if it is fresh. */
export function isToBeReplaced({ stamp }: LocalEntry, { replaces }: LoadRequest): boolean {
  return replaces === 'any' || (replaces !== undefined && replaces.stamp === stamp)
}
