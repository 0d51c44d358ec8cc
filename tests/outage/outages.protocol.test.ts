import assert from 'node:assert/strict'
import { createCache } from 'cachewright'
import { Redis } from 'ioredis'
import { describe, it } from 'vitest'
import { isTrackable } from '../../src/redis/node-redis/handshake.ts'
import { startCluster } from '../../testbed/redis-cluster.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'

describe('outages', () => {
  const scene = useScene()

  it('O1 undelivered invalidations are delivered before Redis serves a read: keys, tags, clear and patterns', async () => {
    const writer = await scene.open({ local: false })
    const cache = await scene.open({ commandTimeout: '150ms' })
    const undelivered: readonly [string, () => Promise<unknown>][] = [
      ['delete', () => cache.delete('key')],
      ['set', () => cache.set('key', 'not acknowledged')],
      ['invalidateTags', () => cache.invalidateTags(['a'])],
      ['invalidatePattern', () => cache.invalidatePattern('k*')],
      ['clear', () => cache.clear()],
    ]
    for (const [name, invalidate] of undelivered) {
      await writer.set('key', 'old', { tags: ['a'] })
      assert.equal(await cache.get('key', { local: false }), 'old', name)
      scene.redis.pause()
      assert.equal(Number(await invalidate()), 0, name)
      scene.redis.resume()
      await waitUntil(async () => (await cache.has('probe')) === false && cache.circuit === 'closed', {
        what: 'Redis is back',
      })
      const value = await cache.getOrSet('key', () => 'new', { tags: ['a'] })
      assert.notEqual(value, 'old', name)
      await cache.delete('key')
    }
  })

  it('O1 beyond a bound the cache invalidates everything instead, and never repeats backend operations', async () => {
    const cache = await scene.open({ commandTimeout: '100ms' })
    await cache.set('untouched', 'old')
    await cache.counters.incr('counter')
    scene.redis.pause()
    const deletes = Array.from({ length: 12_000 }, (_, index) => cache.delete(`key:${index}`))
    await Promise.all(deletes)
    await assert.rejects(cache.counters.incr('counter'))
    scene.redis.resume()
    await waitUntil(async () => (await cache.get('untouched')) === undefined && cache.circuit === 'closed', {
      what: 'the generation of everything is renewed',
    })
    // A counter is bound to no generation, so it is removed, as by clear().
    await waitUntil(async () => (await cache.plain.get('counter')) === undefined, { what: 'the removal' })
  })

  it('callers share a load without Redis, even if the loader adds a tag', async () => {
    await using cache = createCache({ redis: 'redis://127.0.0.1:1' })
    let loads = 0
    const ask = () =>
      cache.getOrSet('key', (context) => {
        context.addTags(['late'])
        return ++loads
      })
    assert.equal(await ask(), 1)
    assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [2, 2, 2])
  })

  it('O2 an idle process emits an epoch when slots move', async () => {
    const cluster = await startCluster({ replicasPerMaster: 0 })
    const nodes = cluster.urls
    await using cache = createCache({ redis: { cluster: { nodes } }, prefix: 'shop:' })
    try {
      await cache.initialize()
      const reasons: string[] = []
      cache.on('epoch', ({ reason }) => reasons.push(reason))
      const from = await cluster.masterOf(7)
      const to = (await cluster.masters()).find((port) => port !== from) as number
      await cluster.beginMigration(7, from, to)
      await cluster.finishMigration(7, from, to)
      await waitUntil(() => reasons.includes('slots have moved'), { what: 'the map is looked at' })
    } finally {
      await cache.shutdown()
      await cluster.stop()
    }
  }, 60_000)
})

describe('without tracking', () => {
  const scene = useScene()

  it('F1 caches announce their changes to one another on a bus', async () => {
    const clients = [new Redis(scene.redis.url), new Redis(scene.redis.url)] as const
    const [one, two] = await Promise.all(
      clients.map(async (client) => {
        const cache = createCache({ client, prefix: 'shop:', ttl: '5m' })
        await cache.initialize()
        await waitUntil(() => cache.coherence === 'bus', { what: 'the bus' })
        return cache
      }),
    )
    assert.ok(one !== undefined && two !== undefined)
    try {
      const changes: (() => Promise<unknown>)[] = [
        () => two.set('key', 'new'),
        () => two.delete('key'),
        () => two.invalidateTags(['a']),
        () => two.clear(),
        () => two.invalidatePattern('k*'),
        () => two.plain.set('key', 'new'),
      ]
      for (const change of changes) {
        await one.delete('key')
        await one.getOrSet('key', () => 'old', { tags: ['a'] })
        await waitUntil(
          async () => {
            await one.getOrSet('key', () => 'old', { tags: ['a'] })
            return one.peek('key') === 'old'
          },
          { what: 'it is kept' },
        )
        await change()
        await waitUntil(() => one.peek('key') === undefined, { what: 'it is told on the bus' })
      }
    } finally {
      await Promise.all([one.shutdown(), two.shutdown()])
      for (const client of clients) client.disconnect()
    }
  })

  it('F2 a server whose pushes can arrive inside another reply is not tracked', () => {
    const greeting = { clientId: 1, runId: 'a' }
    for (const version of ['6.2.14', '7.0.0', '7.0.4', '5.0'])
      assert.ok(!isTrackable({ ...greeting, version }), version)
    for (const version of ['7.0.5', '7.0.15', '7.2.4', '8.0.0', ''])
      assert.ok(isTrackable({ ...greeting, version }), version)
  })
})
