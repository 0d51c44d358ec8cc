import { createCache } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { NullCacheBackend } from 'cachewright/null'
import { Faults, injectFaults, ManualClock, SimulatedRedis } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { PREFIX, useHomes } from './cache-homes.ts'

/** Long windows, so that an entry stays in the store when it is no longer fresh. */
const STALE = { staleWhileRevalidate: '5m', staleIfError: '10m' } as const

const homes = useHomes()

describe.each(homes)('a plain read of a cache entry in %s', (_name, home) => {
  test('serves a valid entry, in the root or in a namespace', async () => {
    const { backend, cache } = await home.open()
    await cache.getOrSet('key', () => ({ a: 1 }), { tags: ['one', 'two'] })
    await cache.namespace('inner').set('key', 'within', { tags: ['one'], ...STALE })
    expect(await backend.get('key')).toEqual({ a: 1 })
    expect(await cache.namespace('inner').plain.get('key')).toBe('within')
    expect(Object.fromEntries(await backend.getMany(['key', 'none', 'inner:key']))).toEqual({
      key: { a: 1 },
      none: undefined,
      'inner:key': 'within',
    })
  })

  test('misses an entry whose tag was invalidated', async () => {
    const { backend, cache } = await home.open()
    await cache.set('tagged', 1, { tags: ['one', 'two'] })
    await cache.set('other', 2, { tags: ['two'] })
    await cache.invalidateTags(['one'])
    expect(await backend.get('tagged')).toBeUndefined()
    expect([...(await backend.getMany(['other', 'tagged']))]).toEqual([
      ['other', 2],
      ['tagged', undefined],
    ])
  })

  test('misses an entry of a cleared namespace before the entry is reclaimed', async () => {
    const { backend, cache } = await home.open()
    const inner = cache.namespace('inner')
    await inner.set('key', 1)
    await cache.set('outer', 2)
    const clearing = inner.clear()
    await clearing
    expect(await backend.get('inner:key')).toBeUndefined()
    expect(await backend.get('outer')).toBe(2)
    await cache.idle()
  })

  test('misses an entry that is past its TTL but within a stale window', async () => {
    const { backend, cache } = await home.open({ local: false })
    const options = { ttl: '200ms', ...STALE } as const
    await cache.getOrSet('loaded', () => 1, options)
    await cache.set('set', 2, options)
    expect(await backend.get('set')).toBe(2)
    await waitUntil(async () => (await cache.get('loaded')) === undefined, { what: 'the end of the ttl' })
    await waitUntil(async () => (await cache.get('set')) === undefined, { what: 'the end of the ttl' })
    expect(await backend.get('loaded')).toBeUndefined()
    expect([...(await backend.getMany(['loaded', 'set'])).values()]).toEqual([undefined, undefined])
    // The store still holds the entries, and `exists` and `getTtl` ask the store.
    expect(await backend.exists('loaded')).toBe(true)
    expect(await backend.getTtl('loaded')).toBeGreaterThan(60)
  })

  test('serves an entry that never expires', async () => {
    const { backend, cache } = await home.open()
    await cache.set('key', 1, { ttl: Number.POSITIVE_INFINITY, ...STALE })
    expect(await backend.get('key')).toBe(1)
  })
})

describe('a plain read of a cache entry', () => {
  test('serves an entry from a slow load exactly as long as the cache does', async () => {
    const clock = new ManualClock()
    await using cache = createCache({ clock })
    const load = () => new Promise((resolve) => clock.after(4_000, () => resolve('slow')))
    const loading = cache.getOrSet('key', load, { ttl: '10s', ...STALE })
    await clock.advance('4s')
    await loading
    const found: boolean[] = []
    for (let second = 0; second < 8; second++) {
      const isServed = (await cache.plain.get('key')) === 'slow'
      expect(isServed, `${second} s after the load`).toBe(await cache.has('key'))
      found.push(isServed)
      await clock.advance('1s')
    }
    expect(found).toEqual([true, true, true, true, true, true, false, false])
  })

  test('judges an entry whose stale window is endless by its age, too', async () => {
    const clock = new ManualClock()
    await using cache = createCache({ clock })
    await cache.set('key', 1, { ttl: '5m', staleIfError: Number.POSITIVE_INFINITY })
    await clock.advance('299s')
    expect(await cache.plain.get('key')).toBe(1)
    await clock.advance('1s')
    expect(await cache.plain.get('key')).toBeUndefined()
  })

  test('emits a miss event and no error event for an invalidated entry', async () => {
    await using cache = createCache()
    await cache.set('key', 1, { tags: ['one'] })
    await cache.invalidateTags(['one'])
    const events: unknown[] = []
    for (const event of ['hit', 'miss', 'error'] as const) cache.on(event, (one) => events.push(one))
    await cache.plain.get('key')
    expect(events).toEqual([{ namespace: '', key: 'key', reason: 'absent' }])
  })

  test('fails only for cache entries when the generations cannot be read', async () => {
    for (const errors of ['absorb', 'throw'] as const) {
      const redis = new SimulatedRedis()
      await using cache = createCache({ backend: redis.backend({ prefix: PREFIX }) })
      await cache.set('one', 1)
      await cache.set('two', 2)
      const faults = new Faults()
      await using backend = injectFaults(redis.backend({ prefix: PREFIX, errors }), faults)
      await backend.initialize()
      await backend.set('plain', 0)
      const told: unknown[] = []
      backend.on('error', ({ error }) => told.push(error.code))
      backend.on('miss', ({ key, reason }) => told.push([key, reason]))
      // The fault hits the reads that follow the read of the values.
      const read = (work: () => Promise<unknown>) => {
        const reading = work()
        faults.fail({ commands: 'reads' })
        return reading.finally(() => faults.heal())
      }
      if (errors === 'throw') {
        await expect(read(() => backend.get('one'))).rejects.toMatchObject({ code: 'CACHE_UNAVAILABLE' })
        await expect(read(() => backend.getMany(['one', 'two']))).rejects.toMatchObject({
          code: 'CACHE_UNAVAILABLE',
        })
      } else {
        expect(await read(() => backend.get('one'))).toBeUndefined()
        expect(told.splice(0)).toEqual(['CACHE_UNAVAILABLE', ['one', 'unavailable']])
        const found = await read(() => backend.getMany(['one', 'plain', 'two']))
        expect([...(found as Map<string, unknown>)]).toEqual([
          ['one', undefined],
          ['plain', 0],
          ['two', undefined],
        ])
        expect(told).toEqual(['CACHE_UNAVAILABLE', ['one', 'unavailable'], ['two', 'unavailable']])
      }
    }
  })

  test('works with encryption and with a null backend', async () => {
    const encryption = { keys: [{ id: 'k1', secret: new Uint8Array(32).fill(7) }] }
    const memory = new MemoryCacheBackend({ encryption })
    await using cache = createCache({ backend: memory })
    await cache.set('key', 1, { tags: ['one'], ...STALE })
    expect(await memory.get('key')).toBe(1)
    await cache.invalidateTags(['one'])
    expect(await memory.get('key')).toBeUndefined()
    await using none = createCache({ backend: new NullCacheBackend() })
    await none.set('key', 1)
    expect(await none.plain.get('key')).toBeUndefined()
  })
})
