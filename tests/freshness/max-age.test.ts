import { type CollectionReadOptions, createCache, type GetOrSetOptions } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isTooOld, maxAgeOf, servableAsReadTo } from '../../src/cache/freshness/max-age.ts'
import { callAsExplained } from '../explain/predictions.ts'
import { openTimed, TimedSource } from '../support/timed-source.ts'

const anything = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
} as const

describe.each([
  ['the local tier', {}],
  ['the shared tier alone', { local: false }],
] as const)('maxAge with %s', (_name, options) => {
  const open = (more = {}) => {
    const opened = openTimed({ ...options, ...more })
    return { ...opened, source: new TimedSource(opened.clock) }
  }

  test('loads an older value, and replaces it for everybody', async () => {
    const { cache, clock, source } = open()
    await cache.getOrSet('key', source.load)
    await clock.advance('10s')
    expect(await cache.getOrSet('key', source.load, { maxAge: '10s' })).toBe(1)
    await clock.advance('1ms')
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    expect(await cache.getOrSet('key', source.load, { maxAge: '10s' })).toBe(2)
    expect(await cache.get('key')).toBe(2)
    expect(source.loads).toBe(2)
  })

  test('changes nothing if it is longer than the ttl', async () => {
    const { cache, clock, source, told } = open({ staleWhileRevalidate: '10s' })
    await cache.getOrSet('key', source.load)
    await clock.advance('59s')
    for (const maxAge of ['2m', Number.POSITIVE_INFINITY, undefined] as const) {
      expect(await cache.getOrSet('key', source.load, { maxAge })).toBe(1)
    }
    await clock.advance('2s')
    expect(told).toEqual([])
    expect(await cache.getOrSet('key', source.load, { maxAge: '2m' })).toBe(1)
    expect(told).toEqual(['stale: revalidate'])
  })

  test('counts from the beginning of the load', async () => {
    const { cache, clock, source } = open()
    source.takesMs = 5_000
    const loading = cache.getOrSet('key', source.load, { maxAge: '1s' })
    await clock.advance('5s')
    expect(await loading).toBe(1)
    expect(await cache.get('key', { maxAge: '1s' })).toBeUndefined()
    expect(await cache.get('key', { maxAge: '5s' })).toBe(1)
  })

  test('begins the stale windows of this caller', async () => {
    const { cache, clock, source, told } = open({ staleWhileRevalidate: '10s', staleIfError: '20s' })
    const asked = { maxAge: '10s' } as const
    await cache.getOrSet('key', source.load)
    await clock.advance('15s')
    expect(await cache.getOrSet('key', source.load, asked)).toBe(1)
    await cache.idle()
    expect(source.loads).toBe(2)
    expect(await cache.getOrSet('key', source.load, asked)).toBe(2)
    expect(told).toEqual(['stale: revalidate'])
    source.error = new Error('source away')
    await clock.advance('25s')
    expect(await cache.getOrSet('key', source.load, asked)).toBe(2)
    expect(told).toEqual(['stale: revalidate', 'stale: error'])
    await clock.advance('10s')
    await expect(cache.getOrSet('key', source.load, asked)).rejects.toThrow('source away')
    expect(await cache.getOrSet('key', source.load)).toBe(2)
    expect(told.length).toBe(2)
  })

  test('serves a stale value after softTimeout only within the window of this caller', async () => {
    const { cache, clock, source } = open({ staleIfError: '20s' })
    const asked = { maxAge: '10s', softTimeout: '1s', hardTimeout: '2s' } as const
    await cache.getOrSet('key', source.load)
    source.takesMs = 60_000
    await clock.advance('25s')
    const served = cache.getOrSet('key', source.load, asked)
    await clock.advance('1s')
    expect(await served).toBe(1)
    await clock.advance('10s')
    const refused = cache.getOrSet('key', source.load, asked)
    const refusal = expect(refused).rejects.toThrow(expect.objectContaining({ code: 'CACHE_LOADER_TIMEOUT' }))
    await clock.advance('2s')
    await refusal
  })

  test('joins a load under way, which others need not wait for', async () => {
    const { cache, clock, source } = open()
    await cache.getOrSet('key', source.load)
    await clock.advance('10s')
    source.takesMs = 5_000
    const asked = { maxAge: '1s' } as const
    const first = cache.getOrSet('key', source.load, asked)
    await clock.advance('2s')
    const second = cache.getOrSet('key', source.load, asked)
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    await clock.advance('3s')
    expect(await Promise.all([first, second])).toEqual([2, 2])
    expect(source.loads).toBe(2)
  })

  test('does not fail a call that may be served what is cached', async () => {
    const { cache, clock, source } = open()
    await cache.getOrSet('key', source.load)
    await clock.advance('10s')
    source.takesMs = 5_000
    source.error = new Error('source away')
    const strict = cache.getOrSet('key', source.load, { maxAge: '1s' })
    const others = Array.from({ length: 3 }, () => cache.getOrSet('key', source.load))
    expect(await Promise.all(others)).toEqual([1, 1, 1])
    const refusal = expect(strict).rejects.toThrow('source away')
    await clock.advance('5s')
    await refusal
    expect(await cache.getOrSet('key', source.load)).toBe(1)
  })

  test('of one caller of a read does not bind the others', async () => {
    const { cache, clock, source } = open()
    await cache.getOrSet('key', source.load)
    await clock.advance('10s')
    const answers = await Promise.all([
      cache.getOrSet('key', source.load),
      cache.getOrSet('key', source.load, { maxAge: '1s' }),
      cache.getOrSet('key', source.load, { maxAge: '1m' }),
      cache.get('key', { maxAge: '1m' }),
      cache.get('key', { maxAge: '1s' }),
    ])
    expect(answers).toEqual([1, 2, 1, 1, undefined])
  })

  test('counts a plain value as too old', async () => {
    const { cache, source } = open()
    await cache.plain.set('key', 'plain')
    expect(await cache.get('key')).toBe('plain')
    expect(await cache.get('key', { maxAge: '1h' })).toBeUndefined()
    expect(await cache.getOrSet('key', source.load, { maxAge: '1h' })).toBe(1)
    expect(await cache.get('key', { maxAge: '1h' })).toBe(1)
  })

  test('is taken by get, with local: false too', async () => {
    const { cache, clock } = open()
    await cache.set('key', 1)
    await clock.advance('10s')
    for (const local of [true, false]) {
      expect(await cache.get('key', { local, maxAge: '10s' })).toBe(1)
      expect(await cache.get('key', { local, maxAge: '9s' })).toBeUndefined()
    }
    expect(await cache.get('key')).toBe(1)
  })

  for (const wait of [true, false]) {
    test(`is taken by reserve, wait: ${wait}`, async () => {
      const { cache, clock } = open({ staleIfError: '1m' })
      await cache.set('key', 'old')
      await clock.advance('10s')
      const found = await cache.reserve('key', { wait, maxAge: '10s' })
      expect(found.isHit).toBe(true)
      const slot = await cache.reserve('key', { wait, maxAge: '9s' })
      expect(slot.isHit).toBe(false)
      expect(slot.stale?.value).toBe('old')
      expect(await slot.fill('new')).toBe(true)
      expect(await cache.get('key')).toBe('new')
    })
  }

  test('is taken by getOrSetMany, for all keys or for one', async () => {
    const { cache, clock } = open()
    const asked: string[][] = []
    const load = (keys: readonly string[]) => {
      asked.push([...keys])
      return keys.map(() => asked.length)
    }
    await cache.getOrSetMany(['a', 'b'], load)
    await clock.advance('10s')
    await cache.getOrSetMany(['a', 'b'], load, { each: (key) => (key === 'b' ? { maxAge: '9s' } : {}) })
    await cache.getOrSetMany(['a', 'b'], load, { maxAge: '9s' })
    expect(asked).toEqual([['a', 'b'], ['b'], ['a']])
  })

  test('is taken by a collection and by a wrapped function', async () => {
    const { cache, clock, source } = open()
    const numbers = cache.collection({
      name: 'numbers',
      schema: anything,
      load: (_id, context) => source.load(context),
    })
    await numbers.get('a')
    const find = cache.wrap((_id: string) => ++source.loads, { name: 'find', maxAge: '9s' })
    expect(await find('a')).toBe(2)
    await clock.advance('10s')
    expect(await numbers.get('a', { maxAge: '10s' })).toBe(1)
    expect(await numbers.get('a', { maxAge: '9s' })).toBe(3)
    expect(await numbers.getMany(['a'], { maxAge: '9s' })).toEqual(new Map([['a', 3]]))
    expect(await find('a')).toBe(4)
    expect(await find('a')).toBe(4)
  })

  test.each([0, -1, '5x', true, null, Number.NaN])(
    '%j is refused, whether there is a hit or not',
    async (maxAge) => {
      const { cache, source } = open()
      const asked = { maxAge } as GetOrSetOptions & CollectionReadOptions
      const refusal = expect.objectContaining({ code: 'CACHE_INVALID_DURATION' })
      const numbers = cache.collection({
        name: 'numbers',
        schema: anything,
        load: (_id, context) => source.load(context),
      })
      for (const warm of [false, true]) {
        if (warm) {
          await cache.set('key', 1)
          await cache.get('key')
          await numbers.get('key')
        }
        await expect(cache.getOrSet('key', source.load, asked)).rejects.toThrow(refusal)
        await expect(cache.get('key', asked)).rejects.toThrow(refusal)
        await expect(cache.reserve('key', asked)).rejects.toThrow(refusal)
        await expect(cache.getOrSetMany(['key'], () => [1], asked)).rejects.toThrow(refusal)
        await expect(numbers.get('key', asked)).rejects.toThrow(refusal)
        await expect(cache.explain('key', asked)).rejects.toThrow(refusal)
      }
    },
  )

  test.each([
    [{}, 'load', /older than maxAge/],
    [{ staleWhileRevalidate: '10s' }, 'serve-stale', /older than maxAge, within/],
  ] as const)('is explained, with %j', async (policies, step, reason) => {
    const { cache, clock, source } = open(policies)
    await cache.getOrSet('key', source.load)
    await clock.advance('10s')
    expect((await cache.explain('key', { maxAge: '10s' })).next.step).toMatch(/serve-(local|shared)/)
    const explanation = await cache.explain('key', { maxAge: '9s' })
    expect(explanation.next).toMatchObject({ step, reason: expect.stringMatching(reason) })
    expect(explanation.local.refusals).toEqual(explanation.local.state === 'kept' ? ['too-old'] : [])
    if (explanation.local.state === 'kept') expect(String(explanation)).toContain('older than the maxAge')
    await callAsExplained(explanation, { cache, space: cache }, 'key', { maxAge: '9s' }, (value) => value)
  })
})

