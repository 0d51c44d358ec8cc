// undici publishes no suite for its cache stores. These cases call a store as undici does, in the manner of its own tests: what
// `createWriteStream` writes, `get` finds for the same request, until `deleteAt` or `delete`. Over Redis and over memory.
import { once } from 'node:events'
import { type Cache, createCache } from 'cachewright'
import { afterAll, describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'
import { type CacheKey, type CacheValue, UndiciStore, type UndiciStoreOptions } from './undici-store.ts'

const scene = useScene()

for (const place of ['Redis', 'memory'] as const) {
  describe(`the store itself, over ${place}`, () => {
    const cache = createCacheOf(place)
    const key = (more: Partial<CacheKey> = {}): CacheKey => ({
      ...{ origin: 'http://localhost', method: 'GET', path: '/' },
      headers: {},
      ...more,
    })
    const head = (more: Partial<CacheValue> = {}): CacheValue => ({
      ...{ statusCode: 200, statusMessage: 'OK', headers: { foo: 'bar' } },
      cacheControlDirectives: {},
      ...{ cachedAt: Date.now(), staleAt: Date.now() + 10_000, deleteAt: Date.now() + 20_000 },
      ...more,
    })
    const write = async (store: UndiciStore, at: CacheKey, value: CacheValue, ...parts: string[]) => {
      const stream = store.createWriteStream(at, value)
      for (const part of parts) stream.write(Buffer.from(part))
      stream.end()
      await once(stream, 'close')
    }
    const read = async (store: UndiciStore, at: CacheKey) => {
      const found = await store.get(at)
      return found && Buffer.concat([...(found.body as Iterable<Buffer>)]).toString()
    }
    const emptied = async (bounds?: UndiciStoreOptions) => {
      await cache().clear()
      return new UndiciStore(cache(), bounds)
    }

    test('gives back what was written, also when it is stale', async () => {
      const store = await emptied()
      expect(await store.get(key())).toBeUndefined()
      const fresh = head({ etag: '"tag"', cacheControlDirectives: { 'max-age': 10, private: ['x'] } })
      await write(store, key(), fresh, 'a', 'bc')
      const { body: _body, ...found } = (await store.get(key())) ?? {}
      expect(found).toEqual(fresh)
      expect(await read(store, key())).toBe('abc')
      await write(store, key(), head({ staleAt: Date.now() - 1_000 }), 'stale')
      expect(await read(store, key())).toBe('stale')
    })

    test('gives back nothing past deleteAt', async () => {
      const store = await emptied()
      await write(store, key({ path: '/past' }), head({ deleteAt: Date.now() - 1 }), 'past')
      expect(await store.get(key({ path: '/past' }))).toBeUndefined()
      await write(store, key(), head({ deleteAt: Date.now() + 1_000 }), 'short')
      await write(store, key({ method: 'HEAD' }), head())
      expect(await read(store, key())).toBe('short')
      await waitUntil(async () => (await store.get(key())) === undefined, { what: 'the end of the response' })
      expect(await store.get(key({ method: 'HEAD' }))).toBeDefined()
    })

    test('tells apart origins, paths, methods and the headers of vary', async () => {
      const store = await emptied()
      const vary = { accept: 'text/html', 'x-list': ['a', 'b'], missing: null }
      const headers = { accept: 'text/html', 'x-list': ['a', 'b'], other: 'x' }
      await write(store, key({ headers }), head({ vary }), 'one')
      expect(await read(store, key({ headers: { ...headers, other: 'y' } }))).toBe('one')
      for (const different of [
        { origin: 'https://localhost' },
        { path: '/other' },
        { method: 'HEAD' },
        { headers: {} },
        { headers: { ...headers, accept: 'application/json' } },
        { headers: { ...headers, 'x-list': ['b', 'a'] } },
        { headers: { ...headers, missing: 'there' } },
      ]) {
        expect(await store.get(key({ headers, ...different }))).toBeUndefined()
      }
    })

    test('replaces a variant, and deletes all of them by their URL', async () => {
      const store = await emptied()
      const of = (accept: string) => [key({ headers: { accept } }), head({ vary: { accept } })] as const
      await write(store, ...of('a'), 'first a')
      await write(store, ...of('b'), 'b')
      await write(store, ...of('a'), 'second a')
      expect(await read(store, of('a')[0])).toBe('second a')
      expect(await read(store, of('b')[0])).toBe('b')
      await store.delete(key({ method: 'POST' }))
      expect(await store.get(of('a')[0])).toBeUndefined()
      expect(await store.get(of('b')[0])).toBeUndefined()
    })

    test('publishes nothing of a stream that was destroyed', async () => {
      const store = await emptied()
      const stream = store.createWriteStream(key(), head())
      stream.write(Buffer.from('half'))
      stream.destroy(new Error('broken off'))
      await expect(once(stream, 'close')).rejects.toThrow('broken off')
      expect(await store.get(key())).toBeUndefined()
    })

    test('keeps the newest variants within its bounds', async () => {
      const store = await emptied({ maxEntrySize: 10, maxVariants: 3 })
      const of = (accept: string) => [key({ headers: { accept } }), head({ vary: { accept } })] as const
      const kept = async () => {
        const found = await Promise.all(['1', '2', '3', '4', '5'].map((accept) => store.get(of(accept)[0])))
        return found.map((result) => result !== undefined)
      }
      for (const accept of ['1', '2', '3', '4']) await write(store, ...of(accept), 'abc')
      expect(await kept()).toEqual([false, true, true, true, false])
      await write(store, ...of('5'), 'abcdef')
      expect(await kept()).toEqual([false, false, false, true, true])
      await write(store, ...of('1'), 'abcdefgh', 'ijk')
      expect(await kept()).toEqual([false, false, false, true, true])
    })

    test('of two writers that began together keeps the one that ended first', async () => {
      const store = await emptied()
      const [slow, fast] = [store.createWriteStream(key(), head()), store.createWriteStream(key(), head())]
      fast.end(Buffer.from('fast'))
      await once(fast, 'close')
      slow.end(Buffer.from('slow'))
      await once(slow, 'close')
      expect(await read(store, key())).toBe('fast')
    })
  })
}

function createCacheOf(place: 'Redis' | 'memory'): () => Cache<'share'> {
  let cache: Cache<'share'> | undefined
  afterAll(() => cache?.shutdown())
  return () => {
    cache ??= createCache({
      redis: place === 'Redis' && scene.redis.url,
      ...{ prefix: 'http:', serializer: 'v8', isolate: 'share', commandTimeout: '10s' },
    })
    return cache
  }
}
