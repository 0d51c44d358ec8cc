import {
  createClient,
  createClientPool,
  createCluster,
  createSentinel,
  RESP_TYPES,
  type RedisClientOptions,
} from '@redis/client'
import { createCache } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { describe, expect, test } from 'vitest'
import { backendOf } from '../support/backend-of.ts'
import { useScene } from '../support/scene.ts'
import { CALLERS_CLIENTS } from './borrowed-places.ts'

const scene = useScene({ cluster: { replicasPerMaster: 1 }, flush: false })
let uses = 0
const { cluster, redis } = scene
const places = () => cluster.nodes.map(({ host, port }) => ({ host, port }))

/** Uses a client for a cache and for a bare backend, from the first operation on, without waiting for the client. */
async function expectToWork(client: object, database = 0): Promise<void> {
  const prefix = `use ${++uses}:`
  const cache = createCache({ client: client as Redis, prefix, commandTimeout: '10s', local: false })
  scene.later(() => cache.shutdown())
  const backend = backendOf(cache)
  const loaded = Promise.all(['a', 'b', 'c'].map((key) => cache.getOrSet(key, async () => `${key}!`)))
  expect(await loaded).toEqual(['a!', 'b!', 'c!'])
  expect(await cache.getOrSet('a', async () => 'loaded again')).toBe('a!')
  expect(await cache.delete('a')).toBe(true)
  expect(await cache.get('a')).toBeUndefined()
  expect(await backend.set('v', { text: 'ü' })).toBe(true)
  expect(await backend.get('v')).toEqual({ text: 'ü' })
  expect(await backend.getMany(['v', 'w'])).toEqual(
    new Map([
      ['v', { text: 'ü' }],
      ['w', undefined],
    ]),
  )
  expect(await backend.incr('n', 2)).toBe(2)
  expect(await backend.incrBig('n', 2n ** 60n)).toBe(2n ** 60n + 2n)
  expect(await backend.addManyToSet('s', ['x', 'y'])).toBe(2)
  expect((await backend.getSetMembers('s')).toSorted()).toEqual(['x', 'y'])
  expect(await backend.getTtl('v')).toBeGreaterThan(0)
  expect(await backend.invalidatePattern('[vn]')).toBe(2)
  expect(await cache.invalidateTags(['tag'])).toBe(true)
  await cache.clear()
  expect(await cache.get('b')).toBeUndefined()
  await backend.set('left', 1)
  if (database > 0) expect(await redis.ask('KEYS', `${prefix}*`)).toEqual([])
}

function expectRefusal(client: object, reason: RegExp): void {
  expect(() => new RedisCacheBackend({ client: client as Redis })).toThrow(
    expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS', message: expect.stringMatching(reason) }),
  )
}

const IOREDIS_OPTIONS: Readonly<Record<string, object>> = {
  none: {},
  enableAutoPipelining: { enableAutoPipelining: true },
  'autoResendUnfulfilledCommands: false': { autoResendUnfulfilledCommands: false },
  commandTimeout: { commandTimeout: 5_000 },
  connectionName: { connectionName: 'caller' },
  'enableOfflineQueue: false': { enableOfflineQueue: false },
  'enableReadyCheck: false': { enableReadyCheck: false },
  lazyConnect: { lazyConnect: true },
  'lazyConnect without an offline queue': { lazyConnect: true, enableOfflineQueue: false },
  'maxRetriesPerRequest: null': { maxRetriesPerRequest: null },
  'protocol: 2': { protocol: 2 },
  'protocol: 3': { protocol: 3 },
  readOnly: { readOnly: true },
  reconnectOnError: { reconnectOnError: () => 2 },
  "replyMapping: 'resp3'": { replyMapping: 'resp3' },
  'retryStrategy: null': { retryStrategy: null },
  showFriendlyErrorStack: { showFriendlyErrorStack: true },
  stringNumbers: { stringNumbers: true },
}

const IOREDIS_CLUSTER_OPTIONS: Readonly<Record<string, object>> = {
  clusterNodeRetryStrategy: { clusterNodeRetryStrategy: () => 50 },
  enableAutoPipelining: { enableAutoPipelining: true },
  'enableOfflineQueue: false': { enableOfflineQueue: false },
  lazyConnect: { lazyConnect: true },
  "scaleReads: 'slave'": { scaleReads: 'slave' },
  ...Object.fromEntries(
    Object.entries(IOREDIS_OPTIONS)
      .filter(([name]) => !/Queue|lazy|retryStrategy|readOnly/.test(name))
      .map(([name, redisOptions]) => [`redisOptions.${name}`, { redisOptions }]),
  ),
}

