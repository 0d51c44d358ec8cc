import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import type { Contender, Setting, Store } from './contender.ts'

const IMPORTS = ['bentocache', 'bentocache/drivers/memory', 'bentocache/drivers/redis']

/** It asks for ioredis 5, and has the same one as the others here: see the overrides of `bench/package.json`. */
export const bentocache: Contender = {
  name: 'bentocache',
  kind: 'peer',
  imports: IMPORTS,
  hasTags: true,
  loadsMissing: true,
  isTiered: true,
  keepsInvalidated: true,
  openShared: async (setting) => open(setting, bentostore().useL2Layer(redis(setting))),
  openLocal: async (setting) =>
    open(
      setting,
      bentostore()
        .useL1Layer(memoryDriver({ maxItems: setting.localEntries }))
        .useL2Layer(redis(setting))
        .useBus(redisBusDriver({ connection: connectionOf(setting) })),
    ),
}

/** The fastest that its local tier can be had; over Redis it then fails on what it reads from there. */
export const bentocacheUnserialized: Contender = {
  name: 'bentocache, L1 alone, unserialized',
  kind: 'peer',
  imports: IMPORTS,
  openLocal: async (setting) =>
    open(
      setting,
      bentostore().useL1Layer(memoryDriver({ maxItems: setting.localEntries, serialize: false })),
    ),
}

function open({ load, prefix, tags, ttlMs }: Setting, store: ReturnType<typeof bentostore>): Store {
  const bento = new BentoCache({ default: 'main', prefix, stores: { main: store } })
  const entry = tags.length === 0 ? { ttl: ttlMs } : { ttl: ttlMs, tags: [...tags] }
  return {
    get: (key) => bento.getOrSet({ key, factory: () => load(key), ...entry }),
    set: (key, value) => bento.set({ key, value, ...entry }),
    delete: (key) => bento.delete({ key }),
    clear: () => bento.clear(),
    invalidateTag: (tag) => bento.deleteByTag({ tags: [tag] }),
    close: () => bento.disconnectAll(),
  }
}

function redis(setting: Setting): ReturnType<typeof redisDriver> {
  return redisDriver({ connection: connectionOf(setting) })
}

function connectionOf({ url }: Setting): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port) }
}
