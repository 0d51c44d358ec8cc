import type { CacheCore } from '../core/cache-core.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { Flight } from './flight.ts'

/**
 * What a newcomer (a further caller) does about the current flight of its key:
 *
 * - `'join'`: it waits for that flight
 * - `'start'`: it starts a new flight, which takes the place of the current one
 * - `'replace'`: likewise, and it releases the lease of the current one, whose result has become useless
 * - `'await-decision'`: it waits a moment, until the flight knows whether a value may be served meanwhile
 * - `'check-generations'`: it first asks Redis whether the generations in `doubtful` were replaced
 * - `'check-lease'`: it first asks Redis whether the key still holds the flight's token
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
 * Decides whether a newcomer may join a flight (L4), by what this process knows. Both loads and `explain` use it.
 * @param newcomer the generations that its entry must be bound to, its `maxAge`, and what it must not be older than
 */
export function admission(
  flight: Flight,
  { generationKeys, maxAgeMs, since }: Pick<LoadRequest, 'generationKeys' | 'maxAgeMs' | 'since'>,
  nowMs: number,
  { generations, local, options }: Pick<CacheCore, 'generations' | 'local' | 'options'>,
): Admission {
  if (flight.isAbandoned) return START
  if (since !== undefined && !flight.isSince(since)) {
    // It is not joined in any case. If it is out of date, it must not keep its lease either, which the new flight would await.
    const isChecked = flight.lease === undefined || flight.askedAt >= since
    return isChecked ? START : { step: 'check-generations', doubtful: flight.generationKeys }
  }
  if (flight.epoch !== local.epoch) return REPLACE
  if (flight.isOverdue(nowMs, options.longestLoadMs)) return START
  if (flight.isDeciding) return AWAIT_DECISION
  if (flight.isPassedBy(nowMs, maxAgeMs)) return START
  // The flight's value would not be bound to all tags of the newcomer.
  if (!generationKeys.every((key) => flight.generationKeys.includes(key))) return START
  // A push about a generation may be the echo of its creation by this very load.
  const doubtful = flight.generationKeys.filter((key) => generations.wasInvalidatedSince(key, flight.askedAt))
  if (doubtful.length > 0) return { step: 'check-generations', doubtful }
  const { standing } = flight
  return standing === 'open' ? JOIN : standing === 'closed' ? START : CHECK_LEASE
}
