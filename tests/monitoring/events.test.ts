import { type Cache, createCache, type ReadThroughEvents } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ caches: { ...IMPATIENT, commandTimeout: '10s' } })

type Told = {
  readonly [Name in keyof ReadThroughEvents]: [Name, ReadThroughEvents[Name]]
}[keyof ReadThroughEvents]

const NAMES = [
  ...(['hit', 'miss', 'stale', 'set', 'delete', 'invalidate', 'load', 'error'] as const),
  ...(['lease-lost', 'fill-refused', 'background-error', 'verify'] as const),
]

/** What a cache tells from now on, in order. Sizes and durations are left out, since they differ from run to run. */
function listenTo(cache: Pick<Cache, 'on'>): Told[] {
  const told: Told[] = []
  for (const name of NAMES) {
    cache.on(name, (payload) => {
      const { bytes: _, durationMs: __, ...rest } = payload as object as Record<string, unknown>
      told.push([name, rest] as unknown as Told)
    })
  }
  return told
}

const KINDS = {
  'in memory': () => createCache({ ttl: '5m' }),
  'over Redis': () => scene.open({ ttl: '5m' }),
}

describe.each(Object.entries(KINDS))('the events of a cache %s', (_name, open) => {
  const namespace = 'users'
  const ttlMs = 300_000

  test('tell of a load: a miss, the load, and the value that was stored', async () => {
    await using cache = await open()
    const told = listenTo(cache)
    expect(await cache.namespace('users').getOrSet('ann', () => 1)).toBe(1)
    const sorted = told.map(([name]) => name).sort()
    expect(sorted).toEqual(['load', 'miss', 'set'])
    expect(told).toContainEqual(['miss', { namespace, key: 'ann', reason: 'absent' }])
    expect(told).toContainEqual(['load', { namespace, key: 'ann' }])
    expect(told).toContainEqual(['set', { namespace, key: 'ann', ttlMs }])
  })

  test('tell which tier a hit came from', async () => {
    await using cache = await open()
    const users = cache.namespace('users')
    await users.set('ann', 1)
    const told = listenTo(cache)
    await users.get('ann')
    await users.get('ann')
    await users.getOrSet('ann', () => 2)
    await users.get('ann', { local: false })
    users.peek('ann')
    const tiers = told.map(([name, payload]) => [name, (payload as ReadThroughEvents['hit']).tier])
    const [shared, local] = [
      ['hit', 'shared'],
      ['hit', 'local'],
    ]
    expect(tiers).toEqual([shared, local, local, shared, local])
    expect(told[0]?.[1]).toEqual({ namespace, key: 'ann', tier: 'shared' })
  })

  test('tell of the namespace, however deep, and of the cache itself by no name', async () => {
    await using cache = await open()
    const told = listenTo(cache)
    for (const each of [cache, cache.namespace('a'), cache.namespace('a').namespace('b')]) {
      await each.set('key', 1)
      await each.get('key')
      await each.delete('key')
      await each.get('key')
      await each.invalidateTags(['tag'])
      await each.invalidatePattern('none*')
    }
    const expected = ['', 'a', 'a:b'].flatMap((namespace) => [
      ['set', { namespace, key: 'key', ttlMs }],
      ['hit', { namespace, key: 'key', tier: 'shared' }],
      ['delete', { namespace, keys: ['key'], removed: 1 }],
      ['miss', { namespace, key: 'key', reason: 'absent' }],
      ['invalidate', { namespace, tags: ['tag'], pattern: undefined, removed: undefined }],
      ['invalidate', { namespace, tags: undefined, pattern: 'none*', removed: 0 }],
    ])
    expect(told).toEqual(expected)
  })

  test('tell of a clear when its memory has been reclaimed', async () => {
    await using cache = await open()
    const users = cache.namespace('users')
    await users.setMany({ ann: 1, bob: 2 })
    const told = listenTo(cache)
    await users.clear()
    await cache.idle()
    expect(told).toEqual([['invalidate', { namespace, tags: undefined, pattern: undefined, removed: 2 }]])
  })

  test('tell of a collection as of a namespace', async () => {
    await using cache = await open()
    const users = cache.namespace('shop').collection({
      ...{ name: 'users', version: 2, schema: z.number(), load: (id: string) => id.length },
    })
    const told = listenTo(cache)
    await users.get('ann')
    users.peek('ann')
    await users.set('bob', 3)
    await users.delete('bob')
    const at = { namespace: 'shop:users@2', key: 'ann' }
    expect(told).toContainEqual(['miss', { ...at, reason: 'absent' }])
    expect(told).toContainEqual(['set', { ...at, ttlMs }])
    expect(told).toContainEqual(['hit', { ...at, tier: 'local' }])
    expect(told.slice(-2)).toEqual([
      ['set', { ...at, key: 'bob', ttlMs }],
      ['delete', { namespace: 'shop:users@2', keys: ['bob'], removed: 1 }],
    ])
  })

  test('tell of a slot: a miss, then the fill, or why it was refused', async () => {
    await using cache = await open()
    const users = cache.namespace('users')
    const told = listenTo(cache)
    await (await users.reserve('ann')).fill(1)
    const slot = await users.reserve('bob')
    await users.delete('bob')
    expect(await slot.fill(2)).toBe(false)
    expect(told).toEqual([
      ['miss', { namespace, key: 'ann', reason: 'absent' }],
      ['set', { namespace, key: 'ann', ttlMs }],
      ['miss', { namespace, key: 'bob', reason: 'absent' }],
      ['delete', { namespace, keys: ['bob'], removed: expect.any(Number) }],
      ['fill-refused', { namespace, key: 'bob', reason: 'changed' }],
    ])
  })

  test('tell of a stale value, and of failed work in the background', async () => {
    await using cache = await open()
    const users = cache.namespace('users')
    await users.set('ann', 1, { ttl: '1ms', staleWhileRevalidate: '1m' })
    await new Promise((resolve) => setTimeout(resolve, 5))
    const told = listenTo(cache)
    const error = new Error('the source is away')
    const failing = () => Promise.reject(error)
    expect(await users.getOrSet('ann', failing)).toBe(1)
    await cache.idle()
    expect(told.filter(([name]) => name !== 'load')).toEqual([
      ['stale', { namespace, key: 'ann', reason: 'revalidate' }],
      ['background-error', { namespace, task: 'refresh', key: 'ann', error }],
    ])
  }, 10_000)

  test('agree with the counts, whatever is called', async () => {
    await using cache = await open()
    const spaces = [cache, cache.namespace('a')]
    const users = cache.collection({ name: 'users', schema: z.number(), load: () => 1 })
    const told = listenTo(cache)
    const before = cache.stats().total
    const failing = () => Promise.reject(new Error('the source is away'))
    for (let round = 0; round < 40; round++) {
      const key = `key ${round % 7}`
      for (const space of spaces) {
        await space.get(key)
        await Promise.all([space.getOrSet(key, () => round), space.getOrSet(key, () => round)])
        await space.getMany([key, 'none'])
        space.peek(key)
        await space.refresh(key, () => round, { ttl: '1ms', staleWhileRevalidate: '1m' })
        await space.getOrSet(key, failing).catch(() => {})
        await space.getOrSet(`failing ${round}`, failing).catch(() => {})
        await space.reserve(key)
        await space.reserve(`slot ${round}`, { wait: round % 2 === 0 }).then((slot) => slot.fill(round))
        if (round % 3 === 0) await space.delete(key)
      }
      await users.getMany(['ann', key])
    }
    await cache.idle()
    const after = cache.stats().total
    const counted = (name: keyof typeof after) => after[name] - before[name]
    const heard = (name: string, tier?: string) =>
      told.filter(
        ([one, payload]) =>
          one === name && (tier === undefined || (payload as { tier?: string }).tier === tier),
      ).length
    expect({
      localHits: heard('hit', 'local'),
      sharedHits: heard('hit', 'shared'),
      misses: heard('miss'),
      staleServes: heard('stale'),
      loads: heard('load'),
    }).toEqual({
      localHits: counted('localHits'),
      sharedHits: counted('sharedHits'),
      misses: counted('misses'),
      staleServes: counted('staleServes'),
      loads: counted('loads'),
    })
    expect(heard('miss')).toBeGreaterThan(100)
    expect(heard('hit', 'local')).toBeGreaterThan(100)
    expect(heard('stale')).toBeGreaterThan(10)
  }, 30_000)
})

