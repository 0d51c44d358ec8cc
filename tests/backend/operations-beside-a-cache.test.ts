import { type Cache, createCache } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { internalsOf } from '../../src/backend/assembly/backend-internals.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { listedKeys } from '../support/listed-keys.ts'
import { useHomes } from './cache-homes.ts'

const homes = useHomes()

/** A load in flight, whose placeholder is in the store until `finish` is called. */
async function loading(cache: Cache, key: string) {
  let finish: ((value: unknown) => void) | undefined
  const value = cache.getOrSet(key, () => new Promise((resolve) => (finish = resolve)))
  await waitUntil(() => finish !== undefined, { what: 'the loader' })
  return { finish: (loaded: unknown) => finish?.(loaded), value }
}

describe.each(homes)('a backend beside a cache in %s', (_name, home) => {
  test('lists entries, values, counters and sets, and nothing that is the library’s own', async () => {
    const { backend, cache } = await home.open()
    await cache.set('entry', 1, { tags: ['tag'] })
    await cache.namespace('inner').set('entry', 2)
    await backend.set('value', 3)
    await backend.incr('counter')
    await backend.addToSet('set', 'member')
    const { finish, value } = await loading(cache, 'loading')
    const expected = ['counter', 'entry', 'inner:entry', 'set', 'value']
    expect((await listedKeys(backend)).toSorted()).toEqual(expected)
    expect(await listedKeys(cache.namespace('inner'))).toEqual(['entry'])
    finish(4)
    await value
    expect((await listedKeys(backend)).toSorted()).toEqual([...expected, 'loading'].toSorted())
  })

  test('takes the placeholder of a load for an absent key', async () => {
    const { backend, cache } = await home.open()
    const { finish, value } = await loading(cache, 'key')
    expect(await backend.touch('key', '1h')).toBe(false)
    expect(await backend.persist('key')).toBe(false)
    expect(await backend.getAndDelete('key')).toBeUndefined()
    expect(Object.fromEntries(await backend.existsMany(['key']))).toEqual({ key: false })
    expect(Object.fromEntries(await backend.getTtlMany(['key']))).toEqual({ key: undefined })
    finish('loaded')
    expect(await value).toBe('loaded')
    // None of these has taken the lease away.
    expect(await cache.get('key', { local: false })).toBe('loaded')
  })

  test('stores a value in place of a placeholder, and the load does not overwrite it', async () => {
    const { backend, cache } = await home.open()
    const { finish, value } = await loading(cache, 'key')
    expect(await backend.setIfAbsent('key', 'written')).toBe(true)
    finish('loaded')
    expect(await value).toBe('loaded')
    expect(await backend.get('key')).toBe('written')
    expect(await cache.get('key', { local: false })).toBe('written')
  })

  test('changes when the store removes an entry, and not how long it is fresh', async () => {
    const { backend, cache } = await home.open()
    await cache.set('touched', 1, { ttl: '400ms', tags: ['tag'] })
    await cache.set('persisted', 2, { ttl: '400ms' })
    expect(await backend.touch('touched', '1h')).toBe(true)
    expect(await backend.persist('persisted')).toBe(true)
    expect(await backend.getTtl('touched')).toBeGreaterThan(3_000)
    expect(await backend.getTtl('persisted')).toBe(Number.POSITIVE_INFINITY)
    await waitUntil(async () => (await cache.getTtl('touched')) === undefined, { what: 'the end of the ttl' })
    await waitUntil(async () => (await cache.getTtl('persisted')) === undefined, { what: 'its end' })
    expect(await cache.get('touched')).toBeUndefined()
    expect(await backend.get('touched')).toBeUndefined()
    expect([...(await backend.getMany(['touched', 'persisted'])).values()]).toEqual([undefined, undefined])
    expect(await backend.exists('touched')).toBe(true)
    expect(await cache.getOrSet('touched', () => 'again', { ttl: '1m' })).toBe('again')
    expect(await backend.getTtl('touched')).toBeLessThanOrEqual(60)
  })

  test('a touched entry keeps its value and its tags, also in the cache', async () => {
    const { backend, cache } = await home.open()
    await cache.getOrSet('key', () => ({ a: 1 }), { ttl: '1m', tags: ['tag'] })
    expect(await backend.touch('key', '1h')).toBe(true)
    expect(await backend.get('key')).toEqual({ a: 1 })
    expect(await cache.get('key')).toEqual({ a: 1 })
    await cache.invalidateTags(['tag'])
    expect(await backend.get('key')).toBeUndefined()
    expect(await cache.get('key')).toBeUndefined()
  })

  test('an entry is there for setIfAbsent, whether or not it is valid, and stays as it is', async () => {
    const { backend, cache } = await home.open()
    await cache.getOrSet('key', () => ({ a: 1 }), { tags: ['tag'] })
    expect(await backend.setIfAbsent('key', 'other')).toBe(false)
    expect(await backend.get('key')).toEqual({ a: 1 })
    expect(await cache.get('key', { local: false })).toEqual({ a: 1 })
    await cache.invalidateTags(['tag'])
    expect(await backend.setIfAbsent('key', 'other')).toBe(false)
    expect(await backend.get('key')).toBeUndefined()
  })

  test('getAndDelete judges an entry as get does, and removes it in any case', async () => {
    const { backend, cache } = await home.open()
    await cache.getOrSet('valid', () => ({ a: 1 }), { tags: ['one'] })
    await cache.getOrSet('invalidated', () => 2, { tags: ['two'] })
    await cache.set('stale', 3, { ttl: '150ms', staleIfError: '1h' })
    await cache.invalidateTags(['two'])
    await waitUntil(async () => (await cache.get('stale')) === undefined, { what: 'the end of the ttl' })
    expect(await backend.getAndDelete('valid')).toEqual({ a: 1 })
    expect(await backend.getAndDelete('invalidated')).toBeUndefined()
    expect(await backend.getAndDelete('stale')).toBeUndefined()
    const gone = await backend.existsMany(['valid', 'invalidated', 'stale'])
    expect([...gone.values()]).toEqual([false, false, false])
    await waitUntil(() => cache.peek('valid') === undefined, { what: 'the local copy to go' })
    expect(await cache.get('valid')).toBeUndefined()
  })

  test('getAndDelete during a refresh takes the lease away', async () => {
    const { backend, cache } = await home.open()
    await cache.getOrSet('key', () => 'old')
    let finish: ((value: string) => void) | undefined
    const refreshing = cache.refresh('key', () => new Promise<string>((resolve) => (finish = resolve)))
    await waitUntil(() => finish !== undefined, { what: 'the loader' })
    expect(await backend.getAndDelete('key')).toBe('old')
    finish?.('new')
    expect(await refreshing).toBe('new')
    expect(await backend.exists('key')).toBe(false)
  })
})

