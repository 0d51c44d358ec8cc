import { createCache } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { expect, test } from 'vitest'

test('every call is counted once: local hit, shared hit, miss or stale', async () => {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const options = { clock, ttl: '10s', staleWhileRevalidate: '5s', staleIfError: '5s' } as const
  const cache = createCache({ ...options, backend: redis.backend({ prefix: 'p:' }) })
  const other = createCache({ ...options, backend: redis.backend({ prefix: 'p:' }) })
  let calls = 0
  const call = (key: string, load: () => unknown, more = {}) => {
    calls++
    return cache.getOrSet(key, load, more)
  }
  const fail = () => Promise.reject(new Error('The source failed'))
  await other.getOrSet('shared', () => 1)
  await Promise.all([call('a', () => 1), call('a', () => 1), call('shared', () => 2)])
  await call('a', () => 2)
  await Promise.allSettled([call('failing', fail), call('failing', fail), call('b', fail, { tags: ['t'] })])
  await clock.advance('11s')
  await Promise.all([call('a', () => 3), call('a', () => 3), call('shared', fail)])
  await clock.advance('30s')
  redis.faults.fail()
  await Promise.allSettled([call('a', fail), call('c', () => 1)])
  const signal = AbortSignal.abort()
  await Promise.allSettled([cache.getOrSet('c', () => 1, { signal })])
  const late = call('slow', () => new Promise(() => {}), { hardTimeout: '1s' })
  await Promise.all([clock.advance('2s'), expect(late).rejects.toThrow('hardTimeout')])
  calls += 2
  await cache.get('absent')
  await cache.get('c')
  const { localHits, misses, sharedHits, staleServes } = cache.stats().total
  expect(localHits + misses + sharedHits + staleServes).toBe(calls)
  await Promise.all([cache.shutdown(), other.shutdown()])
})
