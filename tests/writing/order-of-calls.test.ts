import type { Cache, CreateCacheOptions, StandardSchema } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, expect, test } from 'vitest'
import { useScene } from '../support/scene.ts'

const scene = useScene({ caches: { prefix: 'p:', commandTimeout: '5s' } })

const neverLoaded = () => {
  throw new Error('The loader must not be called')
}

/** A schema that takes a turn of the event loop. */
const SLOW_SCHEMA: StandardSchema<string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: async (value) => {
      await new Promise((resolve) => setImmediate(resolve))
      return typeof value === 'string' ? { value } : { issues: [{ message: 'not a string' }] }
    },
  },
}

/** The places of the data, each before the first operation and after it. */
const places: readonly (readonly [string, CreateCacheOptions, 'cold' | 'warm'])[] = [
  ['memory, cold', { redis: false }, 'cold'],
  ['memory, warm', { redis: false }, 'warm'],
  ['Redis, cold', {}, 'cold'],
  ['Redis, warm', {}, 'warm'],
  ['Redis by the bus, cold', { coherence: { mode: 'bus' } }, 'cold'],
  ['Redis by the bus, warm', { coherence: { mode: 'bus' } }, 'warm'],
]

/** Drops what a call answers: only what later calls see matters. */
const unawaited = (call: Promise<unknown>) => void call.catch(() => {})

describe.each(places)('calls take effect in their order, awaited or not: %s', (_name, options, state) => {
  const begin = async (): Promise<Cache> => {
    const cache = scene.cache(options)
    if (state === 'warm') {
      await cache.set('key', 'old', { tags: ['tag'] })
      await cache.getOrSet('key', neverLoaded)
      await cache.set('other', 'old')
    }
    return cache
  }
  /** A new tag each time, whose generation has to be captured before the value is sent. */
  const tagged = (name: string) => ({ tags: [`tag of ${name}`] })

  const reads: readonly (readonly [string, (cache: Cache) => unknown, unknown])[] = [
    ['get', (cache) => cache.get('key'), 'new'],
    ['get past the lag', (cache) => cache.get('key', { local: false }), 'new'],
    ['getOrSet', (cache) => cache.getOrSet('key', neverLoaded), 'new'],
    ['getOrSet with a timeout', (cache) => cache.getOrSet('key', neverLoaded, { hardTimeout: '5s' }), 'new'],
    ['getMany', async (cache) => (await cache.getMany(['key', 'other'])).get('key'), 'new'],
    ['getOrSetMany', async (cache) => (await cache.getOrSetMany(['key'], neverLoaded)).get('key'), 'new'],
    ['has', (cache) => cache.has('key'), true],
    ['getTtl', async (cache) => Math.ceil((await cache.getTtl('key')) ?? 0), 50],
  ]
  test.each(reads)('set, then %s', async (_read, read, expected) => {
    const cache = await begin()
    unawaited(cache.set('key', 'new', { ttl: 50, ...tagged('set') }))
    expect(cache.peek('key')).toBeUndefined()
    expect(await read(cache)).toBe(expected)
  })

  test('setMany, then getMany', async () => {
    const cache = await begin()
    unawaited(cache.setMany({ key: 'new', other: 'newer' }, tagged('setMany')))
    expect(await cache.getMany(['key', 'other'])).toEqual(
      new Map([
        ['key', 'new'],
        ['other', 'newer'],
      ]),
    )
  })

  test('set, set, and reads between and after them', async () => {
    const cache = await begin()
    unawaited(cache.set('key', 'first', tagged('first')))
    const between = cache.getOrSet('key', neverLoaded)
    unawaited(cache.set('key', 'second', tagged('second')))
    const after = cache.getOrSet('key', neverLoaded)
    expect(['first', 'second']).toContain(await between)
    expect(await after).toBe('second')
  })

  test('set, then delete', async () => {
    const cache = await begin()
    unawaited(cache.set('key', 'new', tagged('deleted')))
    unawaited(cache.delete('key'))
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.getOrSet('key', () => 'loaded')).toBe('loaded')
  })

  test('delete, then getOrSet', async () => {
    const cache = await begin()
    unawaited(cache.delete('key'))
    expect(await cache.getOrSet('key', () => 'loaded')).toBe('loaded')
  })

  test('delete, then set', async () => {
    const cache = await begin()
    unawaited(cache.delete('key'))
    unawaited(cache.set('key', 'new', tagged('set')))
    expect(await cache.get('key')).toBe('new')
  })

  test('deleteMany of more keys than one command has, then get', async () => {
    const cache = await begin()
    const keys = Array.from({ length: 5_000 }, (_, number) => `many:${number}`)
    await cache.setMany(keys.map((key) => [key, 'old'] as const))
    unawaited(cache.deleteMany(keys))
    expect(await cache.get('many:4999')).toBeUndefined()
  })

  test('invalidateTags, then set with the tag, then get', async () => {
    const cache = await begin()
    unawaited(cache.invalidateTags(['tag']))
    unawaited(cache.set('key', 'new', { tags: ['tag'] }))
    expect(await cache.get('key')).toBe('new')
  })

  test('set with a tag, then invalidateTags, then get', async () => {
    const cache = await begin()
    await cache.set('key', 'old', { tags: ['tag'] })
    unawaited(cache.invalidateTags(['tag']))
    expect(await cache.get('key')).toBeUndefined()
  })

  test('set of a collection, then get, also while its schema validates', async () => {
    const cache = await begin()
    const users = cache.collection({ name: 'users', schema: SLOW_SCHEMA, load: neverLoaded })
    unawaited(users.set('ann', 'new'))
    expect(await users.get('ann')).toBe('new')
    unawaited(users.delete('ann'))
    expect(await cache.get(users.key('ann'))).toBeUndefined()
  })

  test('a value is the one at the call, whatever becomes of the object', async () => {
    const cache = await begin()
    await cache.initialize()
    const value = { text: 'at the call' }
    unawaited(cache.set('key', 'before', tagged('before')))
    unawaited(cache.set('key', value))
    value.text = 'changed'
    expect(await cache.get('key')).toEqual({ text: 'at the call' })
  })
})

