import { describe, expect, test } from 'vitest'
import { freePort } from '../../testbed/free-port.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, inMode, warmed } from '../support/cache-states.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({
  caches: { ...IMPATIENT, coherence: { trust: '1s' } },
  cluster: { replicasPerMaster: 0, nodeTimeoutMs: 3_000 },
})
const { cluster, redis } = scene

/** Makes it a replica of nobody: it answers, and is told of no change. */
async function demoted(): Promise<void> {
  await redis.ask('REPLICAOF', '127.0.0.1', await freePort({ withBus: false }))
  scene.later(promoted)
}

async function promoted(): Promise<void> {
  await redis.ask('REPLICAOF', 'NO', 'ONE')
}

describe('a server that has become a replica, though it still answers', () => {
  for (const mode of ['tracking', 'bus'] as const) {
    test(`keeps no local copy alive (mode ${mode})`, async () => {
      const cache = await scene.open({ coherence: { mode, trust: '1s' } })
      await inMode(cache, mode)
      await warmed(cache, 'key')
      await demoted()
      await dropped(cache, 'key')
      await promoted()
      await warmed(cache, 'key')
    })
  }

  test('is told the latest invalidations again once it is the primary again', async () => {
    const cache = await scene.open()
    await cache.getOrSet('other', () => 'kept')
    // The first answer of the server, by which a change is noticed.
    await warmed(cache, 'other')
    await cache.set('key', 'old')
    expect(await cache.delete('key')).toBe(true)
    await demoted()
    await promoted()
    await redis.ask('SET', 'p:key', '"brought back"')
    await waitUntil(async () => (await redis.ask('EXISTS', 'p:key')) === 0, { what: 'the delivery' })
  })
})

test('a node of a cluster that is cut off from the others keeps no local copy alive', async () => {
  const nodes = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)
  const cache = await scene.open({ redis: { cluster: { nodes } }, prefix: '{here}:' })
  const port = await cluster.masterOf(await cluster.slotOf('{here}'))
  await warmed(cache, 'key')
  let losses = 0
  cache.on('disconnect', () => losses++)
  await Promise.all(cluster.nodes.filter((node) => node.port !== port).map((node) => node.kill()))
  await waitUntil(() => losses === 2, { what: 'the other nodes to be missed' })
  // It does not know yet.
  await warmed(cache, 'key')
  await dropped(cache, 'key')
  expect(String(await cluster.ask(port, 'CLUSTER', 'INFO'))).toContain('cluster_state:fail')
  expect(await cluster.ask(port, 'TIME')).toHaveLength(2)
})