describe('a cache hears what its backend does', () => {
  test('the local copy of a plain value ends at its new time', async () => {
    const clock = new ManualClock()
    await using cache = createCache({ clock })
    await cache.plain.set('key', 1, '1h')
    const served = async () => {
      const value = await cache.get('key')
      await clock.settle()
      return [value, cache.peek('key')]
    }
    expect(await served()).toEqual([1, 1])
    await cache.plain.touch('key', '10s')
    expect(cache.peek('key')).toBeUndefined()
    expect(await served()).toEqual([1, 1])
    await clock.advance('10.1s')
    expect(cache.peek('key')).toBeUndefined()
    expect(await cache.get('key')).toBeUndefined()
  })

  test('another process hears of them too', async () => {
    const redis = new SimulatedRedis()
    const [one, other] = [0, 1].map(() => createCache({ backend: redis.backend({ prefix: 'p:' }) }))
    for (const change of [
      (cache: Cache) => cache.plain.touch('key', '1m'),
      (cache: Cache) => cache.plain.persist('key'),
      (cache: Cache) => cache.plain.getAndDelete('key'),
    ]) {
      await one?.getOrSet('key', () => 1)
      await other?.get('key')
      expect(other?.peek('key')).toBe(1)
      await change(one as Cache)
      expect(other?.peek('key')).toBeUndefined()
    }
    await Promise.all([one?.shutdown(), other?.shutdown()])
  })

  test('setMany of a cache takes a time to live for each entry', async () => {
    const clock = new ManualClock()
    await using cache = createCache({ clock, ttl: '1h' })
    const entries = [['own', 1, '10s'] as const, ['common', 2] as const]
    expect(await cache.setMany(entries, { ttl: '1m', tags: ['tag'] })).toBe(true)
    expect([await cache.getTtl('own'), await cache.getTtl('common')]).toEqual([10, 60])
    expect(await cache.setMany([['alone', 3, '5s']], '2m')).toBe(true)
    expect(await cache.getTtl('alone')).toBe(5)
    await expect(cache.setMany([['bad', 1, 'soon' as never]])).rejects.toMatchObject({
      code: 'CACHE_INVALID_DURATION',
    })
    await cache.invalidateTags(['tag'])
    expect([...(await cache.getMany(['own', 'common'])).values()]).toEqual([undefined, undefined])
  })
})

