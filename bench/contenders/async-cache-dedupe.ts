import { createCache, type StorageInputMemory, type StorageInputRedis } from 'async-cache-dedupe'
import { Redis } from 'ioredis'
import type { Contender, Setting, Store } from './contender.ts'

/** It has one tier, in the process or in Redis. */
export const asyncCacheDedupe: Contender = {
  name: 'async-cache-dedupe',
  kind: 'peer',
  imports: ['async-cache-dedupe', 'ioredis'],
  loadsMissing: true,
  hasTags: true,
  openShared: async (setting) => {
    const client = new Redis(setting.url)
    const invalidation = setting.tags.length > 0 && { referencesTTL: setting.ttlMs / 1_000 }
    const storage = { type: 'redis', options: { client: client as never, invalidation } } as const
    return open(setting, storage, () => client.quit())
  },
  openLocal: async (setting) =>
    open(setting, { type: 'memory', options: { size: setting.localEntries } }, async () => {}),
}

function open(
  { load, prefix, tags, ttlMs }: Setting,
  storage: StorageInputMemory | StorageInputRedis,
  close: () => Promise<unknown>,
): Store {
  const options = tags.length === 0 ? {} : { references: () => [...tags] }
  const cache = createCache({ ttl: ttlMs / 1_000, storage }).define(prefix, options, load)
  const read = (cache as unknown as Record<string, (key: string) => Promise<unknown>>)[prefix]
  if (read === undefined) throw new Error('The function was not defined')
  return {
    get: (key) => read(key),
    delete: (key) => cache.clear(prefix, key),
    clear: () => cache.clear(prefix),
    invalidateTag: (tag) => cache.invalidateAll(tag),
    close,
  }
}