describe('the events of a cache over Redis', () => {
  test('tell that a miss came from an outage, and name the namespace in the error', async () => {
    const cache = await scene.open({ commandTimeout: '200ms' })
    const told = listenTo(cache)
    scene.redis.pause()
    expect(await cache.namespace('users').getOrSet('ann', () => 1)).toBe(1)
    expect(await cache.namespace('users').get('bob')).toBeUndefined()
    scene.redis.resume()
    const misses = told.filter(([name]) => name === 'miss')
    expect(misses).toEqual([
      ['miss', { namespace: 'users', key: 'ann', reason: 'unavailable' }],
      ['miss', { namespace: 'users', key: 'bob', reason: 'unavailable' }],
    ])
    const [, first] = told.find(([name]) => name === 'error') ?? []
    expect(first).toMatchObject({ namespace: 'users', key: 'ann', operation: 'getOrSet' })
  }, 20_000)

  test('tell that a value could not be decoded', async () => {
    const cache = await scene.open({ prefix: 'shop:' })
    await scene.redis.ask('SET', 'shop:users:ann', '\u0001not an envelope')
    const told = listenTo(cache)
    await cache.namespace('users').get('ann')
    expect(told).toContainEqual(['miss', { namespace: 'users', key: 'ann', reason: 'undecodable' }])
    expect(await cache.namespace('users').getOrSet('ann', () => 1)).toBe(1)
    const misses = told.filter(([name]) => name === 'miss')
    expect(misses[1]).toEqual(misses[0])
    const [, error] = told.find(([name]) => name === 'error') ?? []
    // Whoever reads it may be in any namespace, so the key is told as the cache itself knows it.
    expect(error).toMatchObject({ namespace: '', key: 'users:ann' })
  })
})

describe('the events of plain operations', () => {
  test('name the namespace, and the shared tier', async () => {
    await using cache = createCache({ ttl: '5m' })
    const { plain } = cache.namespace('users')
    const told = listenTo(cache)
    await plain.set('ann', 1)
    await plain.get('ann')
    await plain.get('bob')
    await plain.getAndDelete('bob')
    const namespace = 'users'
    expect(told).toEqual([
      ['set', { namespace, key: 'ann', ttlMs: 300_000 }],
      ['hit', { namespace, key: 'ann', tier: 'shared' }],
      ['miss', { namespace, key: 'bob', reason: 'absent' }],
      ['delete', { namespace, keys: ['bob'], removed: 0 }],
      ['miss', { namespace, key: 'bob', reason: 'absent' }],
    ])
  })
})