describe('faults', () => {
  const away = { code: 'CACHE_UNAVAILABLE' } as const

  test('a lost reply answers as a failure, and what was sent has happened', async () => {
    const clock = new ManualClock()
    const redis = new SimulatedRedis({ clock, commandTimeout: '1s' })
    const backend = redis.backend({ prefix: 'p:' })
    await backend.initialize()
    await backend.setMany({ taken: 1, touched: 1 }, '1m')
    redis.faults.loseReplies()
    const answers = Promise.all([
      backend.setIfAbsent('stored', 1),
      backend.getAndDelete('taken'),
      backend.touch('touched', '1h'),
    ])
    await clock.advance('1s')
    expect(await answers).toEqual([false, undefined, false])
    redis.faults.heal()
    expect([...(await backend.existsMany(['stored', 'taken'])).values()]).toEqual([true, false])
    expect(await backend.getTtl('touched')).toBeGreaterThan(3_000)
    await backend.shutdown()
  })

  test('a walk that fails in the middle ends after what it has listed, with an error', async () => {
    for (const errors of ['absorb', 'throw'] as const) {
      const redis = new SimulatedRedis()
      await using backend = redis.backend({ prefix: 'p:', errors })
      const told: unknown[] = []
      backend.on('error', ({ error, operation }) => told.push([error.code, operation]))
      await backend.setMany(Array.from({ length: 3_000 }, (_, index) => [`key:${index}`, 0] as const))
      const listed: string[] = []
      const walk = async () => {
        for await (const key of backend.keys()) {
          if (listed.push(key) === 1) redis.faults.fail()
        }
      }
      if (errors === 'absorb') await walk()
      else await expect(walk()).rejects.toMatchObject(away)
      expect(listed.length).toBeGreaterThan(0)
      expect(listed.length).toBeLessThan(3_000)
      expect(told).toEqual([['CACHE_UNAVAILABLE', 'keys']])
    }
  })

  test('questions about many keys report an outage once', async () => {
    const redis = new SimulatedRedis()
    await using backend = redis.backend({ prefix: 'p:' })
    await using strict = redis.backend({ prefix: 'p:', errors: 'throw' })
    await Promise.all([backend.initialize(), strict.initialize()])
    const keys = Array.from({ length: 2_500 }, (_, index) => `key:${index}`)
    const told: unknown[] = []
    backend.on('error', ({ error, operation }) => told.push([error.code, operation]))
    redis.faults.fail()
    expect([...(await backend.existsMany(keys))]).toEqual(keys.map((key) => [key, false]))
    expect([...(await backend.getTtlMany(keys))]).toEqual(keys.map((key) => [key, undefined]))
    expect(told).toEqual([
      ['CACHE_UNAVAILABLE', 'existsMany'],
      ['CACHE_UNAVAILABLE', 'getTtlMany'],
    ])
    await expect(strict.existsMany(keys)).rejects.toMatchObject(away)
    await expect(strict.getTtlMany(keys)).rejects.toMatchObject(away)
  })

  test('a key about which Redis does not tell costs no other key its answer', async () => {
    const redis = new SimulatedRedis()
    await using backend = redis.backend({ prefix: 'p:' })
    await backend.setMany({ a: 1, b: 2, c: 3 })
    redis.faults.fail({ times: 1 })
    expect([...(await backend.existsMany(['a', 'b', 'c'])).values()]).toEqual([false, true, true])
  })

  test('a value that cannot be decoded is a miss with an error event, and is gone', async () => {
    await using backend = new MemoryCacheBackend<unknown>({ serializer: 'v8', prefix: 'p:' })
    const told: unknown[] = []
    backend.on('error', ({ error, operation }) => told.push([error.code, operation]))
    backend.on('miss', ({ reason }) => told.push(reason))
    internalsOf(backend)?.decorate((store) => {
      void store.write('p:key', Buffer.from([1, 2, 3]), 60_000)
      return store
    })
    expect(await backend.getAndDelete('key')).toBeUndefined()
    expect(told).toEqual([['CACHE_UNDECODABLE', 'getAndDelete'], 'undecodable'])
    expect(await backend.exists('key')).toBe(false)
  })
})
