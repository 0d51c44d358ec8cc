import { createCluster } from '@redis/client'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { describeCacheBackend } from 'cachewright/testing'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'

let cluster: RedisCluster
let nodeRedis: ReturnType<typeof createCluster>
let ioredis: Cluster

beforeAll(async () => {
  cluster = await startCluster()
  nodeRedis = createCluster({ rootNodes: urls().map((url) => ({ url })) })
  nodeRedis.on('error', () => {})
  await nodeRedis.connect()
  ioredis = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })))
})

afterAll(async () => {
  await nodeRedis.close()
  ioredis.disconnect()
  await cluster.stop()
})

function urls(): string[] {
  return cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)
}

for (const serializer of ['json', 'v8'] as const) {
  describeCacheBackend({
    name: `Redis Cluster with ${serializer}`,
    describe,
    it,
    createBackend: (options) =>
      new RedisCacheBackend({ ...options, serializer, cluster: { nodes: urls().slice(0, 2) } }),
  })
  describeCacheBackend({
    name: `a caller's own cluster of @redis/client with ${serializer}`,
    describe,
    it,
    createBackend: (options) => new RedisCacheBackend({ ...options, serializer, client: nodeRedis }),
  })
  describeCacheBackend({
    name: `ioredis cluster with ${serializer}`,
    describe,
    it,
    createBackend: (options) => new IoredisCacheBackend({ ...options, serializer, client: ioredis }),
  })
}
