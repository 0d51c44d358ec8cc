import { type CreateCacheOptions, createCache } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { describe, expect, onTestFinished, test } from 'vitest'

/** Two caches over one Redis that announces no change, on a clock that begins at 0. */
function open(options: CreateCacheOptions = {}) {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const cacheOver = () =>
    createCache({ backend: redis.backend({ prefix: 'p:' }), clock, coherence: { mode: 'ttl' }, ...options })
  const caches = [cacheOver(), cacheOver()] as const
  onTestFinished(async () => {
    const closing = Promise.all(caches.map((cache) => cache.shutdown()))
    await clock.advance('1h')
    await closing
  })
  return { clock, redis, mine: caches[0], other: caches[1] }
}

const failing = () => Promise.reject(new Error('the source is away'))

describe("with coherence 'ttl'", () => {
  test('staleIfError serves a local copy when Redis and the source are away', async () => {
    const { clock, mine, redis } = open({ ttl: '10s', staleIfError: '10m' })
    await clock.advance('1s')
    await mine.getOrSet('key', () => 'kept', { tags: ['t'] })
    // Longer than a local copy and the generations of its tags are believed.
    await clock.advance('5s')
    redis.faults.fail()
    expect(await mine.getOrSet('key', failing, { tags: ['t'] })).toBe('kept')
  })

  test('staleIfError serves no entry whose tag this process has invalidated', async () => {
    const { clock, mine, redis } = open({ ttl: '10s', staleIfError: '10m' })
    await clock.advance('1s')
    await mine.getOrSet('key', () => 'kept', { tags: ['t'] })
    await clock.advance('5s')
    redis.faults.fail()
    await mine.invalidateTags(['t'])
    await expect(mine.getOrSet('key', failing, { tags: ['t'] })).rejects.toThrow('the source is away')
  })

  test('a tag invalidated by another process stays valid here for local.ttl, even if the clock begins at 0', async () => {
    const { clock, mine, other } = open({ ttl: '1h', local: { ttl: '1s' } })
    let loads = 0
    const ask = () => mine.getOrSet('key', () => ++loads, { tags: ['t'] })
    expect(await ask()).toBe(1)
    await other.invalidateTags(['t'])
    await clock.advance('1001ms')
    expect(await ask()).toBe(2)
  })

  test('a copy that is read late expires with the generation that it was checked against', async () => {
    const { clock, mine, other } = open({ ttl: '1h', local: { ttl: '1s' } })
    await mine.getOrSet('first', () => 1, { tags: ['t'] })
    await other.getOrSet('second', () => 1, { tags: ['t'] })
    await clock.advance('900ms')
    // Judged by what was read 900 ms ago.
    expect(await mine.get('second')).toBe(1)
    await other.invalidateTags(['t'])
    await clock.advance('101ms')
    expect(await mine.get('second')).toBeUndefined()
  })
})
