import { type Cache, type CacheBackend, escapeGlob } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { backendOf } from '../support/backend-of.ts'
import { listedKeys } from '../support/listed-keys.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ caches: IMPATIENT })
const { redis } = scene

/** A load in flight: its placeholder is stored at the key until `finish` is called. */
async function loading(key = 'key') {
  const cache = scene.cache()
  const lost: string[] = []
  cache.on('lease-lost', ({ key: lostKey }) => lost.push(lostKey))
  let finish = (_value: unknown) => {}
  const value = cache.getOrSet(key, () => new Promise((resolve) => (finish = resolve)), { ttl: '1m' })
  await waitUntil(async () => (await redis.ask('GETRANGE', `p:${key}`, 0, 1)) === '\u0002\u0001', {
    what: 'the placeholder',
  })
  return { cache, lost, finish: (what: unknown) => finish(what), value }
}

const PLAIN = 'the plain operations of a cache'
const BACKENDS: readonly (readonly [string, (cache: Cache) => Promise<CacheBackend>])[] = [
  [PLAIN, async (cache) => backendOf(cache)],
  [
    'a bare RedisCacheBackend',
    async () => {
      const backend = new RedisCacheBackend({ url: redis.url, prefix: 'p:' })
      scene.later(() => backend.shutdown())
      await backend.initialize()
      return backend
    },
  ],
]

describe.each(BACKENDS)('T6 a placeholder is absent for %s', (kind, openBackend) => {
  test('reads find nothing, emit no error and leave the load intact', async () => {
    const { cache, finish, lost, value } = await loading()
    const backend = await openBackend(cache)
    const errors: unknown[] = []
    backend.on('error', ({ error }) => errors.push(error))
    expect(await backend.get('key')).toBeUndefined()
    expect(await backend.exists('key')).toBe(false)
    expect(await backend.getTtl('key')).toBeUndefined()
    expect([...(await backend.getMany(['key', 'none'])).values()]).toEqual([undefined, undefined])
    expect([...(await backend.existsMany(['key', 'none'])).values()]).toEqual([false, false])
    expect([...(await backend.getTtlMany(['key', 'none'])).values()]).toEqual([undefined, undefined])
    expect(await backend.getAndDelete('key')).toBeUndefined()
    await redis.ask('SET', 'p:beside', '1')
    expect(await listedKeys(backend)).toEqual(['beside'])
    expect(errors).toEqual([])
    finish('loaded')
    expect(await value).toBe('loaded')
    expect(await cache.get('key', { local: false })).toBe('loaded')
    expect(lost).toEqual([])
  })

  test('touch and persist leave its lifetime and the load alone', async () => {
    const { cache, finish, lost, value } = await loading()
    const backend = await openBackend(cache)
    expect(await backend.touch('key', '1h')).toBe(false)
    expect(await backend.persist('key')).toBe(false)
    const left = Number(await redis.ask('PTTL', 'p:key'))
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(60_000)
    finish('loaded')
    expect(await value).toBe('loaded')
    expect(lost).toEqual([])
  })

  test('setIfAbsent overwrites it, with its own TTL, and the load loses its lease', async () => {
    const { cache, finish, lost, value } = await loading()
    const backend = await openBackend(cache)
    expect(await backend.setIfAbsent('key', 'written', '1h')).toBe(true)
    expect(await backend.setIfAbsent('key', 'again', '1h')).toBe(false)
    finish('loaded')
    expect(await value).toBe('loaded')
    expect(lost).toEqual(['key'])
    expect(await cache.get('key')).toBe('written')
    expect(Number(await redis.ask('TTL', 'p:key'))).toBeGreaterThan(3_000)
  })

  test('removals do not count it, and the load loses its lease', async () => {
    const removals = [
      async (backend: CacheBackend) => expect(await backend.delete('key')).toBe(false),
      async (backend: CacheBackend) => expect(await backend.deleteMany(['key', 'none'])).toBe(0),
      async (backend: CacheBackend) => expect(await backend.invalidatePattern('k*')).toBe(0),
    ]
    // That of a cache invalidates the placeholder, and leaves it to the reclaim.
    if (kind !== PLAIN) removals.push(async (backend) => expect(await backend.clear()).toBe(true))
    for (const remove of removals) {
      const { cache, finish, lost, value } = await loading()
      await remove(await openBackend(cache))
      expect(await redis.ask('EXISTS', 'p:key')).toBe(0)
      finish('loaded')
      expect(await value).toBe('loaded')
      expect(lost).toEqual(['key'])
      expect(await cache.get('key', { local: false })).toBeUndefined()
    }
  })

  test('a counter starts from its default, with its own TTL', async () => {
    for (const amount of [1, 5]) {
      const { cache, finish, lost, value } = await loading()
      const backend = await openBackend(cache)
      expect(await backend.incr('key', amount, { default: 10, ttl: '1h' })).toBe(10 + amount)
      expect(Number(await redis.ask('TTL', 'p:key'))).toBeGreaterThan(3_000)
      finish('loaded')
      await value
      expect(lost).toEqual(['key'])
      expect(await backend.incr('key', 0)).toBe(10 + amount)
      await redis.ask('DEL', 'p:key')
    }
  })

  test('a set starts empty', async () => {
    const { cache, finish, value } = await loading()
    const backend = await openBackend(cache)
    expect(await backend.addToSet('key', 'member')).toBe(true)
    finish('loaded')
    await value
    expect(await backend.getSetMembers('key')).toEqual(['member'])
  })

  test('a set overwrites it, with its own TTL', async () => {
    const { cache, finish, value } = await loading()
    const backend = await openBackend(cache)
    expect(await backend.set('key', 'written', '1h')).toBe(true)
    finish('loaded')
    expect(await value).toBe('loaded')
    expect(await cache.get('key')).toBe('written')
    expect(Number(await redis.ask('TTL', 'p:key'))).toBeGreaterThan(3_000)
  })
})

