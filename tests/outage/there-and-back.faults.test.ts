import type { Cache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import type { RedisProcess } from '../../testbed/redis-process.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({
  redis: false,
  sentinel: { downAfterMs: 1_000 },
  cluster: { nodeTimeoutMs: 1_000 },
  flush: false,
  caches: IMPATIENT,
})

/** In one hash slot, which one shard owns. */
const KEYS = Array.from({ length: 100 }, (_, number) => `{shard}:${number}`)
const STORED_KEYS = KEYS.map((key) => `p:${key}`)

/** Loads all keys, and resolves when the replica has them. */
async function filled(cache: Cache, replica: RedisProcess): Promise<void> {
  await waitUntil(
    async () => {
      for (const key of KEYS) await cache.getOrSet(key, () => 'old')
      return ((await replica.ask('DBSIZE')) as number) >= KEYS.length
    },
    { what: 'the replica to have every key' },
  )
}

/** Deletes all keys at a primary whose replica does not hear of it; then the primary is gone. */
async function deletedUnheard(cache: Cache, primary: RedisProcess, replica: RedisProcess): Promise<void> {
  replica.pause()
  scene.later(() => replica.resume())
  await primary.ask('CLIENT', 'KILL', 'TYPE', 'replica')
  expect(await Promise.all(KEYS.map((key) => cache.delete(key)))).toEqual(KEYS.map(() => true))
  await primary.kill()
  scene.later(() => primary.restart())
  replica.resume()
}

async function expectDeleted(cache: Cache, primary: RedisProcess): Promise<void> {
  await waitUntil(() => cache.set('{shard}:other', 'written'), { what: 'the primary to be written to' })
  expect(await primary.ask('EXISTS', 'p:{shard}:other')).toBe(1)
  const values = await Promise.all(KEYS.map((key) => cache.get(key)))
  expect(values.filter((value) => value !== undefined)).toEqual([])
  expect(await primary.ask('EXISTS', ...STORED_KEYS)).toBe(0)
}

describe('P39 the latest invalidations are delivered again after a failover back to a server met before', () => {
  test('behind Sentinel', async () => {
    const { name, urls, primary: first, replica: second } = scene.sentinel
    const cache = await scene.open({ redis: { sentinel: { name, nodes: urls } } })
    await cache.set('{shard}:other', 'written')
    expect(await scene.sentinel.failover()).toBe(second)
    await waitUntil(
      async () =>
        (await cache.set('{shard}:other', 1)) && (await second.ask('EXISTS', 'p:{shard}:other')) === 1,
      { what: 'the second server to be written to' },
    )
    await filled(cache, first)
    await deletedUnheard(cache, second, first)
    await waitUntil(async () => (await scene.sentinel.current()) === first, { what: 'the failover back' })
    await expectDeleted(cache, first)
  }, 90_000)

  test('of a shard of a cluster', async () => {
    const { cluster } = scene
    const nodes = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)
    const cache = await scene.open({ redis: { cluster: { nodes } } })
    await cache.set('{shard}:other', 'written')
    const slot = await cluster.slotOf('{shard}')
    const first = cluster.node(await cluster.masterOf(slot))
    const second = cluster.node(await cluster.replicaOf(first.port))
    const movedTo = (node: RedisProcess) =>
      waitUntil(async () => (await cluster.masterOf(slot)) === node.port, { what: 'the failover' })
    await second.ask('CLUSTER', 'FAILOVER')
    await movedTo(second)
    await cluster.whole(1)
    await filled(cache, first)
    await deletedUnheard(cache, second, first)
    await waitUntil(async () => (await first.ask('CLUSTER', 'FAILOVER', 'TAKEOVER')) === 'OK', {
      what: 'the takeover',
    })
    await expectDeleted(cache, first)
  }, 90_000)
})
