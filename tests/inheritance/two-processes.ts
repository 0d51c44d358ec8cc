import { type Cache, type CreateCacheOptions, createCache } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { afterEach, beforeEach } from 'vitest'

/** Two caches over a simulated Redis, as two processes would have them, made anew before each test. */
export function useTwoCaches(options: CreateCacheOptions = {}) {
  let clock: ManualClock
  let redis: SimulatedRedis
  let caches: Cache[] = []
  let told: string[] = []
  const open = (own: CreateCacheOptions = {}): Cache => {
    const backend = redis.backend({ prefix: 'shop:' })
    const cache = createCache({ backend, clock, ttl: '5m', ...options, ...own } as CreateCacheOptions)
    cache.on('inherit-refused', ({ key, namespace, part, reason }) =>
      told.push(
        `${namespace === '' ? '' : `${namespace}:`}${key}: ${reason}${part === undefined ? '' : ` ${part}`}`,
      ),
    )
    cache.on('error', ({ error }) => told.push(error.code))
    caches.push(cache)
    return cache
  }
  beforeEach(() => {
    clock = new ManualClock()
    redis = new SimulatedRedis({ clock })
    caches = []
    told = []
    open()
    open()
  })
  afterEach(async () => {
    const closing = Promise.all(caches.map((cache) => cache.shutdown()))
    await clock.advance('1h')
    await closing
  })
  return {
    one: () => caches[0] as Cache,
    two: () => caches[1] as Cache,
    open,
    clock: () => clock,
    redis: () => redis,
    /** The `inherit-refused` events, and the codes of errors. */
    told: () => told,
  }
}
