import { type CreateCacheOptions, createCache } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import type { Contender, Setting, Store } from './contender.ts'

type SerializerOption = 'json' | 'msgpack'

/** The typed backend: what hand-written GET and JSON.parse is compared with. */
export const backend = backendOf('cachewright backend', 'json')
export const backendMsgpack = backendOf('cachewright backend, msgpack', 'msgpack')

/** The typed backend under a cache that tells others of changes on the invalidation bus. Only its counters are measured. */
export const backendOnBus: Contender = {
  name: 'cachewright backend, on the bus',
  kind: 'ours',
  imports: ['cachewright', 'cachewright/redis'],
  openShared: async ({ prefix, ttlMs, url }) => {
    const backend = new RedisCacheBackend({ url, prefix, errors: 'throw', ttl: `${ttlMs}ms` })
    const cache = createCache({ backend, coherence: { mode: 'bus' } })
    await cache.initialize()
    return {
      get: (key) => backend.get(key),
      incr: (key) => backend.incr(key),
      close: async () => {
        await cache.shutdown()
        await backend.shutdown()
      },
    }
  },
}

/** The read-through cache: what the `getOrSet` of other libraries is compared with. */
export const cache = cacheOf('cachewright cache', { serializer: 'json' })
export const cacheMsgpack = cacheOf('cachewright cache, msgpack', { serializer: 'msgpack' })

/** The read-through cache where nothing tells it of changes. */
export const cacheUntracked: Contender = {
  name: 'cachewright cache, without tracking',
  kind: 'ours',
  imports: ['cachewright'],
  hasTags: true,
  isTiered: true,
  openLocal: (setting) => openCache(setting, { coherence: { mode: 'ttl' } }),
}

function backendOf(name: string, serializer: SerializerOption): Contender {
  return {
    name,
    kind: 'ours',
    imports: ['cachewright/redis'],
    learns: serializer === 'msgpack',
    openShared: async ({ prefix, ttlMs, url }) => {
      const ttl = `${ttlMs}ms` as const
      const backend = new RedisCacheBackend({ url, prefix, serializer, errors: 'throw', ttl: ttl })
      await backend.initialize()
      return {
        get: (key) => backend.get(key),
        set: (key, value) => backend.set(key, value),
        delete: (key) => backend.delete(key),
        incr: (key) => backend.incr(key),
        getMany: (keys) => backend.getMany(keys),
        clear: () => backend.clear(),
        close: () => backend.shutdown(),
      }
    },
  }
}

function cacheOf(name: string, options: CreateCacheOptions): Contender {
  return {
    name,
    kind: 'ours',
    imports: ['cachewright'],
    loadsMissing: true,
    hasTags: true,
    keepsInvalidated: true,
    isTiered: true,
    learns: options.serializer === 'msgpack',
    openShared: (setting) => openCache(setting, { ...options, local: false }),
    openLocal: (setting) =>
      openCache(setting, { ...options, local: { maxEntries: setting.localEntries, maxBytes: 2 ** 40 } }),
  }
}

async function openCache(setting: Setting, options: CreateCacheOptions): Promise<Store> {
  const { load, loadMany, prefix, tags, ttlMs, url } = setting
  const cache = createCache({ redis: url, prefix, ttl: `${ttlMs}ms`, errors: 'throw', ...options })
  await cache.initialize()
  const entry = tags.length === 0 ? undefined : { tags }
  // One loader for all keys, as the other libraries are given: it is told which is wanted.
  const loader = ({ key }: { readonly key: string }) => load(key)
  return {
    get: (key) => cache.getOrSet(key, loader, entry),
    set: (key, value) => cache.set(key, value, entry),
    delete: (key) => cache.delete(key),
    getMany: (keys) => cache.getMany(keys),
    getOrSetMany: (keys) =>
      cache.getOrSetMany(
        keys,
        async (missing) => {
          const values = await loadMany(missing)
          return new Map(missing.map((key, position) => [key, values[position]]))
        },
        entry,
      ),
    clear: () => cache.clear(),
    invalidateTag: (tag) => cache.invalidateTags([tag]),
    idle: () => cache.idle(),
    close: () => cache.shutdown(),
  }
}
