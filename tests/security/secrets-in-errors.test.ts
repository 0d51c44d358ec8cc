import { createClient } from '@redis/client'
import type { Serializer } from 'cachewright'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend, type RedisCacheBackendOptions } from 'cachewright/redis'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { provokeEveryOperation } from './provoke-every-operation.ts'
import { RecordedFailures } from './recorded-failures.ts'

const PASSWORD = 'passw0rd-of-redis'
const VALUE = 'value-nobody-may-read'
/** Longer than may be told; its end is what would show that it was told in full. */
const LONG_KEY = `${'k'.repeat(120)}end-of-the-long-key`
const SECRETS = [PASSWORD, VALUE, 'end-of-the-long-key', 'k'.repeat(101)]

/** What both versions of ioredis are made with here. */
interface IoredisOptions {
  readonly port: number
  readonly username?: string
  readonly password: string
  readonly maxRetriesPerRequest: 0
}

type Backend = IoredisCacheBackend | MemoryCacheBackend | RedisCacheBackend

let redis: Standalone
let cluster: RedisCluster
let failures: RecordedFailures
const closers: (() => unknown)[] = []

beforeAll(async () => {
  ;[redis, cluster] = await Promise.all([
    startStandalone({ password: PASSWORD }),
    startCluster({ replicasPerMaster: 0 }),
  ])
  await redis.ask('ACL', 'SETUSER', 'stranger', 'on', `>${PASSWORD}`, '~elsewhere:*', '+@all')
  await redis.ask('ACL', 'SETUSER', 'mute', 'on', `>${PASSWORD}`, '~*', '+@connection')
})
beforeEach(async () => {
  await redis.ask('FLUSHALL')
  failures = new RecordedFailures()
})
afterEach(async () => {
  await redis.ask('CONFIG', 'SET', 'maxmemory', 0)
  for (const close of closers.splice(0)) await close()
})
afterAll(() => Promise.all([redis.stop(), cluster.stop()]))

async function opened<B extends Backend>(backend: B): Promise<B> {
  closers.push(() => backend.shutdown())
  failures.listenTo(backend)
  await failures.provoke(() => backend.initialize())
  return backend
}

const own = (options: RedisCacheBackendOptions = {}) =>
  opened(
    new RedisCacheBackend({
      commandTimeout: '300ms',
      errors: 'throw',
      logger: failures.logger,
      url: redis.url,
      ...options,
    }),
  )

const provokeEverything = (backend: Backend) => provokeEveryOperation(backend, failures, LONG_KEY, VALUE)

function expectNothingTold(...codes: readonly string[]): void {
  expect([...failures.codes]).toEqual(expect.arrayContaining([...codes]))
  expect(failures.size).toBeGreaterThan(0)
  expect(failures.holding(SECRETS).slice(0, 3)).toEqual([])
}

