import { createCache } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { expect, test } from 'vitest'

test('a cache that is closed with an undelivered invalidation leaves no timer', async () => {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const cache = createCache({ clock, backend: redis.backend({ prefix: 'p:' }) })
  await cache.getOrSet('k', () => 1)
  redis.faults.fail()
  expect(await cache.delete('k')).toBe(false)
  const closed = cache.shutdown()
  await clock.advance('10s')
  await closed
  expect(clock.pendingTimers).toBe(0)
})