describe.each(['ioredis 6', 'ioredis 5'] as const)("a caller's %s works with the option", (library) => {
  test.each(Object.keys(IOREDIS_OPTIONS))('%s', async (name) => {
    const { client, close } = await CALLERS_CLIENTS.single[library](redis.url, IOREDIS_OPTIONS[name])
    scene.later(close)
    await expectToWork(client)
  })

  test('db', async () => {
    const { client, close } = await CALLERS_CLIENTS.single[library](redis.url, { db: 3 })
    scene.later(close)
    await expectToWork(client, 3)
  })

  test('another database, which the client has selected', async () => {
    const { client, close } = await CALLERS_CLIENTS.single[library](redis.url)
    scene.later(close)
    await client.select(5)
    await expectToWork(client, 5)
  })

  test.each(Object.keys(IOREDIS_CLUSTER_OPTIONS))('%s on a cluster', async (name) => {
    const { client, close } = await CALLERS_CLIENTS.cluster[library](places(), IOREDIS_CLUSTER_OPTIONS[name])
    scene.later(close)
    await expectToWork(client)
  })
})

const NODE_REDIS_OPTIONS: Readonly<Record<string, object>> = {
  clientSideCache: { RESP: 3, clientSideCache: { ttl: 0, maxEntries: 100 } },
  'commandOptions.timeout': { commandOptions: { timeout: 5_000 } },
  'commandOptions.typeMapping': {
    commandOptions: { typeMapping: { [RESP_TYPES.NUMBER]: String, [RESP_TYPES.SIMPLE_STRING]: Buffer } },
  },
  database: { database: 3 },
  disableOfflineQueue: { disableOfflineQueue: true },
  emitInvalidate: { RESP: 3, emitInvalidate: true },
  name: { name: 'caller' },
  'RESP: 2': { RESP: 2 },
  'RESP: 3': { RESP: 3 },
}

describe("a caller's @redis/client works with the option", () => {
  test.each(Object.keys(NODE_REDIS_OPTIONS))('%s', async (name) => {
    const options: RedisClientOptions = { ...NODE_REDIS_OPTIONS[name] }
    const client = createClient({ url: redis.url, ...options })
    client.on('error', () => {})
    scene.later(() => client.destroy())
    await client.connect()
    await expectToWork(client, options.database)
  })

  test.each([
    ['minimizeConnections', { minimizeConnections: true }],
    ['useReplicas', { useReplicas: true }],
    ['defaults.disableOfflineQueue', { defaults: { disableOfflineQueue: true } }],
    ['RESP: 2', { RESP: 2 }],
  ] as const)('%s on a cluster', async (_name, options: object) => {
    const client = createCluster({ rootNodes: places().map((socket) => ({ socket })), ...options })
    client.on('error', () => {})
    scene.later(() => client.destroy())
    await client.connect()
    await expectToWork(client)
  })

  test('withTypeMapping()', async () => {
    const client = createClient({ url: redis.url })
    client.on('error', () => {})
    scene.later(() => client.destroy())
    await client.connect()
    await expectToWork(client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }))
  })
})

describe('a client that a cache cannot use is refused at once, and the reason is named:', () => {
  const lazy = { lazyConnect: true } as const

  // The type is given: to infer it from the clients takes the compiler half a minute.
  const refusals: readonly [name: string, create: () => object, reason: RegExp][] = [
    ['keyPrefix of ioredis', () => new Redis({ ...lazy, keyPrefix: 'x:' }), /keyPrefix/],
    ['keyPrefix of ioredis 5', () => new Redis5({ ...lazy, keyPrefix: 'x:' }), /keyPrefix/],
    ['keyPrefix of a cluster', () => new Cluster([], { ...lazy, keyPrefix: 'x:' }), /keyPrefix/],
    ['its redisOptions', () => new Cluster([], { ...lazy, redisOptions: { keyPrefix: 'x:' } }), /keyPrefix/],
    [
      'those of ioredis 5',
      () => new Cluster5([], { ...lazy, redisOptions: { keyPrefix: 'x:' } }),
      /keyPrefix/,
    ],
    ['a replica', () => new Redis({ ...lazy, sentinels: [{ port: 1 }], name: 'p', role: 'slave' }), /slave/],
    ['MONITOR', () => new Redis({ ...lazy, monitor: true }), /monitor/],
    ['keyPrefix of @redis/client', () => createClient({ keyPrefix: 'x:' }), /keyPrefix/],
    ['keyPrefix of its cluster', () => createCluster({ rootNodes: [], keyPrefix: 'x:' }), /keyPrefix/],
    ['readonly of @redis/client', () => createClient({ readonly: true }), /readonly/],
    ['a pool', () => createClientPool(), /pool/],
    ['a sentinel', () => createSentinel({ name: 'p', sentinelRootNodes: [] }), /sentinel/],
    ['the legacy interface', () => createClient().legacy(), /must be a client or cluster/],
  ]
  test.each(refusals)('%s', (_name, create, reason) => {
    expectRefusal(create(), reason)
  })
})
