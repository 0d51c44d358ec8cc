import { createCache } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Counts } from '../../src/cache/core/counts.ts'
import { Metrics } from '../../src/cache/core/metrics.ts'

describe('stats()', () => {
  function open() {
    const clock = new ManualClock()
    const redis = new SimulatedRedis({ clock })
    const options = { clock, ttl: '1m', staleWhileRevalidate: '1m', local: { maxEntries: 3 } } as const
    const [cache, other] = [0, 1].map(() =>
      createCache({ ...options, backend: redis.backend({ prefix: 'p:' }) }),
    ) as [ReturnType<typeof createCache>, ReturnType<typeof createCache>]
    onTestFinished(async () => {
      const closing = Promise.all([cache.shutdown(), other.shutdown()])
      await clock.advance('1m')
      await closing
    })
    return { cache, clock, other, redis }
  }

  test('counts each call once, by the tier that answered it', async () => {
    const { cache, clock, other } = open()
    const load = () => 1
    await other.getOrSet('shared', load)
    await cache.getOrSet('shared', load)
    await cache.getOrSet('shared', load)
    await cache.get('shared')
    cache.peek('shared')
    await Promise.all([cache.getOrSet('cold', load), cache.getOrSet('cold', load)])
    await cache.get('nothing')
    await expect(cache.getOrSet('bad', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
    await clock.advance('70s')
    await cache.getOrSet('shared', load)
    await cache.idle()
    expect(cache.stats().total).toMatchObject({
      localHits: 3,
      sharedHits: 1,
      misses: 4,
      staleServes: 1,
      loads: 3,
      loadErrors: 1,
      earlyRefreshes: 0,
      evictions: 0,
    })
  })

  test('counts calls on a namespace with its cache', async () => {
    const { cache } = open()
    const space = cache.namespace('space')
    await space.getOrSet('key', () => 1)
    await space.getOrSet('key', () => 1)
    expect(cache.stats().total).toMatchObject({ misses: 1, localHits: 1 })
  })

  test('reports load cost, writes, evictions and kept entries', async () => {
    const { cache, clock } = open()
    const loading = cache.getOrSet('slow', async () => {
      await new Promise<void>((resolve) => void clock.after(1_500, resolve))
      return 'x'.repeat(1_000)
    })
    await clock.advance('1.5s')
    await loading
    const { bytesWritten, loadSeconds } = cache.stats().total
    expect(loadSeconds).toBeCloseTo(1.5)
    expect(bytesWritten).toBeGreaterThan(1_000)
    expect(bytesWritten).toBeLessThan(1_500)
    expect(cache.stats().local.entries).toBe(1)
    expect(cache.stats().local.bytes).toBeGreaterThan(1_000)
    for (let key = 0; key < 5; key++) await cache.getOrSet(`key${key}`, () => key)
    expect(cache.stats().local.entries).toBe(3)
    expect(cache.stats().total.evictions).toBe(3)
  })

  test('reports the state of Redis', async () => {
    const { cache, clock, redis } = open()
    await cache.getOrSet('key', () => 1)
    expect(cache.stats()).toMatchObject({ coherence: 'tracking', circuit: 'closed', undelivered: 0 })
    redis.faults.fail()
    for (let key = 0; key < 6; key++) await cache.delete(`key${key}`)
    expect(cache.stats()).toMatchObject({ circuit: 'open', undelivered: 6 })
    redis.faults.heal()
    await clock.advance('5s')
    expect(cache.stats()).toMatchObject({ circuit: 'closed', undelivered: 0 })
  })

  test('is plain data', () => {
    const stats = open().cache.stats()
    expect(JSON.parse(JSON.stringify(stats))).toEqual(stats)
  })
})

describe('the last minute', () => {
  function counting() {
    const counts = new Counts()
    return { counts, metrics: new Metrics(counts) }
  }

  test('drops older calls, to the second', () => {
    const { counts, metrics } = counting()
    metrics.add('loads', 1, 0)
    for (let second = 0; second < 120; second++) metrics.localHit(second * 1_000 + 500, 2)
    expect(counts.totals).toMatchObject({ loads: 1, localHits: 120, savedMs: 240 })
    const recent = counts.lastMinute(119_500)
    expect(recent.loads).toBe(0)
    expect(recent.localHits).toBeGreaterThanOrEqual(59)
    expect(recent.localHits).toBeLessThanOrEqual(61)
    expect(recent.savedMs).toBe(2 * recent.localHits)
    expect(counts.lastMinute(150_000).localHits).toBeLessThanOrEqual(31)
    expect(counts.lastMinute(400_000).localHits).toBe(0)
  })

  test('counts a burst of any size in its own second', () => {
    const { counts, metrics } = counting()
    for (let hit = 0; hit < 100_000; hit++) metrics.localHit(hit / 100, 0)
    expect(counts.lastMinute(1_000).localHits).toBe(100_000)
    expect(counts.lastMinute(60_900).localHits).toBe(0)
  })

  test('counts infrequent calls, too', () => {
    const { counts, metrics } = counting()
    metrics.add('misses', 1, 0)
    metrics.add('misses', 1, 30_000)
    metrics.add('misses', 1, 70_000)
    expect(counts.lastMinute(70_000).misses).toBe(2)
    expect(counts.lastMinute(100_000).misses).toBe(1)
  })

  test('is that of both after one count has absorbed another', () => {
    const [apart, other, together] = [counting(), counting(), counting()]
    for (let second = 0; second < 90; second++) {
      const nowMs = second * 1_000 + 250
      together.metrics.localHit(nowMs, second)
      const one = second % 3 === 0 ? apart : other
      one.metrics.localHit(nowMs, second)
    }
    apart.counts.absorb(other.counts)
    expect(apart.counts.totals).toEqual(together.counts.totals)
    for (const nowMs of [89_900, 100_000, 130_000, 149_000, 400_000])
      expect(apart.counts.lastMinute(nowMs)).toEqual(together.counts.lastMinute(nowMs))
  })
})
