import { createClient } from '@redis/client'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { describeCacheBackend } from 'cachewright/testing'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'

let redis: Standalone
let nodeRedis: ReturnType<typeof createClient>
let ioredis: Redis
let ioredis5: Redis5

beforeAll(async () => {
  redis = await startStandalone()
  nodeRedis = createClient({ url: redis.url })
  nodeRedis.on('error', () => {})
  await nodeRedis.connect()
  ioredis = new Redis(redis.url)
  ioredis5 = new Redis5(redis.url)
})

afterAll(async () => {
  await nodeRedis.close()
  ioredis.disconnect()
  ioredis5.disconnect()
  await redis.stop()
})

for (const serializer of ['json', 'v8', 'msgpack', 'pickle'] as const) {
  describeCacheBackend({
    name: `Redis with ${serializer}`,
    describe,
    it,
    createBackend: (options) => new RedisCacheBackend({ ...options, serializer, url: redis.url }),
  })
}

for (const serializer of ['text', 'bytes'] as const) {
  describeCacheBackend({
    name: `Redis with ${serializer}`,
    describe,
    it,
    values: serializer,
    createBackend: (options) => new RedisCacheBackend({ ...options, serializer, url: redis.url }),
  })
}

for (const serializer of ['json', 'v8'] as const) {
  describeCacheBackend({
    name: `a caller's own @redis/client with ${serializer}`,
    describe,
    it,
    createBackend: (options) => new RedisCacheBackend({ ...options, serializer, client: nodeRedis }),
  })
  describeCacheBackend({
    name: `ioredis 6 with ${serializer}`,
    describe,
    it,
    createBackend: (options) => new IoredisCacheBackend({ ...options, serializer, client: ioredis }),
  })
  describeCacheBackend({
    name: `ioredis 5 with ${serializer}`,
    describe,
    it,
    createBackend: (options) => new RedisCacheBackend({ ...options, serializer, client: ioredis5 }),
  })
}