describe('over Redis', () => {
  test('a read does not wait for writes of other keys, nor for later ones', async () => {
    const cache = scene.cache({ commandTimeout: '5s' })
    await cache.set('other', 1)
    await cache.set('key', 1)
    await scene.redis.ask('CONFIG', 'RESETSTAT')
    unawaited(cache.set('key', 2))
    const found = cache.get('other')
    unawaited(cache.set('other', 3))
    expect([1, 3]).toContain(await found)
    expect(await cache.get('other')).toBe(3)
  })

  test('a set that Redis does not acknowledge is not read as the old value either', async () => {
    const proxy = await scene.proxy()
    const cache = scene.cache({ redis: proxy.url, commandTimeout: '300ms' })
    await cache.set('key', 'old')
    expect(await cache.get('key')).toBe('old')
    proxy.cut()
    unawaited(cache.set('key', 'new'))
    expect(['new', undefined]).toContain(await cache.get('key'))
  })
})

const backends = [
  ['memory', () => new MemoryCacheBackend({ prefix: 'b:' })],
  ['Redis', () => new RedisCacheBackend({ url: scene.redis.url, prefix: 'b:' })],
] as const

describe.each(backends)('calls of a backend take effect in their order: %s', (_name, make) => {
  test.each(['cold', 'warm'] as const)('%s', async (state) => {
    await using backend = make()
    if (state === 'warm') await backend.initialize()
    unawaited(backend.set('value', 'new'))
    const value = backend.get('value')
    unawaited(backend.setMany({ many: 1, more: 2 }))
    const many = backend.getMany(['many', 'more'])
    unawaited(backend.incr('counter', 5))
    const counted = backend.get('counter')
    unawaited(backend.addToSet('set', 'member'))
    const members = backend.getSetMembers('set')
    unawaited(backend.set('gone', 1))
    unawaited(backend.delete('gone'))
    const gone = backend.get('gone')
    expect(await value).toBe('new')
    expect([...(await many).values()]).toEqual([1, 2])
    expect(await counted).toBe(5)
    expect(await members).toEqual(['member'])
    expect(await gone).toBeUndefined()
  })

  test('also if a read follows right after it has been opened', async () => {
    await using backend = make()
    unawaited(backend.set('value', 'new'))
    await backend.initialize()
    expect(await backend.get('value')).toBe('new')
  })
})
