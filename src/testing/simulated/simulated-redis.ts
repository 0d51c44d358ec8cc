import {
  BACKEND_OPTIONS,
  type BackendOptions,
  INSTEAD_OF_BACKEND_OPTIONS,
  resolveBackendOptions,
} from '../../backend/assembly/backend-options.ts'
import type { CacheStore } from '../../backend/seams/cache-store.ts'
import { StoreBackend } from '../../backend/store-backend.ts'
import type { CacheBackend } from '../../contract/cache-backend.ts'
import type { KnownOptions } from '../../foundation/option-checks.ts'
import { SYSTEM_CLOCK } from '../../foundation/time/clock.ts'
import { MemoryStore } from '../../memory/memory-store.ts'
import { Faults, type FaultsOptions } from '../faults/faults.ts'
import { injectFaults } from '../faults/inject-faults.ts'
import { SimulatedStore } from './simulated-store.ts'
import { TrackingTable } from './tracking-table.ts'

/** The bounds of the memory, far more than a test stores. */
const BOUNDS = { maxEntries: 50_000, maxBytes: 256 * 1024 * 1024 }

const KNOWN: KnownOptions = {
  of: 'SimulatedRedis.backend',
  names: BACKEND_OPTIONS,
  instead: INSTEAD_OF_BACKEND_OPTIONS,
}

/**
 * A Redis in the memory of this process. Several caches of a test share it as processes share a real one: each learns
 * at once of the changes of the others (`coherence` is `'tracking'`), leases and generations work between them, and
 * {@link Faults} affect their connections.
 *
 * It simulates the rules of this library, not Redis: it has no cluster and pushes no evictions (it holds 50,000 keys
 * and 256 MiB), and a cache with `coherence: { mode: 'bus' }` is tracked. Test what depends on Redis itself against a
 * real one; `injectFaults` works there too.
 *
 * @example
 * ```ts
 * import { createCache } from 'cachewright'
 * import { ManualClock, SimulatedRedis } from 'cachewright/testing'
 *
 * const clock = new ManualClock()
 * const redis = new SimulatedRedis({ clock })
 * const one = createCache({ backend: redis.backend({ prefix: 'shop:' }), clock })
 * const two = createCache({ backend: redis.backend({ prefix: 'shop:' }), clock })
 * await one.getOrSet('price', () => 9)
 * await two.delete('price')
 * one.peek('price') // undefined
 * redis.faults.hang()
 * ```
 */
export class SimulatedRedis {
  /** The faults of every backend of this Redis. */
  readonly faults: Faults
  readonly #store: MemoryStore
  readonly #tracking = new TrackingTable()

  /**
   * @param options the clock of expiry and faults, and the deadline of commands
   * @throws CacheError `CACHE_INVALID_DURATION`
   */
  constructor(options: FaultsOptions = {}) {
    this.faults = new Faults(options)
    this.#store = new MemoryStore(BOUNDS, options.clock ?? SYSTEM_CLOCK)
  }

  /**
   * A connection to it, as one process has: for one cache, or for use as a plain backend.
   * @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION`
   */
  backend<T = unknown>(options: BackendOptions = {}): CacheBackend<T> {
    const store = new SimulatedStore(this.#store, this.#tracking)
    return injectFaults(new SimulatedRedisBackend<T>(options, store), this.faults)
  }
}

class SimulatedRedisBackend<T> extends StoreBackend<T> {
  constructor(options: BackendOptions, store: CacheStore) {
    super(resolveBackendOptions(options, KNOWN), () => store)
  }
}
