import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import type { Contender, Setting, Store } from './contender.ts'

export const bentocache = bentocacheOf('bentocache', true)
/** As its documentation advises where values are not changed by those who read them. */
export const bentocacheUnserialized = bentocacheOf('bentocache, L1 unserialized', false)

function bentocacheOf(name: string, serialize: boolean): Contender {
  return {
    name,
    kind: 'peer',
    imports: ['bentocache', 'bentocache/drivers/memory', 'bentocache/drivers/redis'],
    loadsMissing: true,
    hasTags: true,
    isTiered: true,
    ...(serialize && { openShared: async (setting: Setting) => open(setting, bentostore()) }),
    openLocal: async (setting) =>
      open(
        setting,
        bentostore()
          .useL1Layer(memoryDriver({ maxItems: setting.localEntries, serialize }))
          .useBus(redisBusDriver({ connection: connectionOf(setting) })),
      ),
  }
}

function open(setting: Setting, layers: ReturnType<typeof bentostore>): Store {
  const { load, prefix, tags, ttlMs } = setting
  const store = layers.useL2Layer(redisDriver({ connection: connectionOf(setting) }))
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

function connectionOf({ url }: Setting): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port) }
}
