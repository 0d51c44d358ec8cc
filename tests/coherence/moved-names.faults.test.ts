import type { CacheBackend } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { warmed } from '../support/cache-states.ts'
import { clientKinds, lent } from '../support/client-kinds.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene({ caches: { prefix: 'p:', ttl: '5m', coherence: { trust: '600ms' } }, redis: false })

describe.each(clientKinds(scene))('a name that moves to the new primary, with %s', (_name, options) => {
  test('is followed, although the old primary still answers, as a replica', async () => {
    const [old, next] = await Promise.all([startStandalone(), startStandalone()])
    scene.later(() => Promise.all([old.stop(), next.stop()]))
    const name = await scene.proxy({ port: old.port })
    const cache = scene.cache(options(name))
    await cache.initialize()
    await warmed(cache, 'key')
    // What was made before keeps its connections: only new ones lead to the new primary.
    name.leadTo(next.port)
    await old.ask('REPLICAOF', '127.0.0.1', next.port)
    await waitUntil(() => cache.set('key', 'changed'), { what: 'a write that is acknowledged' })
    expect(Number(await next.ask('EXISTS', 'p:key'))).toBe(1)
  })
})

describe('a name that moves to the new primary, with a backend without a cache', () => {
  const open: readonly (readonly [name: string, open: (url: string) => CacheBackend<string>])[] = [
    ['over its own client', (url) => new RedisCacheBackend<string>({ url, prefix: 'p:' })],
    [
      "over a caller's ioredis",
      (url) => new RedisCacheBackend<string>({ ...lent(scene, new Redis(url)), prefix: 'p:' }),
    ],
  ]
  test.each(open)('is followed after the first write that is refused, %s', async (_name, open) => {
    const [old, next] = await Promise.all([startStandalone(), startStandalone()])
    scene.later(() => Promise.all([old.stop(), next.stop()]))
    const name = await scene.proxy({ port: old.port })
    const backend = open(name.url)
    scene.later(() => backend.shutdown())
    await backend.set('key', 'old', 60)
    name.leadTo(next.port)
    await old.ask('REPLICAOF', '127.0.0.1', next.port)
    expect(await backend.set('key', 'new', 60)).toBe(false)
    await waitUntil(() => backend.set('key', 'new', 60), { what: 'a write that is acknowledged' })
    expect(Number(await next.ask('EXISTS', 'p:key'))).toBe(1)
  })
})
