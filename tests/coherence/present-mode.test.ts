import { createCache } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { expect, test } from 'vitest'
import { inMode } from '../support/cache-states.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

test("coherence is 'none' where Redis was never reached, and after shutdown()", async () => {
  const away = scene.cache({ redis: 'redis://127.0.0.1:1' })
  expect(away.coherence).toBe('none')
  await away.get('key')
  expect([away.coherence, away.stats().coherence]).toEqual(['none', 'none'])

  const cache = await scene.open()
  expect(cache.coherence).toBe('tracking')
  await cache.shutdown()
  expect(cache.coherence).toBe('none')
})

test("coherence is 'none' while the connection is lost, and the epoch events tell so", async () => {
  const cache = await scene.open()
  const told: string[] = []
  cache.on('epoch', ({ coherence }) => told.push(coherence))
  await scene.redis.kill()
  await inMode(cache, 'none')
  await scene.redis.restart()
  await inMode(cache, 'tracking')
  expect(told).toEqual(['none', 'tracking'])
})

test("coherence is 'none' once Redis has been silent for trust", async () => {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  await using cache = createCache({ backend: redis.backend(), clock, coherence: { trust: '3s' } })
  await cache.initialize()
  redis.faults.hang()
  await clock.advance('2s')
  expect(cache.coherence).toBe('tracking')
  await clock.advance('1s')
  expect(cache.coherence).toBe('none')
  redis.faults.heal()
  expect(cache.coherence).toBe('tracking')
})

test("a cache on the bus says 'ttl' until the others know that it listens, and keeps copies for as long", async () => {
  const cache = await scene.open({ coherence: { mode: 'bus' }, local: { ttl: '1m' } })
  expect(cache.coherence).toBe('ttl')
  await inMode(cache, 'bus')
})
