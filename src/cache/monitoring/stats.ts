import type { Coherence } from '../../backend/shared-tier.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { CacheTotals } from '../core/metrics.ts'
import type { Flights } from '../loading/flights.ts'
import type { CircuitState } from '../outage/circuit-breaker.ts'
import type { ShadowVerification } from './shadow-verification.ts'

/** How a cache is doing, with all its namespaces. Plain data: it can be logged, compared and sent as it is. */
export interface CacheStats {
  /** Since the cache was made. */
  readonly total: CacheTotals
  /** In the last sixty seconds, to the second. */
  readonly lastMinute: CacheTotals
  /** What the local tier holds: `bytes` is the estimate that bounds it. */
  readonly local: { readonly entries: number; readonly bytes: number }
  /** Loads of this process that are under way, and work in the background. */
  readonly underWay: { readonly loads: number; readonly background: number }
  /** Hits that were compared with their source, and those of them that were stale. */
  readonly verification: { readonly verified: number; readonly stale: number }
  /** Invalidations that Redis has not acknowledged yet: they are delivered before it serves a read. */
  readonly undelivered: number
  /** How local tiers learn of changes at this moment. */
  readonly coherence: Coherence
  /** Whether Redis is being asked. */
  readonly circuit: CircuitState
}

/** Takes stock. */
export function statsOf(core: CacheCore, flights: Flights, verification: ShadowVerification): CacheStats {
  const { background, breaker, clock, local, metrics, outbox, tier } = core
  return {
    total: metrics.totals,
    lastMinute: metrics.lastMinute(clock.monotonicMs()),
    local: local.usage,
    underWay: { loads: flights.size, background: background.size },
    verification: verification.totals,
    undelivered: outbox.size,
    coherence: tier.coherence,
    circuit: breaker.state,
  }
}