test('maxAge is no default of a cache or a namespace', () => {
  const { cache } = openTimed()
  const refusal = expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS' })
  expect(() => cache.namespace('inner', { maxAge: '1s' } as object)).toThrow(refusal)
  expect(() => createCache({ maxAge: '1s' } as object)).toThrow(refusal)
})

test('processes with a maxAge share a load that takes longer than that', async () => {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const caches = Array.from({ length: 4 }, () => createCache({ backend: redis.backend(), clock }))
  onTestFinished(async () => void (await Promise.all(caches.map((cache) => cache.shutdown()))))
  const source = new TimedSource(clock)
  await caches[0]?.getOrSet('key', source.load)
  await clock.advance('10s')
  source.takesMs = 2_000
  const asked = { maxAge: '1s' } as const
  const calls = caches.flatMap((cache) =>
    Array.from({ length: 3 }, () => cache.getOrSet('key', source.load, asked)),
  )
  await clock.advance('1s')
  const late = caches.map((cache) => cache.getOrSet('key', source.load, asked))
  await clock.advance('2s')
  expect(new Set(await Promise.all([...calls, ...late]))).toEqual(new Set([2]))
  expect(source.loads).toBe(2)
})

describe('how an entry is served by its age', () => {
  const entry = {
    bornMs: 0,
    freshUntilMs: 100,
    staleWhileRevalidateMs: 10,
    staleIfErrorMs: 20,
    staleWhileRevalidateUntilMs: 110,
    staleIfErrorUntilMs: 120,
  }

  test.each([
    [50, 50, 'fresh'],
    [50, 51, 'revalidate'],
    [50, 60, 'error'],
    [50, 70, 'no'],
    [200, 99, 'fresh'],
    [200, 100, 'revalidate'],
    [95, 104, 'revalidate'],
    [95, 105, 'error'],
    [95, 115, 'no'],
    [undefined, 119, 'error'],
    [undefined, 120, 'no'],
  ] as const)('maxAge %s at %s: %s', (maxAgeMs, nowMs, how) => {
    expect(servableAsReadTo(maxAgeMs, entry, nowMs)).toBe(how)
  })

  test('one of unknown age is too old for any maxAge', () => {
    const unknown = { ...entry, bornMs: undefined }
    expect(servableAsReadTo(1e9, unknown, 1)).toBe('no')
    expect(servableAsReadTo(undefined, unknown, 1)).toBe('fresh')
    expect(isTooOld(unknown, 1, 1e9)).toBe(true)
    expect(isTooOld(unknown, 1, undefined)).toBe(false)
  })

  test('an endless maxAge is none', () => {
    expect(maxAgeOf(Number.POSITIVE_INFINITY)).toBeUndefined()
    expect(maxAgeOf('5s')).toBe(5_000)
  })
})
