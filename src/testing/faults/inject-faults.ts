import { internalsOf } from '../../backend/assembly/backend-internals.ts'
import type { CacheBackend } from '../../contract/cache-backend.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { type Faults, STATE } from './faults.ts'
import { FaultyStore } from './faulty-store.ts'

/**
 * Applies faults to a backend of this library, also over a real Redis, and returns the same backend. Several backends
 * may share one object of faults, which then affects all of them.
 *
 * @param backend a backend that has not been passed to a cache yet
 * @throws CacheError `CACHE_INVALID_OPTIONS` if a cache uses it already, or if it is not a backend of this library
 * @example
 * ```ts
 * import { RedisCacheBackend } from 'cachewright/redis'
 * import { Faults, injectFaults } from 'cachewright/testing'
 *
 * const faults = new Faults({ commandTimeout: '200ms' })
 * const backend = injectFaults(new RedisCacheBackend({ url: 'redis://localhost:6379' }), faults)
 * await backend.set('user:1', 'Ada')
 * faults.hang()
 * await backend.get('user:1') // undefined, after 200 ms
 * ```
 */
export function injectFaults<Backend extends CacheBackend>(backend: Backend, faults: Faults): Backend {
  const parts = internalsOf(backend)
  if (parts === undefined) {
    throw new CacheError('CACHE_INVALID_OPTIONS', 'backend must be one of the backends of this library')
  }
  parts.decorate((store) => new FaultyStore(store, faults[STATE]))
  return backend
}
