import type { BackendInternals } from '../backend/assembly/backend-internals.ts'
import { closedError } from '../backend/assembly/lifecycle.ts'
import type { SharedTier } from '../backend/seams/shared-tier.ts'
import type { CacheBackend } from '../contract/cache-backend.ts'
import { CacheError } from '../foundation/errors/cache-error.ts'
import type { Clock, Timers } from '../foundation/time/clock.ts'
import { WeakValues } from '../foundation/weak-values.ts'
import { Cache } from './cache.ts'
import { CacheCore } from './core/cache-core.ts'
import { Monitor } from './core/monitor.ts'
import type { ResolvedReadThrough } from './core/read-through-options.ts'
import { Flights } from './flights/flights.ts'
import { SingleFlight } from './flights/single-flight.ts'
import type { Random } from './freshness/early-refresh.ts'
import { idOfPolicies } from './freshness/policies.ts'
import { KeySpace } from './keys/key-space.ts'
import { NameRegistry } from './keys/name-registry.ts'
import { HeldLeases } from './loading/held-leases.ts'
import type { Isolation } from './local/isolation.ts'
import { ShadowVerification } from './monitoring/shadow-verification.ts'
import { LazyConnection } from './outage/lazy-connection.ts'
import { PendingRead } from './reading/pending-read.ts'
import { SlowReads } from './reading/slow-reads.ts'
import { WritePath } from './writing/write-path.ts'

/** What {@link assembleCache} needs. */
export interface Assembly {
  readonly backend: CacheBackend
  readonly parts: BackendInternals
  /** What {@link BackendInternals.share} made. */
  readonly tier: SharedTier
  readonly options: ResolvedReadThrough
  /** Whether the cache closes the backend. */
  readonly isOwnBackend: boolean
  readonly clock: Clock
  readonly timers: Timers
  /** @default Math.random */
  readonly random?: Random
}

/** Assembles a cache. Sends nothing. */
export function assembleCache<Isolate extends Isolation = 'freeze'>(assembly: Assembly): Cache<Isolate> {
  const { backend, clock, isOwnBackend, options, parts, random = Math.random, tier, timers } = assembly
  const root = new KeySpace(parts.options.prefix)
  const opening = new LazyConnection(backend, tier, isOwnBackend, timers)
  const flights = new Flights()
  const core = new CacheCore({
    ...{ clock, options, random, root, tier, timers },
    codec: parts.codec,
    policy: parts.policy,
    calls: parts.calls,
    loads: flights,
    keepsValues: isOwnBackend,
    opened: () => opening.opened(),
    isOpen: () => opening.isOpen,
  })
  parts.observe(core)
  const leases = new HeldLeases({ clock, leaseMs: options.leaseMs, tier: core.tier.bare, timers })
  parts.whenOpen(() => opening.backendOpened())
  let closing: Promise<void> | undefined
  const slowReads = new SlowReads(clock, timers)
  const close = async () => {
    void core.background.follow(core.tier.deliverNow(), () => {})
    await core.background.idleWithin(options.drainMs, timers)
    core.stop()
    await leases.releaseAll()
    core.tier.endDelivery()
    await opening.shutdown()
    slowReads.stop()
    if (!isOwnBackend) parts.giveBack()
    reportLost(core)
  }
  const reads = new SingleFlight(core, flights, leases)
  const writes = new WritePath(core)
  return new Cache<Isolate>({
    ...{ core, flights, reads, writes },
    slowReads,
    readSpecimen: PendingRead.specimen(core),
    verification: new ShadowVerification(core),
    names: new NameRegistry(),
    namespaces: new WeakValues(),
    space: root,
    monitor: new Monitor(core, root),
    policies: options.policies,
    policiesId: idOfPolicies(options.policies),
    lifecycle: {
      initialize: () => (closing === undefined ? opening.initialize() : Promise.reject(closedError())),
      shutdown: () => {
        closing ??= close()
        return closing
      },
    },
    backendWithin: (space) => (space === root ? backend : parts.within(space.prefix, space.name)),
  })
}

/** Tells of the invalidations that are lost with the cache. */
function reportLost({ outbox, policy }: CacheCore): void {
  if (outbox.isEmpty) return
  const message = `The cache was shut down with invalidations that Redis has not acknowledged (${outbox.size}): other processes may serve older values until they expire`
  policy.publish('shutdown', undefined, new CacheError('CACHE_UNAVAILABLE', message))
}
