import { createKeyv } from '@keyv/redis'
import { RedisMessageProvider } from '@qified/redis'
import { Cacheable, createKeyv as createMemoryKeyv } from 'cacheable'
import type { Contender, Setting, Store } from './contender.ts'

/** Two tiers by design: where nothing may be kept in the process, Redis is its only one. */
export const cacheable: Contender = {
  name: 'cacheable',
  kind: 'peer',
  imports: ['cacheable', '@keyv/redis'],
  loadsMissing: true,
  hasTags: true,
  keepsInvalidated: true,
  isTiered: true,
  openShared: async (setting) => {
    const { prefix, tags, ttlMs, url } = setting
    const primary = createKeyv(url, { namespace: prefix })
    return open(setting, new Cacheable({ primary, ttl: ttlMs, tags: tags.length > 0 }))
  },
  openLocal: async (setting) => {
    const { localEntries, prefix, tags, ttlMs, url } = setting
    return open(
      setting,
      new Cacheable({
        primary: createMemoryKeyv({ lruSize: localEntries }),
        secondary: createKeyv(url, { namespace: prefix }),
        ttl: ttlMs,
        tags: tags.length > 0,
        namespace: prefix,
        sync: { qified: new RedisMessageProvider({ uri: url }) },
      }),
    )
  },
}

function open({ load, tags }: Setting, cache: Cacheable): Store {
  const set = (key: string, value: unknown) =>
    cache.set(key, value, tags.length === 0 ? {} : { tags: [...tags] })
  // Its getOrSet stores no tags.
  const getTagged = async (key: string) => {
    const found = await cache.get(key)
    if (found !== undefined) return found
    const value = await load(key)
    await set(key, value)
    return value
  }
  return {
    get: tags.length === 0 ? (key) => cache.getOrSet(key, () => load(key)) : getTagged,
    set,
    delete: (key) => cache.delete(key),
    getMany: (keys) => cache.getMany(keys),
    clear: () => cache.clear(),
    invalidateTag: (tag) => cache.tags.invalidateTag(tag),
    close: () => cache.disconnect(),
  }
}
