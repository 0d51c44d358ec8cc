import type { BackendParts } from '../backend/backend-parts.ts'
import type { SharedTier } from '../backend/shared-tier.ts'
import type { CacheBackend } from '../contract/cache-backend.ts'
import type { Clock, Timers } from '../foundation/clock.ts'
import { Cache } from './cache.ts'
import { CacheCore } from './cache-core.ts'
import type { ResolvedReadThrough } from './cache-options.ts'
import type { Random } from './freshness.ts'
import { KeySpace } from './key-space.ts'
import { Opening } from './opening.ts'
import { ReadThrough } from './read-through.ts'
import { Verification } from './verification.ts'
import { Writes } from './writes.ts'

/** What a cache is put together from. */
export interface Assembly {
  readonly backend: CacheBackend
  readonly parts: BackendParts
  /** What {@link BackendParts.share} made. */
  readonly tier: SharedTier
  readonly options: ResolvedReadThrough
  /** Whether the backend is to be closed with the cache. */
  readonly isOwnBackend: boolean
  readonly clock: Clock
  readonly timers: Timers
  /** @default Math.random */
  readonly random?: Random
}

/** Puts a cache together; nothing is sent. */
export function assembleCache(assembly: Assembly): Cache {
  const { backend, clock, isOwnBackend, options, parts, random = Math.random, tier, timers } = assembly
  const root = new KeySpace(parts.options.prefix)
  const opening = new Opening(backend, tier, isOwnBackend, timers)
  const core = new CacheCore({
    ...{ clock, options, random, root, tier, timers },
    codec: parts.codec,
    policy: parts.policy,
    opened: () => opening.opened(),
    isOpen: () => opening.isOpen,
  })
  parts.witness(core)
  const reads = new ReadThrough(core)
  const writes = new Writes(core)
  return new Cache({
    ...{ core, reads, writes },
    verification: new Verification(core),
    space: root,
    policies: options.policies,
    lifecycle: {
      initialize: () => opening.initialize(),
      shutdown: async () => {
        await core.background.idleWithin(options.drainMs, timers)
        core.stop()
        await opening.shutdown()
      },
    },
    backendWithin: (prefix) => (prefix === root.prefix ? backend : parts.within(prefix)),
  })
}
