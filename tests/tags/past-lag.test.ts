import assert from 'node:assert/strict'
import { type Cache, createCache } from 'cachewright'
import { Redis } from 'ioredis'
import { describe, it } from 'vitest'
import { keySlot } from '../../src/redis/slots/key-slot.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { trials } from '../support/trials.ts'

/** What another process invalidates, and whether `get(key, { local: false })` may then still find the entry. */
const INVALIDATIONS: readonly (readonly [string, (cache: Cache) => Promise<unknown>])[] = [
  ['a tag', (cache) => cache.invalidateTags(['t'])],
  ['the key', (cache) => cache.delete('key')],
  ['everything', (cache) => cache.clear()],
]

/** Has the entry in the local tier, with all that it depends on. */
async function warm(cache: Cache): Promise<void> {
  await waitUntil(
    async () => {
      await cache.getOrSet('key', () => 'old', { tags: ['t'] })
      return cache.peek('key') === 'old'
    },
    { what: 'the entry is kept' },
  )
}

describe('P46 a read with local: false is never older than an invalidation acknowledged before it', () => {
  const scene = useScene()

  /** A client whose messages from the bus come late. */
  async function withLateMessages(): Promise<Redis> {
    const proxy = await scene.proxy({ latencyMs: 150 })
    const client = new Redis(scene.redis.url)
    const duplicate = client.duplicate.bind(client)
    // A subscription is the one connection that is never dialled again by itself.
    client.duplicate = (override) =>
      duplicate(override?.retryStrategy === null ? { ...override, port: proxy.port } : override)
    scene.later(() => client.disconnect())
    return client
  }

  for (const [name, invalidate] of INVALIDATIONS) {
    it(`over the bus, when messages are late: ${name}`, async () => {
      const mine = await scene.open({ redis: undefined, client: await withLateMessages() })
      const client = new Redis(scene.redis.url)
      scene.later(() => client.disconnect())
      const other = await scene.open({ redis: undefined, client })
      for (const cache of [mine, other]) {
        await waitUntil(() => cache.coherence === 'bus', { what: 'the bus' })
      }
      for (let trial = 0; trial < trials(5, 50); trial++) {
        await warm(mine)
        await invalidate(other)
        assert.equal(await mine.get('key', { local: false }), undefined, `trial ${trial}`)
      }
    })
  }

  it('over the bus a read finds a valid entry, with one extra round trip for its tags', async () => {
    const client = new Redis(scene.redis.url)
    scene.later(() => client.disconnect())
    const cache = await scene.open({ redis: undefined, client })
    await waitUntil(() => cache.coherence === 'bus', { what: 'the bus' })
    await cache.set('plain', 'value')
    await cache.set('tagged', 'value', { tags: ['a', 'b', 'c'] })
    const reads = async () =>
      Number(/cmdstat_mget:calls=(\d+)/.exec(String(await scene.redis.ask('INFO', 'commandstats')))?.[1] ?? 0)
    const before = await reads()
    assert.equal(await cache.get('plain', { local: false }), 'value')
    const between = await reads()
    assert.equal(await cache.get('tagged', { local: false }), 'value')
    // The key and the generation of the namespace are two keys, and so two commands in one round trip.
    assert.deepEqual([between - before, (await reads()) - between], [2, 3])
  })
})

describe('P46 a read with local: false on a tracked cluster is never older than an acknowledged invalidation', () => {
  const scene = useScene({ redis: false, cluster: { replicasPerMaster: 0 } })

  it('whose nodes push at different times: a tag, the key, the namespace', async () => {
    const ports = scene.cluster.nodes.map(({ port }) => port)
    const keyOwner = await scene.cluster.masterOf(keySlot('shop:key'))
    const proxies = new Map<string, TcpProxy>()
    for (const port of ports) {
      // The owner of the key answers and pushes at once, the others late.
      const proxy = await startTcpProxy(port, { latencyMs: port === keyOwner ? 0 : 30 })
      scene.later(() => proxy.stop())
      proxies.set(`127.0.0.1:${port}`, proxy)
    }
    const nodes = ports.map((port) => `redis://127.0.0.1:${port}`)
    const mine = createCache({
      redis: {
        cluster: {
          nodes,
          nodeAddressMap: (address) => {
            const proxy = proxies.get(address)
            return proxy && { host: '127.0.0.1', port: proxy.port }
          },
        },
      },
      prefix: 'shop:',
      ttl: '5m',
      commandTimeout: '10s',
    })
    scene.later(() => mine.shutdown())
    await mine.initialize()
    const other = createCache({
      redis: { cluster: { nodes } },
      prefix: 'shop:',
      ttl: '5m',
      commandTimeout: '10s',
    })
    scene.later(() => other.shutdown())
    await other.initialize()
    for (let trial = 0; trial < trials(4, 20); trial++) {
      for (const [name, invalidate] of INVALIDATIONS) {
        await warm(mine)
        await invalidate(other)
        assert.equal(await mine.get('key', { local: false }), undefined, `${name}, trial ${trial}`)
      }
    }
  }, 120_000)
})
