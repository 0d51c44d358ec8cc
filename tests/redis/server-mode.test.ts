import { createClient } from '@redis/client'
import { type CacheBackend, createCache } from 'cachewright'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { startSentinel } from '../../testbed/redis-sentinel.ts'

let cluster: RedisCluster
let url: string

beforeAll(async () => {
  cluster = await startCluster({ replicasPerMaster: 0 })
  url = `redis://127.0.0.1:${cluster.nodes[0]?.port}`
})
afterAll(() => cluster.stop())

const NAMES_THE_OPTION = {
  code: 'CACHE_INVALID_OPTIONS',
  message: expect.stringContaining('cluster: { nodes }'),
}

async function expectRefused(backend: CacheBackend): Promise<void> {
  await expect(backend.initialize()).rejects.toMatchObject(NAMES_THE_OPTION)
  await backend.shutdown()
}

describe('a server in cluster mode that is given as a single one', () => {
  test('makes initialize() and every operation of a cache reject, which name the option', async () => {
    await using cache = createCache({ redis: url })
    await expect(cache.initialize()).rejects.toMatchObject(NAMES_THE_OPTION)
    await expect(cache.getOrSet('key', () => 1)).rejects.toMatchObject(NAMES_THE_OPTION)
    await expect(cache.set('key', 1)).rejects.toMatchObject(NAMES_THE_OPTION)
  })

  test('is refused by a backend with a URL', async () => {
    await expectRefused(new RedisCacheBackend({ url }))
  })

  test('is refused by a backend over a client of @redis/client, in either protocol', async () => {
    for (const RESP of [2, 3] as const) {
      const client = await createClient({ url, RESP }).connect()
      await expectRefused(new RedisCacheBackend({ client: client as never }))
      await client.close()
    }
  })

  test.each([
    ['5', (address: string) => new Redis5(address)],
    ['6', (address: string) => new Redis(address)],
  ])('is refused by a backend over a client of ioredis %s', async (_version, connect) => {
    const client = connect(url)
    await expectRefused(new IoredisCacheBackend({ client: client as never }))
    client.disconnect()
  })

  test('is served if it is given as a cluster', async () => {
    await using backend = new RedisCacheBackend({ cluster: { nodes: [url] } })
    await backend.initialize()
    expect(await backend.set('key', 1)).toBe(true)
  })
})

test('a Sentinel that is given as a single server is refused, and the option is named', async () => {
  const sentinel = await startSentinel()
  try {
    const backend = new RedisCacheBackend({ url: `redis://127.0.0.1:${sentinel.sentinels[0]?.port}` })
    await expect(backend.initialize()).rejects.toMatchObject({
      code: 'CACHE_INVALID_OPTIONS',
      message: expect.stringContaining('sentinel: { name, nodes }'),
    })
    await backend.shutdown()
  } finally {
    await sentinel.stop()
  }
})
