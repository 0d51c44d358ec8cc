import { createCache } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, expect, test, vi } from 'vitest'
import { NodeRedisConnection } from '../../src/redis/node-redis/connection.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'

const TIMEOUT = '400ms'
/** One deadline, and what a busy machine takes: less than three deadlines. */
const ONE_DEADLINE_MS = 1_100

const scene = useScene({ caches: { prefix: 'p:', commandTimeout: TIMEOUT } })
const { redis } = scene

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}

describe('P37 a Redis that does not answer costs a call one deadline', () => {
  test('of many writes of one key: none waits for those before it', async () => {
    const cache = await scene.open()
    await cache.set('key', 0)
    redis.pause()
    const sets = () => Promise.all(Array.from({ length: 4 }, (_, index) => cache.set('key', index)))
    expect(await elapsedMs(sets)).toBeLessThan(ONE_DEADLINE_MS)
  })

  test('of a setMany and a getMany of many thousand keys: what would follow is not sent', async () => {
    const backend = new RedisCacheBackend({ url: redis.url, prefix: 'p:', commandTimeout: TIMEOUT })
    scene.later(() => backend.shutdown())
    await backend.initialize()
    const keys = Array.from({ length: 10_000 }, (_, index) => `key:${index}`)
    const send = vi.spyOn(NodeRedisConnection.prototype, 'send')
    scene.later(() => send.mockRestore())
    const sent = (name: string) => send.mock.calls.filter(([, [command]]) => command === name).length
    redis.pause()
    expect(await backend.setMany(new Map(keys.map((key) => [key, 1])))).toBe(false)
    const found = await backend.getMany(keys)
    expect([...found]).toEqual(keys.map((key) => [key, undefined]))
    expect([sent('SET'), sent('MGET')]).toEqual([1_000, 8])
  })
})

test('P24 the writes of one key take effect in the order of their calls, and are sent without waiting for replies', async () => {
  const cache = await scene.open()
  await cache.set('key', 'first')
  await cache.get('key')
  const proxied = await scene.proxy({ latencyMs: 100 })
  const distant = await scene.open({ redis: proxied.url })
  await distant.set('key', 'before')
  const writes = () => {
    const sets = Array.from({ length: 20 }, (_, index) =>
      // Every other one has a step before it: its tag is unknown.
      distant.set('key', index, index % 2 === 0 ? { tags: [`tag-${index}`] } : {}),
    )
    return Promise.all(sets)
  }
  expect(await elapsedMs(writes)).toBeLessThan(1_500)
  expect(await distant.get('key')).toBe(19)
  const removal = [distant.set('key', 'late', { tags: ['unknown'] }), distant.delete('key')]
  await Promise.all(removal)
  expect(await distant.get('key')).toBeUndefined()
  // The tag is invalidated while the write is in flight, after which it would be written again.
  await distant.set('key', 'tagged', { tags: ['tag'] })
  await Promise.all([
    distant.set('key', 'again', { tags: ['tag'] }),
    distant.invalidateTags(['tag']),
    distant.delete('key'),
  ])
  expect(await distant.get('key')).toBeUndefined()
})

test('P14 a lease whose grant was not heard of is given back, so nobody waits until it expires', async () => {
  const proxy = await scene.proxy()
  const cache = createCache({
    redis: proxy.url,
    prefix: 'p:',
    commandTimeout: TIMEOUT,
    lease: { ttl: '20s' },
  })
  scene.later(() => cache.shutdown())
  await cache.initialize()
  // After the reply that the key is absent, no reply gets through.
  proxy.garble = (reply) => {
    if (reply.includes('_\r\n')) proxy.holdReplies()
    return reply
  }
  expect(await cache.getOrSet('key', async () => 'loaded')).toBe('loaded')
  await waitUntil(async () => (await redis.ask('EXISTS', 'p:key')) === 0, {
    what: 'the lease to be given back',
    timeoutMs: 5_000,
  })
  proxy.release()
})
