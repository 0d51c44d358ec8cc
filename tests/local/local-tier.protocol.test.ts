import assert from 'node:assert/strict'
import { createCache } from 'cachewright'
import { describe, it } from 'vitest'
import { startCluster } from '../../testbed/redis-cluster.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { deferred, heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

describe('the local tier', () => {
  const scene = useScene()

  it('L1 it keeps tracked reads and no writes, so that the owner of a fill gets pushes for it', async () => {
    const cache = await scene.open()
    await cache.set('written', 1)
    assert.equal(cache.peek('written'), undefined)
    await cache.getOrSet('filled', () => 1)
    assert.equal(cache.peek('filled'), 1)
    await scene.redis.ask('DEL', 'shop:filled')
    await waitUntil(() => cache.peek('filled') === undefined, {
      what: 'the push of a change to the own fill',
    })
  })

  it('L2 it does not keep a read that its own delete overtook, even if another read followed', async () => {
    const cache = await scene.open()
    const other = await scene.open()
    await other.set('key', 'old')
    await cache.delete('nothing') // The server knows the script from here on.
    scene.redis.pause()
    const first = cache.get('key')
    // The read is on its way before what follows it.
    await new Promise((resolve) => setImmediate(resolve))
    const deleted = cache.delete('key')
    const second = cache.get('key')
    scene.redis.resume()
    assert.equal(await first, 'old')
    assert.equal(await deleted, true)
    assert.equal(await second, undefined)
    assert.equal(cache.peek('key'), undefined)
  })

  it('L3 it does not keep a read during its own write, even if the write goes through the backend', async () => {
    const cache = await scene.open()
    // A read waits for a write of the cache, and is sent after it.
    const writes = [
      { write: () => cache.set('key', 'new'), kept: 'new' },
      { write: () => cache.plain.set('key', 'new'), kept: undefined },
    ]
    for (const { kept, write } of writes) {
      await cache.set('key', 'old')
      assert.equal(await cache.get('key'), 'old')
      assert.equal(cache.peek('key'), 'old')
      scene.redis.pause()
      const written = write()
      assert.equal(cache.peek('key'), undefined, 'dropped when the write is sent')
      const read = cache.get('key')
      scene.redis.resume()
      await written
      assert.equal(await read, 'new')
      assert.equal(cache.peek('key'), kept, 'and what was read meanwhile is not kept')
      assert.equal(await cache.get('key'), 'new')
    }
  })

  it('L4 a caller after an acknowledged invalidation does not join a load that began before it', async () => {
    const cache = await scene.open()
    const tags = ['users']
    const invalidations: (() => Promise<unknown>)[] = [
      () => cache.delete('key'),
      () => cache.set('key', 'set'),
      () => cache.invalidateTags(tags),
      () => cache.invalidatePattern('k*'),
      () => cache.clear(),
      () => scene.redis.ask('DEL', 'shop:key'),
      () => scene.redis.ask('FLUSHALL'),
    ]
    for (const [index, invalidate] of invalidations.entries()) {
      const old = heldLoader('old')
      const early = cache.getOrSet('key', old.load, { tags })
      await old.begun
      await invalidate()
      // A foreign change is heard of by its push; what is asked on the same connection afterwards comes after it.
      await cache.get('another key', { local: false })
      const late = cache.getOrSet('key', () => 'new', { tags })
      assert.notEqual(await late, 'old', `invalidation ${index}`)
      old.release()
      assert.equal(await early, 'old', 'who was in it gets its value')
      assert.notEqual(await cache.getOrSet('key', () => 'newer', { tags }), 'old')
      await cache.delete('key')
    }
  })

  it('L4 a late joiner loads anew if a tag that the loader adds was invalidated before it joined', async () => {
    const cache = await scene.open()
    const load = (value: string, gate: Promise<void>, begun: () => void) =>
      cache.getOrSet('key', async (context) => {
        begun()
        await gate
        context.addTags(['late'])
        return value
      })
    // The tag becomes known here.
    await cache.getOrSet('other', () => 1, { tags: ['late'] })
    await cache.getOrSet('other', () => 1, { tags: ['late'] })
    const gate = deferred()
    const begun = deferred()
    const early = load('old', gate.promise, begun.resolve)
    await begun.promise
    await cache.invalidateTags(['late'])
    const late = load('new', Promise.resolve(), () => {})
    gate.resolve()
    assert.equal(await early, 'old')
    assert.equal(await late, 'new')
  })

  it('L5 a lost connection begins an epoch: kept entries are served only in place of an error', async () => {
    const cache = await scene.open({ staleIfError: '1m', commandTimeout: '200ms' })
    const failing = () => Promise.reject(new Error('the source is away'))
    await cache.getOrSet('key', () => 'kept', { tags: ['a'] })
    await cache.getOrSet('refuted', () => 'kept', { tags: ['b'] })
    assert.equal(cache.peek('key'), 'kept')
    let epochs = 0
    cache.on('epoch', () => epochs++)
    await scene.redis.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await waitUntil(() => epochs >= 2, { what: 'the end of one epoch and the beginning of the next' })
    assert.equal(cache.peek('key'), undefined)
    scene.redis.pause()
    assert.equal(await cache.invalidateTags(['b']), false)
    assert.equal(await cache.getOrSet('key', failing, { tags: ['a'] }), 'kept')
    await assert.rejects(cache.getOrSet('refuted', failing, { tags: ['b'] }), /the source is away/)
    scene.redis.resume()
    await scene.redis.ask('DEL', 'shop:key')
    await waitUntil(async () => (await cache.has('probe')) || cache.circuit === 'closed', {
      what: 'Redis is back',
    })
    await assert.rejects(cache.getOrSet('key', failing, { tags: ['a'] }), /the source is away/)
  })

  it('L5 L6 during an outage nothing is stored, not even by a load that ends after it', async () => {
    const cache = await scene.open({ commandTimeout: '200ms' })
    await cache.getOrSet('warm', () => 1)
    scene.redis.pause()
    const held = heldLoader('loaded in the outage')
    const load = cache.getOrSet('key', held.load)
    await held.begun
    scene.redis.resume()
    await waitUntil(async () => (await cache.get('warm', { local: false })) === 1, { what: 'Redis is back' })
    held.release()
    assert.equal(await load, 'loaded in the outage')
    assert.equal(cache.peek('key'), undefined)
    assert.equal(await scene.redis.ask('EXISTS', 'shop:key'), 0)
  })

  it('L7 a plain value is kept no longer than its TTL in Redis', async () => {
    const cache = await scene.open()
    await scene.redis.ask('SET', 'shop:plain', '"text"', 'PX', 150)
    assert.equal(await cache.get('plain'), 'text')
    await waitUntil(() => cache.peek('plain') === 'text', {
      what: 'it is kept once its time to live is known',
    })
    const startMs = performance.now()
    await waitUntil(() => cache.peek('plain') === undefined, { what: 'it is not served any more' })
    assert.ok(performance.now() - startMs < 2_000)
    await waitUntil(async () => (await cache.get('plain')) === undefined, { what: 'it is gone' })
  })
})

describe('on a cluster', () => {
  it('L5 a slot that moves begins an epoch', async () => {
    const cluster = await startCluster({ replicasPerMaster: 0 })
    const nodes = cluster.urls
    await using cache = createCache({ redis: { cluster: { nodes } }, prefix: 'shop:', ttl: '5m' })
    try {
      await cache.initialize()
      await cache.getOrSet('key', () => 1)
      assert.equal(cache.coherence, 'tracking')
      assert.equal(cache.peek('key'), 1)
      const reasons: string[] = []
      cache.on('epoch', ({ reason }) => reasons.push(reason))
      const slot = await cluster.slotOf('another key')
      const from = await cluster.masterOf(slot)
      const to = (await cluster.masters()).find((port) => port !== from) as number
      await cluster.beginMigration(slot, from, to)
      await cluster.finishMigration(slot, from, to)
      await waitUntil(() => reasons.includes('slots have moved'), { what: 'a quiet process hears of it' })
      assert.equal(cache.peek('key'), undefined)
      assert.equal(await cache.getOrSet('key', () => 2), 1)
    } finally {
      await cache.shutdown()
      await cluster.stop()
    }
  }, 60_000)
})
