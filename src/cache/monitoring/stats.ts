import type { PresentCoherence } from '../../backend/seams/shared-tier.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { CacheTotals } from '../core/counts.ts'
import type { Flights } from '../flights/flights.ts'
import type { CircuitState } from '../outage/circuit-breaker.ts'
import type { ShadowVerification } from './shadow-verification.ts'

/** The state of a cache with all its namespaces. Plain data, which can be logged, compared and sent as it is. */
export interface CacheStats {
  /** Since the cache was made. */
  readonly total: CacheTotals
  /** In the last sixty seconds, to the second. */
  readonly lastMinute: CacheTotals
  /** The size of the local tier; its limit applies to the estimate `bytes`. Removed entries count until looked up. */
  readonly local: { readonly entries: number; readonly bytes: number }
  /** Loads of this process under way, and work in the background. */
  readonly underWay: { readonly loads: number; readonly background: number }
  /** Loaders that run in this process, and loads that wait for their turn (`maxLoads`); a batch is one. */
  readonly loaders: { readonly running: number; readonly queued: number }
  /** How many hits were compared with their source, and how many of them were stale. */
  readonly verification: { readonly verified: number; readonly stale: number }
  /** Invalidations that Redis has not acknowledged yet. Each is delivered before the next read that it affects. */
  readonly undelivered: number
  /** How local tiers learn of changes at this moment. */
  readonly coherence: PresentCoherence
  /** Whether commands are sent to Redis. */
  readonly circuit: CircuitState
}

/** The present state. */
export function statsOf(core: CacheCore, flights: Flights, verification: ShadowVerification): CacheStats {
  const { background, breakers, clock, coherence, local, metrics, outbox, places } = core
  return {
    ...metrics.all(clock.monotonicMs()),
    local: local.usage,
    underWay: { loads: flights.size, background: background.size },
    loaders: { running: places.running, queued: places.queued },
    verification: verification.totals,
    undelivered: outbox.size,
    coherence,
    circuit: breakers.state,
  }
}
