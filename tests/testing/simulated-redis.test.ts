import assert from 'node:assert/strict'
import { type Cache, createCache, type ReadThroughOptions } from 'cachewright'
import { describeCacheBackend, ManualClock, SimulatedRedis } from 'cachewright/testing'
import { beforeEach, describe, it } from 'vitest'

const contractClock = new ManualClock()

describeCacheBackend({
  name: 'a simulated Redis',
  describe,
  it,
  createBackend: (options) => new SimulatedRedis({ clock: contractClock }).backend(options),
  elapse: (ms) => contractClock.advance(`${ms}ms`),
})

describe('caches that share a simulated Redis', () => {
  let clock: ManualClock
  let redis: SimulatedRedis
  let one: Cache
  let two: Cache

  const open = (options: ReadThroughOptions = {}) =>
    createCache({ backend: redis.backend({ prefix: 'shop:' }), clock, ttl: '5m', ...options })

  beforeEach(() => {
    clock = new ManualClock()
    redis = new SimulatedRedis({ clock })
    one = open()
    two = open()
  })

  it('share one value and one load', async () => {
    let loads = 0
    const load = () =>
      new Promise((resolve) => {
        clock.after(1_000, () => resolve(++loads))
      })
    const both = Promise.all([one.getOrSet('key', load), two.getOrSet('key', load)])
    await clock.advance('2s')
    assert.deepEqual(await both, [1, 1])
    assert.equal(one.coherence, 'tracking')
    assert.equal(one.peek('key'), 1)
    assert.equal(two.peek('key'), 1)
  })

  it('keep loaded values, and serve them without another round trip', async () => {
    await one.getOrSet('key', () => 1, { tags: ['a', 'b'] })
    await clock.settle()
    assert.equal(one.peek('key'), 1)
  })

  it('see at once a write, delete or invalidation by another cache', async () => {
    const changes: Record<string, (cache: Cache) => Promise<unknown>> = {
      set: (cache) => cache.set('key', 'changed'),
      delete: (cache) => cache.delete('key'),
      'invalidate by tag': (cache) => cache.invalidateTags(['tag']),
      'invalidate by pattern': (cache) => cache.invalidatePattern('k*'),
      clear: (cache) => cache.clear(),
      'set a plain value': (cache) => cache.plain.set('key', 'changed'),
      'set plain values': (cache) => cache.plain.setMany({ other: 1, key: 'changed' }),
      'take it': (cache) => cache.plain.getAndDelete('key'),
    }
    for (const [name, change] of Object.entries(changes)) {
      for (const cache of [one, two]) {
        await cache.getOrSet('key', () => 'old', { tags: ['tag'] })
        await cache.get('key')
      }
      assert.equal(two.peek('key'), 'old', name)
      await change(one)
      assert.equal(two.peek('key'), undefined, name)
      assert.equal(await two.getOrSet('key', () => 'changed', { tags: ['tag'] }), 'changed', name)
      await one.clear()
    }
  })

  it('see writes of a plain backend under their prefix', async () => {
    const other = redis.backend({ prefix: 'shop:' })
    await other.initialize()
    await one.getOrSet('key', () => 'old')
    await other.set('key', 'new')
    assert.equal(one.peek('key'), undefined)
    assert.equal(await one.get('key'), 'new')
  })

  it('never store a load that an invalidation overtook', async () => {
    const loading = one.getOrSet(
      'key',
      () => new Promise((resolve) => clock.after(1_000, () => resolve('old'))),
    )
    await clock.advance('500ms')
    await two.delete('key')
    await clock.advance('1s')
    assert.equal(await loading, 'old')
    assert.equal(await two.get('key'), undefined)
    assert.equal(await one.get('key'), undefined)
  })

  it('take over the load of a dead process when its lease expires', async () => {
    const dead = open({ lease: { ttl: '5s', longestLoad: '1s' } })
    void dead.getOrSet('key', () => new Promise(() => {}))
    await clock.settle()
    const taken = two.getOrSet('key', () => 'loaded by another')
    await clock.advance('4s')
    let isSettled = false
    void taken.finally(() => {
      isSettled = true
    })
    await clock.settle()
    assert.equal(isSettled, false)
    await clock.advance('3s')
    assert.equal(await taken, 'loaded by another')
  })

  it("get no pushes with coherence 'ttl', and keep copies for local.ttl", async () => {
    const alone = open({ coherence: { mode: 'ttl' }, local: { ttl: '2s' } })
    await alone.getOrSet('key', () => 'old')
    assert.equal(alone.coherence, 'ttl')
    await one.set('key', 'new')
    assert.equal(await alone.get('key'), 'old')
    await clock.advance('2s')
    assert.equal(await alone.get('key'), 'new')
  })

  it('are separate under different prefixes, and find their data again after a shutdown', async () => {
    const backend = redis.backend({ prefix: 'other:' })
    const other = createCache({ backend, clock })
    await one.set('key', 1)
    assert.equal(await other.get('key'), undefined)
    await one.shutdown()
    assert.equal(await open().get('key'), 1)
  })
})
