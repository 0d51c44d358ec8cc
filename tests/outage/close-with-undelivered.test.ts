import { type CacheErrorCode, createCache } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { expect, test } from 'vitest'

async function cacheWithUndelivered() {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const cache = createCache({ clock, backend: redis.backend({ prefix: 'p:' }) })
  const other = createCache({ clock, backend: redis.backend({ prefix: 'p:' }) })
  const told: { readonly code: CacheErrorCode; readonly operation: string }[] = []
  cache.on('error', ({ error: { code }, operation }) => told.push({ code, operation }))
  await cache.getOrSet('k', () => 1, { tags: ['t'] })
  redis.faults.fail()
  expect(await cache.delete('k')).toBe(false)
  await cache.invalidateTags(['t'])
  told.length = 0
  return { cache, clock, other, redis, told }
}

test('a cache that is closed with an undelivered invalidation leaves no timer, and tells that it is lost', async () => {
  const { cache, clock, told } = await cacheWithUndelivered()
  await cache.shutdown()
  expect(clock.pendingTimers).toBe(0)
  expect(told).toEqual([{ code: 'CACHE_UNAVAILABLE', operation: 'shutdown' }])
  expect(cache.stats().undelivered).toBe(2)
})

test('what Redis takes again when the cache is closed is delivered', async () => {
  const { cache, clock, other, redis, told } = await cacheWithUndelivered()
  redis.faults.heal()
  await cache.shutdown()
  expect(told).toEqual([])
  expect(cache.stats().undelivered).toBe(0)
  expect(await other.get('k', { local: false })).toBe(undefined)
  await other.shutdown()
  expect(clock.pendingTimers).toBe(0)
})

test('an invalidation that fails while the cache is being closed is told of, too', async () => {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock, commandTimeout: '1s' })
  const cache = createCache({ clock, backend: redis.backend({ prefix: 'p:' }) })
  const told: string[] = []
  cache.on('error', ({ operation }) => told.push(operation))
  await cache.getOrSet('k', () => 1)
  redis.faults.fail()
  const deleting = cache.delete('k')
  const closing = cache.shutdown()
  await clock.advance('10s')
  await Promise.all([deleting, closing])
  expect(told).toEqual(['delete', 'shutdown'])
  expect(clock.pendingTimers).toBe(0)
})
