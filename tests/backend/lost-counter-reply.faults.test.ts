import { createClient } from '@redis/client'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { beforeEach, describe, expect, test } from 'vitest'
import type { RedisReply } from '../../testbed/redis-command.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

type Backend = IoredisCacheBackend | RedisCacheBackend

const PREFIX = '{counters}:'
const scene = useScene({ cluster: { replicasPerMaster: 0 }, sentinel: { downAfterMs: 60_000 }, flush: false })
const { redis, cluster, sentinel } = scene
/** One proxy in front of each server, by that server's port. */
const proxies = new Map<number, TcpProxy>()
beforeEach(async () => {
  const servers = [redis.process, ...cluster.nodes, sentinel.primary]
  for (const { port } of servers) proxies.set(port, await scene.proxy({ port }))
})

const proxyOf = (port: number) => proxies.get(port) as TcpProxy
const placeOf = (port: number) => ({ host: '127.0.0.1', port: proxyOf(port).port })
const clusterPlaces = () => cluster.nodes.map(({ port }) => placeOf(port))
const proxyMap = () =>
  Object.fromEntries(cluster.nodes.map(({ port }) => [`127.0.0.1:${port}`, placeOf(port)]))

/** Drops the reply to each increment and compares the counter on the server before and after. */
async function expectNoDouble(
  backend: Backend,
  servers: readonly { readonly port: number }[],
  ask: (...command: string[]) => Promise<RedisReply>,
): Promise<void> {
  scene.later(() => backend.shutdown())
  await backend.initialize()
  const counts = async () => Number(await ask('GET', `${PREFIX}count`))
  await backend.incr('count', 10) // this also loads the script and, with ioredis, opens its connection
  const before = await counts()
  for (const [round, run] of [
    () => backend.incr('count'),
    () => backend.incrBig('count'),
    () => backend.decr('count', -1),
  ].entries()) {
    for (const { port } of servers) proxyOf(port).cutReplyTo(`${PREFIX}count`)
    const cutsBefore = servers.reduce((sum, { port }) => sum + proxyOf(port).cuts, 0)
    await expect(run()).rejects.toMatchObject({ name: 'CacheError', code: 'CACHE_AMBIGUOUS' })
    expect(servers.reduce((sum, { port }) => sum + proxyOf(port).cuts, 0)).toBe(cutsBefore + 1)
    expect(await counts()).toBe(before + round + 1)
    for (const { port } of servers) proxyOf(port).cutNothing()
    await waitUntil(async () => (await backend.incr('count', 0)) === before + round + 1, {
      what: 'a counter that answers, with nothing sent again',
    })
  }
  expect(await counts()).toBe(before + 3)
  for (const { port } of servers) proxyOf(port).cutReplyTo(`${PREFIX}count`)
  const together = await Promise.allSettled(Array.from({ length: 5 }, () => backend.incr('count')))
  for (const { port } of servers) proxyOf(port).cutNothing()
  expect(together.map((one) => one.status === 'rejected' && one.reason.code)).toEqual(
    Array(5).fill('CACHE_AMBIGUOUS'),
  )
  await waitUntil(async () => (await backend.incr('count', 0)) === before + 8, {
    what: 'five counters that shared a command, each counted once',
  })
}

const options = { prefix: PREFIX, commandTimeout: '2s' } as const

describe('P26 an ambiguous INCR rejects and never doubles', () => {
  const ask = (...command: string[]) => redis.ask(...command)

  test('a single server', async () => {
    const backend = new RedisCacheBackend({ ...options, url: proxyOf(redis.port).url })
    await expectNoDouble(backend, [redis], ask)
  })

  test("a caller's own @redis/client", async () => {
    const client = createClient({ url: proxyOf(redis.port).url })
    client.on('error', () => {})
    await client.connect()
    scene.later(() => client.destroy())
    await expectNoDouble(new RedisCacheBackend({ ...options, client }), [redis], ask)
  })

  for (const [name, createIoredis] of [
    ['ioredis 6', () => new Redis(proxyOf(redis.port).url)],
    ['ioredis 5', () => new Redis5(proxyOf(redis.port).url)],
  ] as const) {
    test(name, async () => {
      const client = createIoredis()
      client.on('error', () => {})
      scene.later(() => client.disconnect())
      await expectNoDouble(new IoredisCacheBackend({ ...options, client }), [redis], ask)
    })
  }

  test('a primary behind Sentinel', async () => {
    // The sentinels name the server; the client is led to it through the proxy.
    const lying = await startTcpProxy(sentinel.sentinels[0]?.port as number)
    scene.later(() => lying.stop())
    const { port } = sentinel.primary
    lying.garble = (reply) =>
      Buffer.from(reply.toString('latin1').replace(`$5\r\n${port}`, `$5\r\n${proxyOf(port).port}`), 'latin1')
    const backend = new RedisCacheBackend({
      ...options,
      sentinel: { name: sentinel.name, nodes: [lying.url] },
    })
    await expectNoDouble(backend, [sentinel.primary], (...command) => sentinel.primary.ask(...command))
  })

  const askOwner = async (...command: string[]) =>
    cluster.ask(await cluster.masterOf(await cluster.slotOf(PREFIX)), ...command)

  test('a cluster', async () => {
    const backend = new RedisCacheBackend({
      ...options,
      cluster: {
        nodes: clusterPlaces().map(({ port }) => `redis://127.0.0.1:${port}`),
        nodeAddressMap: proxyMap(),
      },
    })
    await expectNoDouble(backend, cluster.nodes, askOwner)
  })

  for (const [name, createIoredis] of [
    ['ioredis 6', () => new Cluster(clusterPlaces(), { natMap: proxyMap() })],
    ['ioredis 5', () => new Cluster5(clusterPlaces(), { natMap: (address) => proxyMap()[address] ?? null })],
  ] as const) {
    test(`a cluster behind a natMap, with ${name}`, async () => {
      const client = createIoredis()
      client.on('error', () => {})
      scene.later(() => client.disconnect())
      await expectNoDouble(new IoredisCacheBackend({ ...options, client }), cluster.nodes, askOwner)
    })
  }
})
