import assert from 'node:assert/strict'
import { type CacheErrorCode, createCache } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { describe, it } from 'vitest'
import { useScene } from '../support/scene.ts'

const scene = useScene()

describe('a cache', () => {
  it('is opened by a counter as by any other first operation', async () => {
    const cache = scene.cache()
    assert.equal(await cache.counters.incr('count'), 1)
    await cache.getOrSet('key', () => 1)
    await cache.get('key')
    assert.deepEqual([cache.coherence, cache.peek('key')], ['tracking', 1])
  })

  it('that tries again in the background is left in peace by shutdown(), also after initialize()', async () => {
    const clock = new ManualClock()
    const redis = new SimulatedRedis({ clock, commandTimeout: '1s' })
    const backend = redis.backend({ errors: 'throw' })
    const cache = createCache({ backend, clock })
    redis.faults.hang()
    const first = cache.get('key').catch(() => 'failed')
    await clock.advance('1s')
    assert.equal(await first, 'failed')
    // The retry has begun when it is called, so they are one attempt.
    await clock.advance('100ms')
    const initializing = cache.initialize().catch(() => 'failed')
    await clock.advance('1s')
    assert.equal(await initializing, 'failed')
    await cache.shutdown()
    assert.equal(clock.pendingTimers, 0)
    await backend.shutdown()
  })

  it('that was shut down stays closed', async () => {
    const errors: CacheErrorCode[] = []
    const cache = scene.cache()
    cache.on('error', ({ error }) => errors.push(error.code))
    await cache.set('key', 1)
    const closing = cache.shutdown()
    await assert.rejects(cache.initialize(), { code: 'CACHE_CLOSED' })
    await closing
    await assert.rejects(cache.initialize(), { code: 'CACHE_CLOSED' })
    await assert.rejects(cache.counters.incr('count'), { code: 'CACHE_CLOSED' })
    assert.equal(await cache.get('key'), undefined)
    assert.equal(await cache.set('key', 2), false)
    assert.equal(await cache.getOrSet('key', () => 'loaded'), 'loaded')
    assert.deepEqual([...new Set(errors)], ['CACHE_CLOSED'])
    assert.equal(await scene.cache().get('key'), 1)
  })
})
