import { type Cache, type CacheBackend, type CreateCacheOptions, createCache } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { SimulatedRedis } from 'cachewright/testing'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { backendOf } from '../support/backend-of.ts'

export const PREFIX = 'entries:'

/** Somewhere to keep data: a cache over it, and a plain backend under the same prefix. */
export interface Home {
  readonly open: (options?: CreateCacheOptions) => Promise<{ cache: Cache; backend: CacheBackend }>
}

/** Starts what the homes need before the tests of the file, and stops it after. */
export function useHomes(): readonly (readonly [name: string, home: Home])[] {
  let standalone: Standalone
  let cluster: RedisCluster
  const closers: (() => Promise<void>)[] = []

  beforeAll(async () => {
    ;[standalone, cluster] = await Promise.all([
      startStandalone(),
      startCluster({ masters: 3, replicasPerMaster: 0 }),
    ])
  })
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })
  afterAll(() => Promise.all([standalone.stop(), cluster.stop()]))

  async function opened(
    cache: Cache,
    backend: CacheBackend,
  ): Promise<{ cache: Cache; backend: CacheBackend }> {
    closers.push(() => cache.shutdown())
    closers.push(() => backend.shutdown())
    await Promise.all([cache.initialize(), backend.initialize()])
    await cache.clear()
    await cache.idle()
    return { cache, backend }
  }

  return [
    [
      'memory',
      {
        open: async (options = {}) => {
          const cache = createCache({ prefix: PREFIX, ...options })
          return opened(cache, backendOf(cache))
        },
      },
    ],
    [
      'a simulated Redis',
      {
        open: async (options = {}) => {
          const redis = new SimulatedRedis()
          const cache = createCache({ backend: redis.backend({ prefix: PREFIX }), ...options })
          return opened(cache, redis.backend({ prefix: PREFIX }))
        },
      },
    ],
    [
      'Redis',
      {
        open: async (options = {}) => {
          const cache = createCache({ redis: standalone.url, prefix: PREFIX, ...options })
          return opened(cache, new RedisCacheBackend({ url: standalone.url, prefix: PREFIX }))
        },
      },
    ],
    [
      'a Redis Cluster with generations in other slots',
      {
        open: async (options = {}) => {
          const where = { cluster: { nodes: cluster.urls } }
          const cache = createCache({ redis: where, prefix: PREFIX, ...options })
          return opened(cache, new RedisCacheBackend({ ...where, prefix: PREFIX }))
        },
      },
    ],
  ]
}
