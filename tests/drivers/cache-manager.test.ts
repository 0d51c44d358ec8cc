// cache-manager publishes no suite for its stores, which are those of Keyv. These cases say what its documentation promises
// of each operation, by the published package over the Keyv store of these tests.
import { type Cache, type CreateCacheOptions, createCache } from 'cache-manager'
import { Keyv } from 'keyv'
import { beforeEach, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { describeOnEachBackend } from './each-backend.ts'
import { KeyvStore } from './keyv-store.ts'

const MINUTE = 60_000

describeOnEachBackend<string>(
  { prefix: 'cache-manager-suite:', serializer: 'text', ttl: Number.POSITIVE_INFINITY },
  ({ backend, open }) => {
    const keyv = () => new Keyv({ store: new KeyvStore(backend()), throwOnErrors: true })
    const create = (options: CreateCacheOptions = {}) => createCache({ stores: [keyv()], ...options })
    let cache: Cache
    beforeEach(async () => {
      cache = create()
      await cache.clear()
    })

    test('get, set and del', async () => {
      expect(await cache.get('key')).toBeUndefined()
      expect(await cache.set('key', { name: 'Ada', tags: ['a', null] })).toEqual({
        name: 'Ada',
        tags: ['a', null],
      })
      expect(await cache.get('key')).toEqual({ name: 'Ada', tags: ['a', null] })
      for (const value of [0, false, '', null]) {
        await cache.set('key', value)
        expect(await cache.get('key')).toBe(value)
      }
      expect(await cache.del('key')).toBe(true)
      expect(await cache.get('key')).toBeUndefined()
    })

    test('mset, mget and mdel', async () => {
      await cache.mset<unknown>([
        { key: 'a', value: 1 },
        { key: 'b', value: { two: 2 }, ttl: MINUTE },
      ])
      expect(await cache.mget(['b', 'missing', 'a'])).toEqual([{ two: 2 }, undefined, 1])
      expect(await backend().getTtl('keyv:b')).toBeGreaterThan(50)
      expect(await backend().getTtl('keyv:a')).toBe(Number.POSITIVE_INFINITY)
      await cache.mdel(['a', 'b'])
      expect(await cache.mget(['a', 'b'])).toEqual([undefined, undefined])
    })

    test('the time to live is that of the call, or of the cache', async () => {
      const timed = create({ ttl: MINUTE })
      await timed.set('default', 1)
      await timed.set('own', 1, 10 * MINUTE)
      await timed.set('short', 1, 50)
      const left = await backend().getTtlMany(['keyv:default', 'keyv:own'])
      expect(left.get('keyv:default')).toBeLessThanOrEqual(60)
      expect(left.get('keyv:own')).toBeGreaterThan(500)
      await waitUntil(async () => !(await backend().exists('keyv:short')), { what: 'the short key to end' })
      expect(await timed.get('short')).toBeUndefined()
    })

    test('ttl tells when a key ends', async () => {
      await cache.set('timed', 1, MINUTE)
      await cache.set('for ever', 1)
      const left = ((await cache.ttl('timed')) as number) - Date.now()
      expect(left).toBeGreaterThan(MINUTE / 2)
      expect(left).toBeLessThanOrEqual(MINUTE)
      expect(await cache.ttl('for ever')).toBeUndefined()
      expect(await cache.ttl('missing')).toBeUndefined()
    })

    test('wrap loads a missing value once, and gives back the stored one', async () => {
      let loads = 0
      const load = async () => ({ count: ++loads })
      const calls = Array.from({ length: 5 }, () => cache.wrap('key', load, MINUTE))
      expect(await Promise.all(calls)).toEqual(Array(5).fill({ count: 1 }))
      expect(await create().wrap('key', load, MINUTE)).toEqual({ count: 1 })
      const failing = async () => {
        throw new Error('no value')
      }
      await expect(cache.wrap('failed', failing)).rejects.toThrow('no value')
      expect(await cache.get('failed')).toBeUndefined()
    })

    test('wrap stores for as long as the value says', async () => {
      await cache.wrap('key', async () => 2, { ttl: (minutes) => minutes * MINUTE })
      expect(await backend().getTtl('keyv:key')).toBeGreaterThan(100)
    })

    test('wrap refreshes in the background a value that ends soon', async () => {
      let loads = 0
      const load = async () => ++loads
      await cache.wrap('key', load, MINUTE)
      expect(await cache.wrap('key', load, { ttl: MINUTE, refreshThreshold: 2 * MINUTE })).toBe(1)
      await waitUntil(async () => (await cache.get('key')) === 2, { what: 'the refreshed value' })
    })

    test('a value from the second store is put into the first', async () => {
      const first = new Keyv()
      const tiered = createCache({ stores: [first, keyv()] })
      await cache.set('key', 'value')
      expect(await tiered.wrap('key', async () => 'not called', MINUTE)).toBe('value')
      expect(await first.get('key')).toBe('value')
    })

    test('clear removes the keys of its namespace alone', async () => {
      const other = createCache({
        stores: [new Keyv({ store: new KeyvStore(backend()), namespace: 'other' })],
      })
      await cache.set('key', 1)
      await other.set('key', 2)
      await cache.clear()
      expect(await cache.get('key')).toBeUndefined()
      expect(await other.get('key')).toBe(2)
      await other.clear()
    })

    test('a store that fails is a miss, and an error event', async () => {
      const closed = open()
      await closed.shutdown()
      const failing = create({
        stores: [new Keyv({ store: new KeyvStore(closed), throwOnErrors: true, emitErrors: false })],
      })
      const errors: unknown[] = []
      failing.on('get', ({ error }) => errors.push(error))
      expect(await failing.get('key')).toBeUndefined()
      expect(errors).toEqual([expect.objectContaining({ code: 'CACHE_CLOSED' })])
      await expect(failing.set('key', 1)).rejects.toMatchObject({ code: 'CACHE_CLOSED' })
    })
  },
)
