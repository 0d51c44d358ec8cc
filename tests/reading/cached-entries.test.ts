import { type CachedEntry, createCache, type GetEntryOptions } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openTimed, TimedSource } from '../support/timed-source.ts'

const NOTHING = { tier: undefined, age: undefined, ttl: undefined, tags: [], stamp: undefined }
const STAMP = /^[\w-]{11}$/

const dates = {
  '~standard': {
    version: 1,
    vendor: 'test',
    types: undefined as { readonly input: number; readonly output: { at: number } } | undefined,
    validate: (value: unknown) =>
      typeof value === 'number' ? { value: { at: value } } : { issues: [{ message: 'no number' }] },
  },
} as const

describe.each([
  ['the local tier', {}, 'local'],
  ['the shared tier alone', { local: false }, 'shared'],
] as const)('entries with %s', (_name, options, tier) => {
  const open = (more = {}) => {
    const opened = openTimed({ ...options, ...more })
    return { ...opened, source: new TimedSource(opened.clock) }
  }

  test('tell how a value was had, how old it is, and for how long it is fresh', async () => {
    const { cache, clock, source } = open({ staleWhileRevalidate: '30s' })
    source.takesMs = 2_000
    const ask = () => cache.getOrSetEntry('key', source.load, { tags: ['a', 'b'] })
    const loading = ask()
    await clock.advance('2s')
    const loaded = await loading
    expect(loaded).toEqual({
      ...{ value: 1, status: 'miss', tier: undefined, age: 2, ttl: 58, tags: ['a', 'b'] },
      stamp: expect.stringMatching(STAMP),
    })
    await clock.advance('8s')
    const { stamp } = loaded
    const hit = { value: 1, status: 'hit', age: 10, ttl: 50, tags: ['a', 'b'], stamp }
    // The first one reads what the local tier may keep.
    expect(await ask()).toMatchObject(hit)
    expect(await ask()).toEqual({ ...hit, tier })
    expect(await cache.getEntry('key')).toEqual({ ...hit, tier })
    expect(await cache.getEntry('key', { local: false })).toEqual({ ...hit, tier: 'shared' })
    await clock.advance('55s')
    const stale = await ask()
    expect(stale).toEqual({ ...hit, status: 'stale', tier, age: 65, ttl: -5 })
    await clock.advance('2s')
    const renewed = await ask()
    expect(renewed).toMatchObject({ value: 2, status: 'hit', age: 2, ttl: 58 })
    expect(renewed.stamp).not.toBe(stamp)
  })

  test('are the same for all who wait for a load', async () => {
    const { cache, clock, source } = open()
    source.takesMs = 2_000
    const first = cache.getOrSetEntry('key', source.load)
    await clock.advance('1s')
    const second = cache.getOrSetEntry('key', () => 'not called')
    const third = cache.getOrSet('key', () => 'not called')
    await clock.advance('1s')
    expect(await first).toMatchObject({ value: 1, status: 'miss' })
    expect(await second).toEqual(await first)
    expect(await third).toBe(1)
  })

  test('are skipped if nothing was stored', async () => {
    const { cache } = open()
    expect(await cache.getOrSetEntry('none', () => undefined)).toEqual({
      ...NOTHING,
      value: undefined,
      status: 'skipped',
    })
    const skipping = cache.getOrSetEntry('skip', (context) => {
      context.skip()
      return 1
    })
    expect(await skipping).toEqual({ ...NOTHING, value: 1, status: 'skipped' })
    const late = cache.getOrSetEntry('late', (context) => {
      context.addTags(['never met'])
      return 1
    })
    expect((await late).status).toBe('skipped')
    const past = await cache.getOrSetEntry('past', () => 1, { expiresAt: Date.now() - 1 })
    expect(past.status).toBe('skipped')
    const refused = cache.getOrSetEntry('refused', async () => {
      await cache.set('refused', 'other')
      return 1
    })
    expect(await refused).toEqual({ ...NOTHING, value: 1, status: 'skipped' })
  })

  test('of a stale value in place of a failed load', async () => {
    const { cache, clock, source } = open({ staleIfError: '1h' })
    await cache.getOrSetEntry('key', source.load)
    source.error = new Error('source away')
    await clock.advance('70s')
    expect(await cache.getOrSetEntry('key', source.load)).toMatchObject({
      ...{ value: 1, status: 'stale', tier: 'shared', age: 70, ttl: -10 },
    })
  })

  test('of getEntry are undefined for a miss, and stale only if that is wanted', async () => {
    const { cache, clock, told } = open({ staleIfError: '10s', staleWhileRevalidate: '5s' })
    const misses: string[] = []
    const hits: string[] = []
    cache.on('miss', ({ reason }) => misses.push(reason))
    cache.on('hit', (event) => hits.push(event.tier))
    expect(await cache.getEntry('key')).toBeUndefined()
    expect(await cache.getEntry('key', { stale: true })).toBeUndefined()
    await cache.set('key', 1)
    expect(await cache.getEntry('key')).toMatchObject({ status: 'hit', age: 0, ttl: 60 })
    await clock.advance('62s')
    expect(await cache.getEntry('key')).toBeUndefined()
    expect(await cache.getEntry('key', { stale: true })).toMatchObject({ value: 1, status: 'stale', ttl: -2 })
    await clock.advance('5s')
    expect(await cache.getEntry('key', { stale: true })).toMatchObject({ value: 1, status: 'stale', ttl: -7 })
    await clock.advance('5s')
    expect(await cache.getEntry('key', { stale: true })).toBeUndefined()
    expect([misses.length, hits, told]).toEqual([4, ['shared'], ['stale: revalidate', 'stale: error']])
    await cache.set('key', 1, { tags: ['t'] })
    await clock.advance('62s')
    await cache.invalidateTags(['t'])
    expect(await cache.getEntry('key', { stale: true })).toBeUndefined()
  })

  test('of getEntry take a maxAge', async () => {
    const { cache, clock } = open({ staleWhileRevalidate: '10s' })
    await cache.set('key', 1)
    await clock.advance('10s')
    expect(await cache.getEntry('key', { maxAge: '10s' })).toMatchObject({ status: 'hit' })
    expect(await cache.getEntry('key', { maxAge: '9s' })).toBeUndefined()
    expect(await cache.getEntry('key', { maxAge: '9s', stale: true })).toMatchObject({
      status: 'stale',
      ttl: 50,
    })
  })

  test('of a plain value and of an endless one', async () => {
    const { cache } = open()
    await cache.plain.set('plain', 1, '5m')
    expect(await cache.getEntry('plain')).toEqual({ ...NOTHING, value: 1, status: 'hit', tier: 'shared' })
    await cache.set('endless', 1, { ttl: Number.POSITIVE_INFINITY })
    expect(await cache.getEntry('endless')).toMatchObject({ ttl: Number.POSITIVE_INFINITY })
  })

  test('of a namespace are its own', async () => {
    const { cache } = open()
    const users = cache.namespace('users')
    const entry = await users.getOrSetEntry('ann', () => 1, { tags: ['people'] })
    expect(entry).toMatchObject({ status: 'miss', tags: ['people'] })
    expect(await users.getEntry('ann')).toMatchObject({ tags: ['people'], stamp: entry.stamp })
    expect(await cache.getEntry('ann')).toBeUndefined()
  })

  test('of a collection have the output of its schema', async () => {
    const { cache, clock } = open()
    let source: unknown = 5
    const events = cache.collection({
      name: 'events',
      schema: dates,
      load: () => source as number,
      tags: (id) => [`event:${id}`],
    })
    const loaded: CachedEntry<{ readonly at: number } | undefined> = await events.getEntry('launch')
    expect(loaded).toMatchObject({ value: { at: 5 }, status: 'miss', tags: ['event:launch'] })
    await clock.advance('10s')
    for (let call = 0; call < 2; call++) {
      expect(await events.getEntry('launch')).toMatchObject({
        ...{ value: { at: 5 }, status: 'hit', age: 10, stamp: loaded.stamp },
      })
    }
    expect(await events.getEntry('launch', { maxAge: '5s' })).toMatchObject({ status: 'miss' })
    source = undefined
    expect(await events.getEntry('none')).toMatchObject({ value: undefined, status: 'skipped' })
    await expect(events.getEntry('')).rejects.toThrow(expect.objectContaining({ code: 'CACHE_INVALID_KEY' }))
    await expect(events.getEntry('launch', { signal: AbortSignal.abort(new Error('left')) })).rejects.toThrow(
      'left',
    )
  })

  test('are refused where the call is wrong', async () => {
    const { cache } = open()
    const invalid = (code: string) => expect.objectContaining({ code })
    await expect(cache.getEntry('')).rejects.toThrow(invalid('CACHE_INVALID_KEY'))
    await expect(cache.getEntry('key', { stail: true } as GetEntryOptions)).rejects.toThrow(
      invalid('CACHE_INVALID_OPTIONS'),
    )
    await expect(cache.getOrSetEntry('', () => 1)).rejects.toThrow(invalid('CACHE_INVALID_KEY'))
    await expect(cache.getOrSetEntry('key', 1 as never)).rejects.toThrow(invalid('CACHE_INVALID_ARGUMENT'))
    const signal = AbortSignal.abort(new Error('left'))
    await cache.set('key', 1)
    await expect(cache.getOrSetEntry('key', () => 1, { signal })).rejects.toThrow('left')
    await expect(
      cache.getOrSetEntry('failing', () => Promise.reject(new Error('source away'))),
    ).rejects.toThrow('source away')
  })

  test('are isolated as all values are', async () => {
    const { cache } = open()
    await cache.getOrSetEntry('key', () => ({ list: [1] }))
    expect(Object.isFrozen((await cache.getOrSetEntry('key', () => ({ list: [2] }))).value.list)).toBe(true)
    const { cache: cloning } = open({ isolate: 'clone' })
    await cloning.getOrSetEntry('key', () => ({ list: [1] }))
    const { value } = await cloning.getOrSetEntry('key', () => ({ list: [2] }))
    const list = value.list as number[]
    list.push(9)
    expect((await cloning.getEntry<{ list: number[] }>('key'))?.value.list).toEqual([1])
  })

  test('start an early refresh as a getOrSet does', async () => {
    const { cache, clock, source } = open({ earlyRefresh: { beta: 1e12 } })
    source.takesMs = 1_000
    const loading = cache.getOrSetEntry('key', source.load)
    await clock.advance('1s')
    await loading
    expect(await cache.getOrSetEntry('key', source.load)).toMatchObject({ value: 1, status: 'hit' })
    await clock.advance('1s')
    await cache.idle()
    expect(source.loads).toBeGreaterThan(1)
  })
})

test('while Redis is away, loads are skipped and a local copy stands in for a failed one', async () => {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const cache = createCache({ backend: redis.backend(), clock, ttl: '1m', staleIfError: '1h' })
  onTestFinished(() => cache.shutdown())
  await cache.getOrSet('key', () => 'kept')
  await cache.get('key')
  redis.faults.fail()
  redis.faults.disconnect()
  expect(await cache.getOrSetEntry('other', () => 1)).toMatchObject({ value: 1, status: 'skipped' })
  const failing = cache.getOrSetEntry('key', () => Promise.reject(new Error('source away')))
  expect(await failing).toMatchObject({ value: 'kept', status: 'stale', tier: 'local' })
  expect(await cache.getEntry('key')).toBeUndefined()
})
