import { CacheError, type Duration, type EntryOptions } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { openTimed, TimedSource } from '../support/timed-source.ts'

/** A moment that lies so many milliseconds from now. */
const inMs = (ms: number) => Date.now() + ms
const invalid = (code: string) => expect.objectContaining({ code })

describe('expiresAt', () => {
  test.each([
    ['a Date', (ms: number) => new Date(inMs(ms))],
    ['milliseconds since 1970', inMs],
  ])('of a set is %s', async (_name, at) => {
    const { cache, clock } = openTimed({ ttl: '1s' })
    expect(await cache.set('key', 'value', { expiresAt: at(60_000) })).toBe(true)
    await clock.advance('50s')
    expect(await cache.get('key')).toBe('value')
    expect(await cache.getTtl('key')).toBeGreaterThan(0)
    expect(await cache.getTtl('key')).toBeLessThanOrEqual(10)
    await clock.advance('10s')
    expect(await cache.get('key')).toBeUndefined()
  })

  test('is not changed by jitter', async () => {
    const { cache } = openTimed({ jitter: 0.9 })
    const keys = Array.from({ length: 50 }, (_, index) => `key${index}`)
    const expiresAt = inMs(60_000)
    await cache.setMany(
      keys.map((key) => [key, 1] as const),
      { expiresAt },
    )
    for (const key of keys) await cache.getOrSet(`loaded ${key}`, () => 1, { expiresAt })
    for (const key of [...keys, ...keys.map((key) => `loaded ${key}`)]) {
      const left = (await cache.getTtl(key)) ?? 0
      expect(left).toBeGreaterThan(50)
      expect(left).toBeLessThanOrEqual(60)
    }
  })

  test('of a set that has come removes the key, and tells of no set', async () => {
    const { cache } = openTimed({ staleWhileRevalidate: '1h', staleIfError: '1h' })
    const told: number[] = []
    cache.on('set', ({ ttlMs }) => told.push(ttlMs))
    await cache.set('key', 'old')
    expect(told).toEqual([60_000])
    expect(await cache.set('key', 'new', { expiresAt: inMs(-1) })).toBe(true)
    expect(await cache.get('key')).toBeUndefined()
    await expect(cache.getOrSet('key', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
    await cache.set('key', 'next', { expiresAt: inMs(30_000) })
    expect(told.length).toBe(2)
    expect(told[1]).toBeGreaterThan(20_000)
    expect(told[1]).toBeLessThanOrEqual(30_000)
  })

  test('of a set that has come refuses a value that cannot be stored', async () => {
    const { cache } = openTimed()
    await cache.set('key', 'old')
    await expect(cache.set('key', () => 1, { expiresAt: inMs(-1) })).rejects.toThrow(
      invalid('CACHE_INVALID_VALUE'),
    )
    expect(await cache.get('key')).toBe('old')
  })

  test('is the beginning of the stale windows', async () => {
    const { cache, clock, told } = openTimed({ staleWhileRevalidate: '30s' })
    const source = new TimedSource(clock)
    await cache.getOrSet('key', source.load, { expiresAt: inMs(10_000) })
    await clock.advance('20s')
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    expect(told).toEqual(['stale: revalidate'])
    await cache.idle()
    expect(await cache.getOrSet('key', source.load)).toBe(2)
    await cache.getOrSet('key2', source.load, { expiresAt: inMs(10_000) })
    await clock.advance('41s')
    expect(await cache.getOrSet('key2', source.load)).toBe(4)
  })

  test('of a load that has come serves the value and stores nothing', async () => {
    const { cache } = openTimed()
    expect(await cache.getOrSet('key', () => 'loaded', { expiresAt: inMs(-1) })).toBe('loaded')
    expect(await cache.get('key')).toBeUndefined()
    await cache.set('key', 'cached')
    expect(await cache.refresh('key', () => 'loaded', { expiresAt: inMs(-1) })).toBe('loaded')
    expect(await cache.get('key')).toBe('cached')
  })

  test('and ttl of a loader go over those of the call', async () => {
    const { cache } = openTimed()
    const ttlOf = async (
      options: EntryOptions,
      settle: (context: { setTtl(ttl: Duration): void; setExpiresAt(at: Date): void }) => void,
    ) => {
      await cache.refresh(
        'key',
        (context) => {
          settle(context)
          return 1
        },
        options,
      )
      return Math.ceil((await cache.getTtl('key')) ?? 0)
    }
    const far = new Date(inMs(600_000))
    expect(await ttlOf({ ttl: '5s' }, (context) => context.setExpiresAt(far))).toBeGreaterThan(500)
    expect(await ttlOf({ expiresAt: far }, (context) => context.setTtl('5s'))).toBe(5)
    const both = await ttlOf({}, (context) => {
      context.setTtl('5s')
      context.setExpiresAt(far)
    })
    expect(both).toBeGreaterThan(500)
    const back = await ttlOf({}, (context) => {
      context.setExpiresAt(far)
      context.setTtl('5s')
    })
    expect(back).toBe(5)
  })

  test('is allowed for all keys of a batch, and for one of them', async () => {
    const { cache } = openTimed()
    const far = inMs(600_000)
    await cache.setMany([['own', 1, '5s'] as const, ['common', 1] as const], { expiresAt: far })
    expect(await cache.getTtl('own')).toBe(5)
    expect(await cache.getTtl('common')).toBeGreaterThan(500)
    const load = (keys: readonly string[]) => keys.map(() => 1)
    await cache.getOrSetMany(['a', 'b'], load, {
      ttl: '5s',
      each: (key) => (key === 'b' ? { expiresAt: far } : {}),
    })
    expect(await cache.getTtl('a')).toBe(5)
    expect(await cache.getTtl('b')).toBeGreaterThan(500)
    await cache.getOrSetMany(['c'], (keys, context) => {
      context.of('c').setExpiresAt(far)
      return load(keys)
    })
    expect(await cache.getTtl('c')).toBeGreaterThan(500)
  })

  for (const wait of [true, false]) {
    test(`of a fill is the end of what is filled in, wait: ${wait}`, async () => {
      const { cache } = openTimed()
      const refused: string[] = []
      cache.on('fill-refused', ({ reason }) => refused.push(reason))
      const slot = await cache.reserve('key', { wait })
      expect(await slot.fill('value', { expiresAt: inMs(600_000) })).toBe(true)
      expect(await cache.getTtl('key')).toBeGreaterThan(500)
      await cache.delete('key')
      const next = await cache.reserve('key', { wait })
      expect(await next.fill('value', { expiresAt: inMs(-1) })).toBe(false)
      expect(refused).toEqual(['expired'])
      expect(await cache.get('key')).toBeUndefined()
    })
  }

  test.each([
    [{ ttl: '5s', expiresAt: 2e12 }],
    [{ expiresAt: Number.NaN }],
    [{ expiresAt: Number.POSITIVE_INFINITY }],
    [{ expiresAt: new Date(Number.NaN) }],
    [{ expiresAt: 1.7e9 }],
    [{ expiresAt: 0 }],
    [{ expiresAt: 1e16 }],
    [{ expiresAt: '2030-01-01' }],
    [{ expiresAt: null }],
  ])('%j is refused by every call that takes it', async (options) => {
    const { cache } = openTimed()
    const given = options as EntryOptions
    const refusal = invalid('CACHE_INVALID_OPTIONS')
    await expect(cache.set('key', 1, given)).rejects.toThrow(refusal)
    await expect(cache.setMany({ key: 1 }, given)).rejects.toThrow(refusal)
    await expect(cache.getOrSet('key', () => 1, given)).rejects.toThrow(refusal)
    await expect(cache.explain('key', given)).rejects.toThrow(refusal)
    const slot = await cache.reserve('key')
    await expect(slot.fill(1, given)).rejects.toThrow(refusal)
    const failing = cache.getOrSet('key', (context) => {
      context.setOptions(given)
      return 1
    })
    await expect(failing).rejects.toThrow(refusal)
  })

  test('says of a number of seconds that it is one', async () => {
    const { cache } = openTimed()
    const setting = cache.set('key', 1, { expiresAt: 1_700_000_000 })
    await expect(setting).rejects.toThrow(/milliseconds since 1970 \(seconds, times 1000\)/)
  })

  test('is no default of a cache, a namespace, a collection or a wrapped function', () => {
    const { cache } = openTimed()
    const expiresAt = { expiresAt: inMs(1_000) } as object
    const makers: readonly (() => unknown)[] = [
      () => openTimed(expiresAt),
      () => cache.namespace('inner', expiresAt),
      () =>
        cache.collection({
          name: 'all',
          schema: { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } },
          load: () => 1,
          ...expiresAt,
        }),
      () => cache.wrap(function one() {}, expiresAt),
    ]
    for (const make of makers) expect(make).toThrow(CacheError)
  })

  test('is told by explain where it differs from what is cached, and where it has come', async () => {
    const { cache } = openTimed()
    const notesOf = async (expiresAt: number) => (await cache.explain('key', { expiresAt })).notes.join('\n')
    const expiresAt = inMs(30_000)
    await cache.set('key', 1, { expiresAt })
    expect(await notesOf(expiresAt)).toBe('')
    expect(await notesOf(inMs(300_000))).toContain('applies from the next load on')
    expect(await notesOf(inMs(-1))).toContain('what it loads is not stored')
  })
})