describe('T6 a placeholder is absent for a cache', () => {
  test('in the reads of another process', async () => {
    const { finish, value } = await loading()
    const other = scene.cache()
    expect(await other.get('key')).toBeUndefined()
    expect(await other.has('key')).toBe(false)
    expect(await other.getTtl('key')).toBeUndefined()
    expect([...(await other.getMany(['key'])).values()]).toEqual([undefined])
    expect(other.peek('key')).toBeUndefined()
    finish('loaded')
    await value
    expect(await other.get('key')).toBe('loaded')
  })

  test('in the removals of the same process', async () => {
    for (const remove of [
      async (cache: Cache) => expect(await cache.delete('key')).toBe(false),
      async (cache: Cache) => expect(await cache.deleteMany(['key'])).toBe(0),
      async (cache: Cache) => expect(await cache.invalidatePattern(escapeGlob('key'))).toBe(0),
    ]) {
      const { cache, finish, lost, value } = await loading()
      await remove(cache)
      finish('loaded')
      await value
      expect(lost).toEqual(['key'])
      expect(await cache.get('key')).toBeUndefined()
    }
  })
})

test("T8 an evicted placeholder costs only efficiency and emits 'lease-lost'", async () => {
  const { cache, finish, lost, value } = await loading()
  await redis.ask('DEL', 'p:key')
  finish('loaded')
  expect(await value).toBe('loaded')
  expect(lost).toEqual(['key'])
  expect(await cache.get('key')).toBeUndefined()
  expect(await cache.getOrSet('key', () => 'again')).toBe('again')
  expect(await cache.get('key')).toBe('again')
})

test('T8 an owner whose lease another process took over does not store its value', async () => {
  const cache = scene.cache({ lease: { ttl: '300ms', longestLoad: '300ms' } })
  const other = scene.cache()
  let finish = (_value: unknown) => {}
  const slow = cache.getOrSet('key', () => new Promise((resolve) => (finish = resolve)))
  await waitUntil(async () => (await redis.ask('EXISTS', 'p:key')) === 1, { what: 'the lease' })
  expect(await other.getOrSet('key', () => 'second')).toBe('second')
  finish('first')
  expect(await slow).toBe('first')
  expect(await other.get('key', { local: false })).toBe('second')
})

test('T6 a placeholder is absent for set operations', async () => {
  const cache = scene.cache({ errors: 'throw' })
  let finish = (_value: unknown) => {}
  const loading = cache.getOrSet('key', () => new Promise((resolve) => (finish = resolve)))
  await waitUntil(async () => (await redis.ask('EXISTS', 'p:key')) === 1, { what: 'the placeholder' })
  const answers = await Promise.allSettled([
    cache.sets.getSetMembers('key'),
    cache.sets.removeFromSet('key', 'member'),
  ])
  finish(1)
  await loading
  expect(answers.map((answer) => answer.status === 'fulfilled' && answer.value)).toEqual([[], false])
})
