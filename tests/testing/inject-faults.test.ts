import assert from 'node:assert/strict'
import { createCache } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { NullCacheBackend } from 'cachewright/null'
import { RedisCacheBackend } from 'cachewright/redis'
import { describeCacheBackend, Faults, injectFaults, ManualClock, SimulatedRedis } from 'cachewright/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'

describeCacheBackend({
  name: 'memory with faults that do not strike',
  describe,
  it,
  createBackend: (options) => injectFaults(new MemoryCacheBackend(options), new Faults()),
})

describe('faults in front of a backend', () => {
  it('affect that same backend object', async () => {
    const faults = new Faults()
    const backend = new MemoryCacheBackend<number>()
    assert.equal(injectFaults(backend, faults), backend)
    await using cache = createCache({ backend })
    assert.equal(await cache.set('key', 1), true)
    faults.fail()
    assert.equal(await cache.set('key', 2), false)
    faults.heal()
    assert.equal(await cache.set('key', 3), true)
  })

  it('affect only one of the caches that share a simulated Redis', async () => {
    const clock = new ManualClock()
    const redis = new SimulatedRedis({ clock })
    const faults = new Faults({ clock })
    const cut = createCache({
      backend: injectFaults(redis.backend(), faults),
      clock,
      coherence: { trust: '3s' },
    })
    const other = createCache({ backend: redis.backend(), clock })
    await other.getOrSet('key', () => 'old')
    await cut.get('key')
    faults.hang()
    assert.equal(await other.set('key', 'new'), true)
    await clock.advance('2s')
    assert.equal(await cut.get('key'), 'old', 'a half-open connection is noticed after three seconds')
    await clock.advance('1s')
    assert.equal(cut.peek('key'), undefined)
    faults.heal()
    assert.equal(await cut.get('key'), 'new', 'what was told meanwhile arrives first')
  })

  it('cannot be put in front of a backend in use, or of an object that is no backend of this library', () => {
    const backend = new MemoryCacheBackend()
    createCache({ backend })
    assert.throws(() => injectFaults(backend, new Faults()), { code: 'CACHE_INVALID_OPTIONS' })
    assert.throws(() => injectFaults({} as NullCacheBackend, new Faults()), { code: 'CACHE_INVALID_OPTIONS' })
    injectFaults(new NullCacheBackend(), new Faults())
  })
})

describe('faults in front of a real Redis', () => {
  let redis: Standalone
  beforeAll(async () => {
    redis = await startStandalone()
  })
  afterAll(() => redis.stop())

  it('slow, refuse, hang and lose, and heal', async () => {
    const faults = new Faults({ commandTimeout: '100ms' })
    await using backend = injectFaults(new RedisCacheBackend<number>({ url: redis.url }), faults)
    faults.fail()
    await assert.rejects(backend.initialize(), { code: 'CACHE_UNAVAILABLE' })
    faults.heal()
    await backend.initialize()
    faults.slow('50ms')
    const beganMs = performance.now()
    assert.equal(await backend.set('key', 1), true)
    assert.ok(performance.now() - beganMs >= 49)
    faults.hang()
    assert.equal(await backend.get('key'), undefined)
    faults.disconnect()
    faults.heal()
    faults.loseReplies({ times: 1 })
    await assert.rejects(backend.incr('counter'), { code: 'CACHE_AMBIGUOUS' })
    assert.equal(await backend.incr('counter'), 2)
    assert.equal(await backend.get('key'), 1)
  })

  it('withhold pushes from a tracked cache until its connection is lost', async () => {
    const faults = new Faults()
    const backend = injectFaults(new RedisCacheBackend({ url: redis.url, prefix: 'm:' }), faults)
    await using cache = createCache({ backend })
    await using other = createCache({ redis: redis.url, prefix: 'm:' })
    const keep = () =>
      waitUntil(async () => (await cache.getOrSet('key', () => 'old')) === cache.peek('key'), {
        what: 'a local copy',
      })
    await keep()
    faults.loseMessages()
    await other.set('key', 'new')
    await other.get('key', { local: false })
    assert.equal(await cache.get('key', { local: false }), 'new')
    await keep()
    await other.set('key', 'newer')
    assert.equal(await other.get('key', { local: false }), 'newer')
    assert.equal(cache.peek('key'), 'new')
    faults.disconnect()
    assert.equal(await cache.get('key'), 'newer')
    await backend.shutdown()
  })
})
