import { type CreateCacheOptions, createCache, type ReadThroughEvents } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Sampler } from '../../src/cache/freshness/sampler.ts'

function open({ serializer, ...options }: CreateCacheOptions = {}) {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const cache = createCache({
    backend: redis.backend({ prefix: 'p:', ...(serializer && { serializer }) }),
    ...{ clock, ttl: '1h', verify: { sample: 1, grace: '2s' } },
    ...options,
  })
  const told: ReadThroughEvents['verify'][] = []
  const failed: ReadThroughEvents['background-error'][] = []
  cache.on('verify', (event) => told.push(event))
  cache.on('background-error', (event) => failed.push(event))
  onTestFinished(async () => {
    const closing = cache.shutdown()
    await clock.advance('1m')
    await closing
  })
  return { cache, clock, failed, told }
}

describe('shadow verification', () => {
  test('a hit equal to the value of the source is fresh', async () => {
    const { cache, clock, told } = open()
    const load = () => ({ at: 1, list: [1, null, 'x'] })
    await cache.getOrSet('key', load)
    await cache.getOrSet('key', load)
    await clock.settle()
    expect(told).toEqual([
      { namespace: '', key: 'key', verdict: 'fresh', verified: 1, stale: 0, staleRate: 0 },
    ])
  })

  test('a hit that differs from the source is stale after the grace, and counts in the stale rate', async () => {
    const { cache, clock, told } = open()
    let value = 1
    const ask = () => cache.getOrSet('key', () => value)
    await ask()
    await ask()
    value = 2
    expect(await ask()).toBe(1)
    await clock.advance('1.9s')
    expect(told.map(({ verdict }) => verdict)).toEqual(['fresh'])
    await clock.advance('100ms')
    expect(told.at(-1)).toEqual({
      namespace: '',
      key: 'key',
      verdict: 'stale',
      verified: 2,
      stale: 1,
      staleRate: 0.5,
    })
    expect(cache.stats().verification).toEqual({ verified: 2, stale: 1 })
    // It only measures: the value is served as before.
    expect(await cache.get('key')).toBe(1)
  })

  test('a hit that is invalidated within the grace is overtaken and not counted', async () => {
    const { cache, clock, told } = open()
    let value = 1
    const ask = () => cache.getOrSet('key', () => value)
    await ask()
    value = 2
    await ask()
    await clock.advance('1s')
    await cache.delete('key')
    await clock.advance('1s')
    expect(told).toEqual([
      { namespace: '', key: 'key', verdict: 'overtaken', verified: 0, stale: 0, staleRate: 0 },
    ])
  })

  test('a hit in the shared tier is verified, too', async () => {
    const { cache, clock, told } = open({ local: false })
    await cache.getOrSet('key', () => 1)
    await cache.getOrSet('key', () => 1)
    await clock.settle()
    expect(told.map(({ verdict }) => verdict)).toEqual(['fresh'])
  })

  test('a hit that is gone at the source is stale', async () => {
    const { cache, clock, told } = open()
    await cache.getOrSet<number | undefined>('key', () => 1)
    await cache.getOrSet<number | undefined>('key', () => undefined)
    await clock.advance('2s')
    expect(told.map(({ verdict }) => verdict)).toEqual(['stale'])
  })

  test.each(['freeze', 'clone', 'share'] as const)(
    'compares values as they are read, not as they are loaded (isolate: %s)',
    async (isolate) => {
      const { cache, clock, told } = open({ isolate, serializer: 'v8' })
      const load = () =>
        new Map<string, unknown>([
          ['when', new Date(5)],
          ['nan', Number.NaN],
          ['left out', { a: 1, b: undefined }],
        ])
      await cache.getOrSet('key', load)
      await cache.getOrSet('key', load)
      await clock.settle()
      expect(told.map(({ verdict }) => verdict)).toEqual(['fresh'])
    },
  )

  test('a failed loader emits an event, and the caller still gets its hit', async () => {
    const { cache, clock, failed, told } = open()
    await cache.getOrSet('key', () => 1)
    expect(await cache.getOrSet('key', () => Promise.reject(new Error('source away')))).toBe(1)
    await clock.settle()
    expect(told).toEqual([])
    expect(failed).toEqual([{ namespace: '', task: 'verify', key: 'key', error: new Error('source away') }])
  })

  test('at most eight verifications run at a time', async () => {
    const { cache, clock } = open()
    let loads = 0
    const keys = Array.from({ length: 100 }, (_, index) => `key${index}`)
    await cache.setMany(new Map(keys.map((key) => [key, 1])))
    await Promise.all(
      keys.map((key) =>
        cache.getOrSet(key, () => {
          loads++
          return new Promise<number>(() => {})
        }),
      ),
    )
    await clock.settle()
    expect(loads).toBe(8)
  })

  test('no hit calls the loader if verification is off', async () => {
    const { cache, clock, told } = open({ verify: false })
    await cache.getOrSet('key', () => 1)
    for (let call = 0; call < 100; call++)
      await cache.getOrSet('key', () => Promise.reject(new Error('called')))
    await clock.settle()
    expect(told).toEqual([])
  })
})

describe('a sample', () => {
  test.each([0.001, 0.01, 0.1, 0.5, 1])('takes %d of all items', (part) => {
    const draws = 400_000
    const sampler = new Sampler(part, Math.random)
    let taken = 0
    for (let draw = 0; draw < draws; draw++) if (sampler.takes()) taken++
    const tolerance = 6 * Math.sqrt(draws * part * (1 - part)) + 1e-9
    expect(Math.abs(taken - draws * part)).toBeLessThanOrEqual(tolerance)
  })

  test('of size 0 takes nothing', () => {
    const sampler = new Sampler(0, () => 0)
    for (let draw = 0; draw < 1_000; draw++) expect(sampler.takes()).toBe(false)
  })
})
