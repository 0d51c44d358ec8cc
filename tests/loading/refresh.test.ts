import { createCache } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { openTimed, TimedSource } from '../support/timed-source.ts'

describe('refresh()', () => {
  test('loads and stores a value even if a fresh one is cached', async () => {
    const { cache, clock } = openTimed()
    const source = new TimedSource(clock)
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    expect(await cache.refresh('key', source.load)).toBe(2)
    expect(await cache.get('key')).toBe(2)
  })

  test('other callers are served the cached value while it runs', async () => {
    const { cache, clock } = openTimed()
    const source = new TimedSource(clock)
    await cache.getOrSet('key', source.load)
    source.takesMs = 1_000
    const refreshed = cache.refresh('key', source.load)
    await clock.advance('500ms')
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    await clock.advance('500ms')
    expect(await refreshed).toBe(2)
  })

  test('calls of one tick share a load; a call while that load runs starts another', async () => {
    const { cache, clock } = openTimed()
    const source = new TimedSource(clock)
    await cache.getOrSet('key', source.load)
    source.takesMs = 1_000
    const many = Promise.all(Array.from({ length: 10 }, () => cache.refresh('key', source.load)))
    await clock.advance('500ms')
    const late = cache.refresh('key', source.load)
    await clock.advance('5s')
    expect(await many).toEqual(new Array(10).fill(2))
    expect(await late).toBe(3)
    expect(source.loads).toBe(3)
    expect(await cache.get('key')).toBe(3)
  })

  test('replaces a load that began before it', async () => {
    const { cache, clock } = openTimed()
    const source = new TimedSource(clock)
    source.takesMs = 1_000
    const first = cache.getOrSet('key', source.load)
    await clock.advance('500ms')
    const refreshed = cache.refresh('key', source.load)
    await clock.advance('5s')
    expect(await first).toBe(1)
    expect(await refreshed).toBe(2)
    expect(await cache.get('key')).toBe(2)
  })

  test('a failed load leaves the cached value', async () => {
    const { cache, clock } = openTimed()
    const source = new TimedSource(clock)
    await cache.getOrSet('key', source.load)
    source.error = new Error('source away')
    await expect(cache.refresh('key', source.load)).rejects.toThrow('source away')
    expect(await cache.get('key')).toBe(1)
  })
})

describe('background work', () => {
  const policies = { ttl: '1m', staleWhileRevalidate: '1h' } as const

  test('idle() waits for it', async () => {
    const { cache, clock } = openTimed(policies)
    const source = new TimedSource(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('2m')
    source.takesMs = 3_000
    await cache.getOrSet('key', source.load)
    expect(cache.stats().underWay.background).toBe(1)
    let isIdle = false
    const idle = cache.idle().then(() => {
      isIdle = true
    })
    await clock.advance('2.9s')
    expect(isIdle).toBe(false)
    await clock.advance('100ms')
    await idle
    expect(cache.stats().underWay).toEqual({ loads: 0, background: 0 })
  })

  test('shutdown() waits for it, so that the loaded value is stored', async () => {
    const { cache, clock, told } = openTimed(policies)
    const source = new TimedSource(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('2m')
    source.takesMs = 3_000
    await cache.getOrSet('key', source.load)
    let isClosed = false
    const closing = cache.shutdown().then(() => {
      isClosed = true
    })
    await clock.advance('2.9s')
    expect(isClosed).toBe(false)
    await clock.advance('100ms')
    await closing
    expect(told).toEqual(['stale: revalidate'])
  })

  test('shutdown() aborts it once drain has passed', async () => {
    const { cache, clock, told } = openTimed({ ...policies, shutdown: { drain: '2s' } })
    const source = new TimedSource(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('2m')
    source.takesMs = 600_000
    await cache.getOrSet('key', source.load)
    const closing = cache.shutdown()
    await clock.advance('1.9s')
    expect(source.signals.at(-1)?.aborted).toBe(false)
    await clock.advance('100ms')
    await closing
    expect(source.signals.at(-1)?.aborted).toBe(true)
    expect(told).toEqual(['stale: revalidate', 'refresh of key: The cache has been shut down'])
  })

  test('a hung refresh is abandoned after longestLoad, and the next one begins', async () => {
    const { cache, clock, told } = openTimed({ ...policies, lease: { longestLoad: '10s' } })
    await cache.getOrSet('key', () => 1)
    await clock.advance('2m')
    expect(await cache.getOrSet('key', () => new Promise<number>(() => {}))).toBe(1)
    await clock.advance('10s')
    expect(told.at(-1)).toMatch(/^refresh of key: The value was not loaded within/)
    expect(await cache.getOrSet('key', () => 2)).toBe(1)
    await cache.idle()
    expect(await cache.get('key')).toBe(2)
  })

  test('a background failure does not crash a process without listeners', async () => {
    const clock = new ManualClock()
    const cache = createCache({ clock, ...policies })
    await cache.getOrSet('key', () => 1)
    await clock.advance('2m')
    await cache.getOrSet('key', () => Promise.reject(new Error('source away')))
    await cache.idle()
    const closing = cache.shutdown()
    await clock.advance('10s')
    await closing
  })
})
