import { createClient } from '@redis/client'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { describe, expect, test } from 'vitest'
import type { RedisProcess } from '../../testbed/redis-process.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { expectEveryOperationToSettle } from '../support/every-operation.ts'
import { useScene } from '../support/scene.ts'

const TIMEOUT = '200ms'
/** Far above the deadline, since the machine may be busy, and far below "for ever". */
const SETTLED_WITHIN_MS = 3_000

const scene = useScene({
  // Slow to take a silent node for dead: this is about what a caller sees until then.
  cluster: { replicasPerMaster: 0, nodeTimeoutMs: 60_000 },
  sentinel: { downAfterMs: 60_000 },
  flush: false,
})
const { redis: standalone, cluster, sentinel } = scene

/** Pauses the server, expects every operation to settle, resumes it, and waits for the next hit. */
async function expectToOutlive(server: RedisProcess, backend: IoredisCacheBackend | RedisCacheBackend) {
  scene.later(() => backend.shutdown())
  await backend.initialize()
  await backend.set('value', 'before')
  server.pause()
  scene.later(() => server.resume())
  await expectEveryOperationToSettle(backend, SETTLED_WITHIN_MS)
  await expectEveryOperationToSettle(backend, SETTLED_WITHIN_MS)
  server.resume()
  await waitUntil(
    async () => (await backend.set('value', 'after')) && (await backend.get('value')) === 'after',
    {
      what: 'the cache to work again',
    },
  )
  expect(await backend.getMany(['value', 'none'])).toEqual(
    new Map([
      ['value', 'after'],
      ['none', undefined],
    ]),
  )
  const before = await backend.incr('count', 0)
  expect(await backend.incr('count')).toBe(before + 1)
}

/** A server of the cluster, and a prefix that puts every key there. */
async function oneNode(): Promise<[node: RedisProcess, prefix: string]> {
  const prefix = '{paused}:'
  return [cluster.node(await cluster.masterOf(await cluster.slotOf(prefix))), prefix]
}

describe('P37 every call settles by its deadline while Redis is stopped (SIGSTOP), and works once it resumes', () => {
  test('a single server', async () => {
    await expectToOutlive(
      standalone.process,
      new RedisCacheBackend({ url: standalone.url, prefix: 'own:', commandTimeout: TIMEOUT }),
    )
  })

  test("a caller's own @redis/client", async () => {
    const client = createClient({ url: standalone.url })
    client.on('error', () => {})
    await client.connect()
    scene.later(() => client.destroy())
    await expectToOutlive(
      standalone.process,
      new RedisCacheBackend({ client, prefix: 'lent:', commandTimeout: TIMEOUT }),
    )
  })

  for (const [name, createIoredis] of [
    ['ioredis 6', () => new Redis(standalone.url)],
    ['ioredis 5', () => new Redis5(standalone.url)],
  ] as const) {
    test(name, async () => {
      const client = createIoredis()
      scene.later(() => client.disconnect())
      await expectToOutlive(
        standalone.process,
        new IoredisCacheBackend({ client, prefix: `${name}:`, commandTimeout: TIMEOUT }),
      )
    })
  }

  test('one node of a cluster', async () => {
    const [node, prefix] = await oneNode()
    const nodes = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)
    await expectToOutlive(
      node,
      new RedisCacheBackend({ cluster: { nodes }, prefix, commandTimeout: TIMEOUT }),
    )
  })

  test('one node of a cluster, with ioredis', async () => {
    const [node, prefix] = await oneNode()
    const client = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })))
    scene.later(() => client.disconnect())
    await expectToOutlive(node, new IoredisCacheBackend({ client, prefix, commandTimeout: TIMEOUT }))
  })

  test('a cluster serves the keys of the nodes that are running', async () => {
    const [node, prefix] = await oneNode()
    const nodes = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)
    const backend = new RedisCacheBackend({ cluster: { nodes }, prefix: '', commandTimeout: TIMEOUT })
    scene.later(() => backend.shutdown())
    await backend.initialize()
    const awake = await keyElsewhere(node)
    await backend.set(awake, 'here')
    node.pause()
    scene.later(() => node.resume())
    const [here, there] = await Promise.all([backend.get(awake), backend.get(`${prefix}value`)])
    expect([here, there]).toEqual(['here', undefined])
  })

  test('a primary behind Sentinel', async () => {
    const backend = new RedisCacheBackend({
      sentinel: {
        name: sentinel.name,
        nodes: sentinel.urls,
      },
      commandTimeout: TIMEOUT,
    })
    await expectToOutlive(sentinel.primary, backend)
  })
})

async function keyElsewhere(node: RedisProcess): Promise<string> {
  for (let number = 0; ; number++) {
    const key = `awake:${number}`
    if ((await cluster.masterOf(await cluster.slotOf(key))) !== node.port) return key
  }
}
