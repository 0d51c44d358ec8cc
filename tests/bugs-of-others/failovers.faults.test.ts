import { expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, warmed } from '../support/cache-states.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ redis: false, cluster: { nodeTimeoutMs: 1_000 }, flush: false, caches: IMPATIENT })

// redisson/redisson#4653 and #4731
test('news of changes arrives after a shard of a cluster has failed over', async () => {
  const { cluster } = scene
  const nodes = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)
  const [mine, other] = [
    await scene.open({ redis: { cluster: { nodes } } }),
    await scene.open({ redis: { cluster: { nodes } } }),
  ]
  const slot = await cluster.slotOf('{shard}')
  const keys = Array.from({ length: 20 }, (_, number) => `{shard}:${number}`)
  for (const key of keys) await warmed(mine, key, () => 'old')
  const primary = cluster.node(await cluster.masterOf(slot))
  const replica = cluster.node(await cluster.replicaOf(primary.port))
  await replica.ask('CLUSTER', 'FAILOVER')
  await waitUntil(async () => (await cluster.masterOf(slot)) === replica.port, { what: 'the failover' })
  // As a replica, it would still tell of the changes of what was read from it.
  await primary.kill()
  for (const round of [1, 2]) {
    for (const key of keys) {
      await waitUntil(() => other.set(key, `changed ${round}`), { what: 'the new primary to be written to' })
    }
    for (const key of keys) {
      await waitUntil(async () => (await mine.get(key)) === `changed ${round}`, { what: 'the new value' })
    }
    // What is kept from here on is tracked by the new primary.
    for (const key of keys) await warmed(mine, key)
  }
  expect(await other.delete(keys[0] as string)).toBe(true)
  await dropped(mine, keys[0] as string)
})
