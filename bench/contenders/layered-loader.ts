import { Redis } from 'ioredis'
import { createNotificationPair, Loader, type LoaderConfig, RedisCache } from 'layered-loader'
import type { Contender, Setting, Store } from './contender.ts'

/** It asks for Node 22, and does here all the same on Node 20. */
export const layeredLoader: Contender = {
  name: 'layered-loader',
  kind: 'peer',
  imports: ['layered-loader', 'ioredis'],
  loadsMissing: true,
  isTiered: true,
  openShared: async (setting) => open(setting, {}, async () => {}),
  openLocal: async (setting) => {
    const { localEntries, prefix, ttlMs, url } = setting
    const [publisherRedis, consumerRedis] = [new Redis(url), new Redis(url)]
    const pair = createNotificationPair<unknown>({
      channel: `${prefix}changes`,
      publisherRedis: publisherRedis as never,
      consumerRedis: consumerRedis as never,
    })
    const local: LoaderConfig<unknown> = {
      inMemoryCache: { cacheType: 'lru-map', ttlInMsecs: ttlMs, maxItems: localEntries },
      notificationPublisher: pair.publisher,
      notificationConsumer: pair.consumer,
    }
    return open(setting, local, async () => {
      publisherRedis.disconnect()
      consumerRedis.disconnect()
    })
  },
}

async function open(
  { format, load, loadMany, prefix, ttlMs, url }: Setting,
  local: LoaderConfig<unknown>,
  close: () => Promise<void>,
): Promise<Store> {
  const client = new Redis(url)
  const loader = new Loader<unknown>({
    ...local,
    asyncCache: new RedisCache(client as never, { json: format === 'object', prefix, ttlInMsecs: ttlMs }),
    dataSourceGetOneFn: load,
    dataSourceGetManyFn: async (keys) => [...(await loadMany(keys))],
    cacheKeyFromValueResolver: (value) => `object:${(value as { readonly id: number }).id}`,
  })
  await loader.init()
  return {
    get: (key) => loader.get(key),
    set: (key, value) => loader.forceSetValue(key, value),
    delete: (key) => loader.invalidateCacheFor(key),
    getMany: (keys) => loader.getMany(keys),
    getOrSetMany: (keys) => loader.getMany(keys),
    clear: () => loader.invalidateCache(),
    close: async () => {
      await close()
      client.disconnect()
    },
  }
}
