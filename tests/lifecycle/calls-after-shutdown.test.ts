import { createCache } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { expect, test } from 'vitest'

function open() {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const another = (options: object = {}) =>
    createCache({ clock, backend: redis.backend({ prefix: 'p:' }), ...options })
  return { another, clock, redis }
}

test('P43 a slot that nobody waits for leaves no timer after shutdown()', async () => {
  const { another, clock } = open()
  const cache = another()
  const slot = await cache.reserve('key', { wait: true })
  await cache.shutdown()
  expect(clock.pendingTimers).toBe(0)
  expect(await slot.fill('late')).toBe(false)
})

test('P43 a caller that waits for the load of another process loads by itself, and leaves no timer', async () => {
  const { another, clock } = open()
  const [loading, cache] = [another(), another()]
  void loading.getOrSet('key', () => new Promise(() => {}))
  await loading.get('other')
  const waiting = cache.getOrSet('key', () => 'loaded here')
  await cache.get('other')
  expect((await cache.explain('key')).load.callers).toBe(1)
  await cache.shutdown()
  expect(await waiting).toBe('loaded here')
  await loading.shutdown()
  expect(clock.pendingTimers).toBe(0)
})

test('P43 a load that its caller has left is not waited for after shutdown()', async () => {
  const { another, clock } = open()
  const works: Promise<unknown>[] = []
  const cache = another({ background: (work: Promise<unknown>) => void works.push(work) })
  const leaving = new AbortController()
  const left = cache.getOrSet('key', () => new Promise(() => {}), { signal: leaving.signal })
  const staying = cache.getOrSet('key', () => new Promise(() => {}))
  await cache.get('other')
  leaving.abort()
  await expect(left).rejects.toThrow()
  expect(works.length).toBe(1)
  await cache.shutdown()
  await Promise.all(works)
  expect(clock.pendingTimers).toBe(0)
  void staying
})
