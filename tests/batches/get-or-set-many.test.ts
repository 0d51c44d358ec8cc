import { type BatchLoadContext, createCache } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { open } from './noted-source.ts'

describe('getOrSetMany', () => {
  test('returns each requested key once, in request order, and loads only the missing ones', async () => {
    const { asked, cache, load } = open()
    await cache.set('b', 'cached')
    const values = await cache.getOrSetMany(['c', 'b', 'a', 'c'], load)
    expect([...values]).toEqual([
      ['c', 'value of c'],
      ['b', 'cached'],
      ['a', 'value of a'],
    ])
    expect(asked).toEqual([['c', 'a']])
    await cache.getOrSetMany(['a', 'b', 'c'], load)
    expect(asked.length).toBe(1)
  })

  test('loads nothing for an empty list of keys', async () => {
    const { asked, cache, load } = open()
    expect((await cache.getOrSetMany([], load)).size).toBe(0)
    expect(asked).toEqual([])
  })

  test('accepts a list of values in the order of the keys', async () => {
    const { cache } = open()
    const values = await cache.getOrSetMany(['a', 'b'], (keys) => keys.map((key) => key.toUpperCase()))
    expect(Object.fromEntries(values)).toEqual({ a: 'A', b: 'B' })
  })

  test('returns undefined uncached for a key that the loader omits, and caches null', async () => {
    const { cache } = open()
    let loads = 0
    const load = () => {
      loads++
      return new Map([['null', null]])
    }
    const ask = () => cache.getOrSetMany(['null', 'unknown'], load)
    expect(Object.fromEntries(await ask())).toEqual({ null: null, unknown: undefined })
    await ask()
    expect(loads).toBe(2)
    expect(await cache.has('null')).toBe(true)
    expect(await cache.has('unknown')).toBe(false)
  })

  test('a thousand callers of overlapping batches load each key once', async () => {
    const { asked, cache, load } = open()
    const keys = Array.from({ length: 50 }, (_, index) => `key${index}`)
    await Promise.all(
      Array.from({ length: 1_000 }, (_, caller) =>
        cache.getOrSetMany(
          keys.filter((_key, index) => (index + caller) % 3 !== 0),
          load,
        ),
      ),
    )
    expect(asked.flat().sort()).toEqual([...keys].sort())
  })

  test('loads 5,000 keys in three loader calls', async () => {
    const { asked, cache, load } = open()
    const keys = Array.from({ length: 5_000 }, (_, index) => `key${index}`)
    const values = await cache.getOrSetMany(keys, load)
    expect([...values.keys()]).toEqual(keys)
    expect(asked.flat()).toEqual(keys)
    expect(asked.length).toBe(3)
  })
})

describe('policies and tags per key of a batch', () => {
  test('tags of a key add to the tags of the batch, and its TTL overrides that of the batch', async () => {
    const { cache, load } = open()
    await cache.getOrSetMany(['a', 'b'], load, {
      ttl: '10s',
      tags: ['all'],
      each: (key) => ({ tags: [`only ${key}`], ...(key === 'b' ? { ttl: '20s' as const } : {}) }),
    })
    expect([await cache.getTtl('a'), await cache.getTtl('b')]).toEqual([10, 20])
    await cache.invalidateTags(['only a'])
    expect(Object.fromEntries(await cache.getMany(['a', 'b']))).toEqual({ a: undefined, b: 'value of b' })
    await cache.invalidateTags(['all'])
    expect(await cache.get('b')).toBeUndefined()
  })

  test('the loader can set the TTL of one key and skip another', async () => {
    const { cache } = open()
    const load = (keys: readonly string[], context: BatchLoadContext) => {
      context.of('a').setTtl('5s')
      context.of('b').skip()
      expect(() => context.of('z')).toThrow(expect.objectContaining({ code: 'CACHE_INVALID_ARGUMENT' }))
      return keys.map(() => 1)
    }
    await cache.getOrSetMany(['a', 'b'], load)
    expect(await cache.getTtl('a')).toBe(5)
    expect(await cache.has('b')).toBe(false)
  })

  test('stale entries are served at once, and one loader call refreshes them in the background', async () => {
    const { asked, cache, clock, load } = open()
    const policies = { ttl: '1m', staleWhileRevalidate: '1h' } as const
    await cache.getOrSetMany(['a', 'b', 'c'], load, policies)
    await clock.advance('2m')
    await cache.getOrSetMany(['a', 'b', 'c'], load, policies)
    await cache.idle()
    expect(asked).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ])
    expect(cache.stats().total.staleServes).toBe(3)
  })

  test('the loader can report a single key as not modified', async () => {
    const { cache, clock } = open()
    const policies = { ttl: '1m', staleWhileRevalidate: '1h' } as const
    await cache.getOrSetMany(['a', 'b'], (keys) => keys.map((key) => `old ${key}`), policies)
    await clock.advance('2m')
    const load = (keys: readonly string[], context: BatchLoadContext) => {
      expect(context.of('a').stale()).toMatchObject({ value: 'old a', age: 120 })
      context.notModified('a')
      return new Map([['b', 'new b']].filter(([key]) => keys.includes(key as string)) as [string, string][])
    }
    await cache.getOrSetMany(['a', 'b'], load, policies)
    await cache.idle()
    expect(Object.fromEntries(await cache.getMany(['a', 'b']))).toEqual({ a: 'old a', b: 'new b' })
  })
})

test('a key that another process is loading does not delay the other keys of a batch', async () => {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const [mine, other] = [0, 1].map(() =>
    createCache({ backend: redis.backend({ prefix: 'p:' }), clock, ttl: '1h' }),
  )
  const [first, second] = [mine as NonNullable<typeof mine>, other as NonNullable<typeof other>]
  let release: (value: string) => void = () => {}
  const theirs = second.getOrSet(
    'theirs',
    () =>
      new Promise<string>((resolve) => {
        release = resolve
      }),
  )
  await clock.settle()
  const asked: (readonly string[])[] = []
  const batch = first.getOrSetMany(['a', 'theirs', 'b'], (keys) => {
    asked.push(keys)
    return keys.map((key) => `mine ${key}`)
  })
  await clock.settle()
  expect(asked).toEqual([['a', 'b']])
  expect(await first.get('a')).toBe('mine a')
  release('theirs')
  await theirs
  await clock.advance('1s')
  expect(Object.fromEntries(await batch)).toEqual({ a: 'mine a', theirs: 'theirs', b: 'mine b' })
  expect(asked).toEqual([['a', 'b']])
  const closing = Promise.all([first.shutdown(), second.shutdown()])
  await clock.advance('1m')
  await closing
})

test('without Redis a batch is loaded by one loader call and not stored', async () => {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const cache = createCache({ backend: redis.backend({ prefix: 'p:' }), clock, ttl: '1h' })
  await cache.initialize()
  redis.faults.fail()
  const asked: (readonly string[])[] = []
  const load = (keys: readonly string[]) => {
    asked.push(keys)
    return keys.map((key) => `value of ${key}`)
  }
  const values = await cache.getOrSetMany(['a', 'b', 'c'], load)
  expect([...values.values()]).toEqual(['value of a', 'value of b', 'value of c'])
  expect(asked).toEqual([['a', 'b', 'c']])
  redis.faults.heal()
  await clock.advance('5s')
  expect(Object.fromEntries(await cache.getMany(['a', 'b']))).toEqual({ a: undefined, b: undefined })
  const closing = cache.shutdown()
  await clock.advance('1m')
  await closing
})
