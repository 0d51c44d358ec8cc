import type { CacheCore } from '../core/cache-core.ts'
import type { Flight } from './flight.ts'

/**
 * What a newcomer does about a flight of its key:
 *
 * - `'join'`: it waits for it
 * - `'start'`: it starts a flight of its own, which takes the place of this one
 * - `'replace'`: likewise, and this one gives its lease back: what it loads is of no use any more
 * - `'await-decision'`: the flight will know in a moment whether a value may be served meanwhile
 * - `'check-generations'`: it first asks whether the generations in `doubtful` were replaced
 * - `'check-lease'`: it first asks whether the key still holds the token
 */
export type Admission =
  | { readonly step: 'join' | 'start' | 'replace' | 'await-decision' | 'check-lease' }
  | { readonly step: 'check-generations'; readonly doubtful: readonly string[] }

const JOIN: Admission = { step: 'join' }
const START: Admission = { step: 'start' }
const REPLACE: Admission = { step: 'replace' }
const AWAIT_DECISION: Admission = { step: 'await-decision' }
const CHECK_LEASE: Admission = { step: 'check-lease' }

/**
 * Whether a newcomer may join a flight (L4), by what this process knows. Both those who load and those who explain what
 * would be loaded go by it.
 * @param generationKeys stored keys of the generations that the newcomer's entry has to be bound to
 */
export function admission(
  flight: Flight,
  generationKeys: readonly string[],
  nowMs: number,
  { generations, local, options }: Pick<CacheCore, 'generations' | 'local' | 'options'>,
): Admission {
  if (flight.isAbandoned) return START
  if (flight.epoch !== local.epoch) return REPLACE
  if (flight.isOverdue(nowMs, options.longestLoadMs)) return START
  if (flight.isDeciding) return AWAIT_DECISION
  if (flight.isPassedBy(nowMs)) return START
  // The newcomer's tags could not invalidate what the flight loads.
  if (!generationKeys.every((key) => flight.generationKeys.includes(key))) return START
  // News of a generation may be the echo of its creation for this very load.
  const doubtful = flight.generationKeys.filter((key) => generations.wasInvalidatedSince(key, flight.askedAt))
  if (doubtful.length > 0) return { step: 'check-generations', doubtful }
  const { standing } = flight
  return standing === 'open' ? JOIN : standing === 'closed' ? START : CHECK_LEASE
}
