import { createKeyv as createRedisKeyv } from '@keyv/redis'
import { createCache } from 'cache-manager'
import { createKeyv } from 'cacheable'
import type { Contender, Setting, Store } from './contender.ts'

/** Its local tiers are not told of what other processes change. */
export const cacheManager: Contender = {
  name: 'cache-manager + @keyv/redis',
  kind: 'peer',
  imports: ['cache-manager', '@keyv/redis'],
  loadsMissing: true,
  isTiered: true,
  openShared: async (setting) => open(setting, [redis(setting)]),
  openLocal: async (setting) =>
    open(setting, [createKeyv({ ttl: setting.ttlMs, lruSize: setting.localEntries }), redis(setting)]),
}

function redis({ prefix, url }: Setting): ReturnType<typeof createRedisKeyv> {
  return createRedisKeyv(url, { namespace: prefix })
}

function open({ load, ttlMs }: Setting, stores: ReturnType<typeof createRedisKeyv>[]): Store {
  const cache = createCache({ stores, ttl: ttlMs })
  return {
    get: (key) => cache.wrap(key, () => load(key)),
    set: (key, value) => cache.set(key, value),
    delete: (key) => cache.del(key),
    getMany: (keys) => cache.mget(keys),
    clear: () => cache.clear(),
    close: () => cache.disconnect(),
  }
}
