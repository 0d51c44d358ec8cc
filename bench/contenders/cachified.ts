import { type Cache, type CacheEntry, cachified, totalTtl } from '@epic-web/cachified'
import { createClient } from '@redis/client'
import { redisCacheAdapter } from 'cachified-redis-adapter'
import { LRUCache } from 'lru-cache'
import type { Contender, Setting, Store } from './contender.ts'

/** It has one tier, behind the adapters that its documentation shows. */
export const cachifiedLibrary: Contender = {
  name: '@epic-web/cachified',
  kind: 'peer',
  imports: ['@epic-web/cachified', 'cachified-redis-adapter', '@redis/client'],
  loadsMissing: true,
  openShared: async (setting) => {
    const client = createClient({ url: setting.url })
    client.on('error', () => {}) // the command that fails tells the same
    await client.connect()
    return open(setting, redisCacheAdapter(client as never), () => client.close())
  },
  openLocal: async (setting) => {
    const entries = new LRUCache<string, CacheEntry>({ max: setting.localEntries })
    const cache: Cache = {
      set: (key, value) => {
        const ttl = totalTtl(value.metadata)
        return entries.set(key, value, {
          ...(ttl !== Number.POSITIVE_INFINITY && { ttl }),
          start: value.metadata.createdTime,
        })
      },
      get: (key) => entries.get(key),
      delete: (key) => entries.delete(key),
    }
    return open(setting, cache, async () => {})
  },
}

function open({ load, prefix, ttlMs: ttl }: Setting, cache: Cache, close: () => Promise<unknown>): Store {
  return {
    get: (key) => cachified({ key: prefix + key, cache, ttl, getFreshValue: () => load(key) }),
    set: (key, value) =>
      cachified({ key: prefix + key, cache, ttl, forceFresh: true, getFreshValue: () => value }),
    delete: async (key) => cache.delete(prefix + key),
    close,
  }
}