describe('P41 no secret and no value in errors or logs', () => {
  test('refused credentials and permissions', async () => {
    const address = `127.0.0.1:${redis.port}`
    for (const url of [
      `redis://:${PASSWORD}-wrong@${address}`,
      `redis://nobody:${PASSWORD}@${address}`,
      `redis://mute:${PASSWORD}@${address}`,
      `redis://stranger:${PASSWORD}@${address}`,
      `redis://:${PASSWORD}@127.0.0.1:1`,
      `redis://:${PASSWORD}@${address}/77`,
    ]) {
      await provokeEverything(await own({ url }))
      await provokeEverything(await own({ url, errors: 'absorb' }))
    }
    expectNothingTold('CACHE_AUTH', 'CACHE_UNAVAILABLE', 'CACHE_REPLY')
  })

  test('keys of another type, and memory that has run out', async () => {
    const backend = await own()
    for (const type of [
      ['HSET', `cache:${LONG_KEY}`, VALUE, VALUE],
      ['SET', `cache:${LONG_KEY}`, VALUE],
      ['SET', 'cache:short', `"${VALUE}`],
    ]) {
      await redis.ask('FLUSHALL')
      await redis.ask(...type)
      await failures.provoke(() => backend.incr(LONG_KEY))
      await failures.provoke(() => backend.addToSet(LONG_KEY, VALUE))
      await failures.provoke(() => backend.get('short'))
      await failures.provoke(() => backend.getMany(['short', LONG_KEY]))
    }
    await redis.ask('CONFIG', 'SET', 'maxmemory', 1)
    await provokeEverything(backend)
    expectNothingTold('CACHE_WRONG_TYPE', 'CACHE_NOT_A_COUNTER', 'CACHE_REPLY', 'CACHE_UNDECODABLE')
  })

  test('values that cannot be stored, and the errors of serializers', async () => {
    const chatty: Serializer = {
      id: 'chatty',
      encode(value) {
        throw Object.assign(
          new RangeError(`cannot encode ${JSON.stringify(value)}\nnor\n${JSON.stringify(value)}`),
          { value },
        )
      },
      decode(bytes) {
        throw new RangeError(`cannot decode\n${bytes.toString()}`, { cause: new Error(VALUE) })
      },
    }
    const reader: Serializer = { ...chatty, encode: (value) => String(value) }
    class Stubborn {
      readonly [VALUE] = 1
      toJSON(): never {
        throw new Error(`${VALUE}\n${VALUE}`)
      }
    }
    const cyclic: Record<string, unknown> = { [VALUE]: VALUE }
    cyclic[VALUE] = cyclic
    const unstorable = [
      undefined,
      cyclic,
      new Stubborn(),
      () => VALUE,
      new Map([[VALUE, VALUE]]),
      Symbol(VALUE),
      10n,
    ]
    for (const options of [
      {},
      { serializer: chatty },
      { serializer: 'v8' },
      { serializer: 'msgpack' },
      { serializer: 'pickle' },
    ] as const) {
      for (const backend of [await own(options), await opened(new MemoryCacheBackend(options))]) {
        for (const value of [...unstorable, VALUE]) {
          await failures.provoke(() => backend.set(LONG_KEY, value))
          await failures.provoke(() => backend.setMany([[LONG_KEY, value]]))
        }
        await failures.provoke(() => backend.set(LONG_KEY, VALUE, VALUE as never))
        await failures.provoke(() => backend.incr(LONG_KEY, VALUE as never))
        await failures.provoke(() => backend.get({ [VALUE]: VALUE } as never))
        await failures.provoke(() => backend.get(LONG_KEY.repeat(1_000)))
        await failures.provoke(() => backend.invalidatePattern({ [VALUE]: VALUE } as never))
      }
    }
    const undecodable = await own({ serializer: reader, errors: 'absorb' })
    await undecodable.set(LONG_KEY, VALUE)
    await failures.provoke(() => undecodable.get(LONG_KEY))
    await failures.provoke(() => undecodable.getMany([LONG_KEY]))
    expectNothingTold(
      'CACHE_INVALID_VALUE',
      'CACHE_INVALID_DURATION',
      'CACHE_INVALID_KEY',
      'CACHE_UNDECODABLE',
    )
  })

  test("errors thrown by a caller's own iterable and callback", async () => {
    function* entries(): Generator<readonly [string, unknown]> {
      yield ['key', 1]
      throw new Error(`while reading\n${VALUE}\n${PASSWORD}`)
    }
    const backend = await own()
    await backend.set('key', 1)
    await failures.provoke(() => backend.setMany(entries()))
    await failures.provoke(() =>
      backend.clear({
        onProgress() {
          throw new TypeError(`at\n${VALUE}`)
        },
      }),
    )
    expectNothingTold('CACHE_INTERNAL')
  })

  test('oversize values, alone and in a batch, and batches that fail in part', async () => {
    for (const errors of ['absorb', 'throw'] as const) {
      const backend = await own({ maxValueBytes: VALUE.length, errors })
      await provokeEverything(backend)
      await failures.provoke(() => backend.setMany({ [LONG_KEY]: VALUE, fits: 1 }))
    }
    expectNothingTold('CACHE_VALUE_TOO_LARGE', 'CACHE_PARTIAL_WRITE')
  })

  test('a listener that throws its argument', async () => {
    const backend = await own()
    backend.on('set', ({ key }) => {
      throw new Error(`${key} ${VALUE}`)
    })
    await backend.set(LONG_KEY, VALUE)
    expectNothingTold()
  })

  test('connections that are cut or hang in the middle of a command', async () => {
    const proxy = await startTcpProxy(redis.port)
    closers.push(() => proxy.stop())
    const backend = await own({ url: redis.url.replace(`:${redis.port}`, `:${proxy.port}`) })
    const calls = provokeEverything(backend)
    proxy.cutReplyTo(LONG_KEY)
    await calls
    await provokeEverything(backend)
    proxy.cutNothing()
    proxy.goSilent()
    await provokeEverything(backend)
    expectNothingTold('CACHE_UNAVAILABLE')
  })

  for (const [name, createIoredis] of [
    ['ioredis 6', (options: IoredisOptions) => new Redis(options)],
    ['ioredis 5', (options: IoredisOptions) => new Redis5(options)],
  ] as const) {
    test(`the errors of ${name}, which carry the whole command`, async () => {
      for (const credentials of [
        { password: PASSWORD },
        { username: 'stranger', password: PASSWORD },
        { password: `${PASSWORD}!` },
      ]) {
        const client = createIoredis({ port: redis.port, ...credentials, maxRetriesPerRequest: 0 })
        client.on('error', () => {})
        closers.push(() => client.disconnect())
        const backend = await opened(
          new IoredisCacheBackend({
            client,
            commandTimeout: '300ms',
            errors: 'throw',
            logger: failures.logger,
          }),
        )
        await redis.ask('FLUSHALL')
        await redis.ask('HSET', `cache:${LONG_KEY}`, VALUE, VALUE)
        await failures.provoke(() => backend.incr(LONG_KEY))
        await provokeEverything(backend)
        await redis.ask('CONFIG', 'SET', 'maxmemory', 1)
        await provokeEverything(backend)
        await redis.ask('CONFIG', 'SET', 'maxmemory', 0)
        client.disconnect()
        await provokeEverything(backend)
      }
      expectNothingTold('CACHE_AUTH', 'CACHE_WRONG_TYPE', 'CACHE_REPLY')
    })
  }

  test('clusters', async () => {
    const nodes = cluster.nodes.map(({ port }) => `redis://nobody:${PASSWORD}@127.0.0.1:${port}`)
    await provokeEverything(await own({ url: undefined, cluster: { nodes } }))
    const client = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })))
    client.on('error', () => {})
    closers.push(() => client.disconnect())
    const backend = await opened(
      new IoredisCacheBackend({ client, commandTimeout: '300ms', errors: 'throw', logger: failures.logger }),
    )
    for (const { port } of cluster.nodes) await cluster.ask(port, 'CONFIG', 'SET', 'maxmemory', 1)
    await provokeEverything(backend)
    client.disconnect()
    await provokeEverything(backend)
    expectNothingTold('CACHE_REPLY')
  })

  test("a caller's own @redis/client", async () => {
    const client = createClient({ url: redis.url })
    client.on('error', () => {})
    await client.connect()
    const backend = await own({ url: undefined, client })
    await redis.ask('HSET', `cache:${LONG_KEY}`, VALUE, VALUE)
    await failures.provoke(() => backend.incr(LONG_KEY))
    await provokeEverything(backend)
    client.destroy()
    await provokeEverything(backend)
    expectNothingTold('CACHE_WRONG_TYPE', 'CACHE_UNAVAILABLE')
  })
})
