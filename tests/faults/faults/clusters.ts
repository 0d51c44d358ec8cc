import { setTimeout as pause } from 'node:timers/promises'
import type { RedisCluster } from '../../../testbed/redis-cluster.ts'
import { waitUntil } from '../../../testbed/wait-until.ts'
import {
  type Clustered,
  startAllOrNothing,
  startClustered,
  startWithoutReplicas,
} from '../deployments/clustered.ts'
import { KEYS, keyOf, MODES, PROBES, prefixOf, probeOf } from '../traffic/setting.ts'
import { type Fault, faultsOf } from '../trial/fault.ts'

const FAILOVER_WITHIN_MS = 40_000

const WITH_REPLICAS = faultsOf<Clustered>(startClustered, [
  {
    name: 'Cluster: slots migrate, one after another',
    seconds: [4, 30],
    strike: async ({ cluster }) => {
      let isOver = false
      const migrating = migrateUntil(cluster, () => isOver)
      return () => {
        isOver = true
        return migrating
      }
    },
  },
  {
    name: 'Cluster: half of each slot has moved (ASK, TRYAGAIN)',
    seconds: [3, 20],
    strike: async ({ cluster }) => {
      const moves: { slot: number; from: number; to: number }[] = []
      for (const slot of await slotsOfKeys(cluster)) {
        const from = await cluster.masterOf(slot)
        const to = await otherMaster(cluster, from)
        await cluster.beginMigration(slot, from, to)
        const keys = (await cluster.ask(from, 'CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[]
        await cluster.moveKeys(slot, from, to, keys.slice(0, Math.ceil(keys.length / 2)))
        moves.push({ slot, from, to })
      }
      return async () => {
        for (const { slot, from, to } of moves) await cluster.finishMigration(slot, from, to)
      }
    },
  },
  {
    name: 'Cluster: graceful failover (CLUSTER FAILOVER)',
    seconds: [1, 10],
    mayLose: true,
    strike: async ({ cluster }) => {
      const [master] = (await cluster.masters()) as [number]
      await handOver(cluster, await cluster.replicaOf(master))
      return async () => {}
    },
  },
  {
    name: 'Cluster: failover there and back',
    seconds: [2, 10],
    mayLose: true,
    strike: async ({ cluster }) => {
      const [master] = (await cluster.masters()) as [number]
      await handOver(cluster, await cluster.replicaOf(master))
      await cluster.whole(1)
      return () => handOver(cluster, master)
    },
  },
  {
    name: 'Cluster: a master dies, its replica takes over',
    seconds: [0, 10],
    mayLose: true,
    strike: async ({ cluster }) => {
      const [master] = (await cluster.masters()) as [number]
      const replica = await cluster.replicaOf(master)
      await cluster.node(master).kill()
      return () => hasTakenOver(cluster, replica)
    },
  },
  {
    name: 'Cluster: a master is stopped, replaced, and continued',
    seconds: [0, 10],
    mayLose: true,
    strike: async ({ cluster }) => {
      const [master] = (await cluster.masters()) as [number]
      const replica = await cluster.replicaOf(master)
      cluster.node(master).pause()
      return async () => {
        await hasTakenOver(cluster, replica)
        cluster.node(master).resume()
      }
    },
  },
])

const WITHOUT_REPLICAS = faultsOf<Clustered>(startWithoutReplicas, [
  deadShard('Cluster: a shard dies, the others work', (cluster, port) => cluster.node(port).kill()),
  deadShard('Cluster: a shard is stopped, the others work', async (cluster, port) =>
    cluster.node(port).pause(),
  ),
])

const ALL_OR_NOTHING = faultsOf<Clustered>(startAllOrNothing, [
  {
    name: 'Cluster: a shard dies, and nothing is served (CLUSTERDOWN)',
    seconds: [4, 60],
    strike: async ({ cluster }) => {
      const [master] = (await cluster.masters()) as [number]
      await cluster.node(master).kill()
      return async () => {
        await cluster.node(master).restart()
        await cluster.whole(0)
      }
    },
  },
])

/** What happens to a cluster. */
export const CLUSTERS: readonly Fault[] = [...WITH_REPLICAS, ...WITHOUT_REPLICAS, ...ALL_OR_NOTHING]

/** The shard is the one that holds the generation of the first mode's namespace; every cache loses some of its keys. */
function deadShard(
  name: string,
  end: (cluster: RedisCluster, port: number) => Promise<unknown>,
): Omit<Fault<Clustered>, 'deploy'> {
  let healthyKeys = new Set<string>()
  return {
    name,
    seconds: [4, 60],
    strike: async ({ cluster }) => {
      const generation = `${prefixOf('tracking')}\0namespace`
      const dead = await cluster.masterOf(await cluster.slotOf(generation))
      healthyKeys = await probesElsewhere(cluster, dead)
      await end(cluster, dead)
      return async () => {
        cluster.node(dead).resume()
        if (cluster.node(dead).pid === undefined) await cluster.node(dead).restart()
        await cluster.whole(0)
      }
    },
    healthy: async () => (storedKey) => healthyKeys.has(storedKey),
  }
}

async function probesElsewhere(cluster: RedisCluster, dead: number): Promise<Set<string>> {
  const keys = MODES.flatMap((mode) =>
    Array.from({ length: PROBES }, (_, number) => prefixOf(mode) + probeOf(number)),
  )
  const masters = await Promise.all(keys.map(async (key) => cluster.masterOf(await cluster.slotOf(key))))
  return new Set(keys.filter((_, index) => masters[index] !== dead))
}

async function migrateUntil(cluster: RedisCluster, isOver: () => boolean): Promise<void> {
  const slots = await slotsOfKeys(cluster)
  for (let next = 0; !isOver(); next++) {
    const slot = slots[next % slots.length] as number
    const from = await cluster.masterOf(slot)
    const to = await otherMaster(cluster, from)
    await cluster.beginMigration(slot, from, to)
    await pause(50)
    await cluster.finishMigration(slot, from, to)
  }
}

/** The slots of some keys of each mode. */
async function slotsOfKeys(cluster: RedisCluster): Promise<number[]> {
  const numbers = Array.from({ length: 4 }, (_, index) => Math.floor((index * KEYS) / 4))
  const keys = MODES.flatMap((mode) => numbers.map((number) => prefixOf(mode) + keyOf(number)))
  return [...new Set(await Promise.all(keys.map((key) => cluster.slotOf(key))))]
}

async function otherMaster(cluster: RedisCluster, master: number): Promise<number> {
  return (await cluster.masters()).find((other) => other !== master) as number
}

async function handOver(cluster: RedisCluster, replica: number): Promise<void> {
  await cluster.ask(replica, 'CLUSTER', 'FAILOVER')
  await hasTakenOver(cluster, replica)
}

async function hasTakenOver(cluster: RedisCluster, replica: number): Promise<void> {
  await waitUntil(async () => (await cluster.masters()).includes(replica), {
    what: 'the failover',
    timeoutMs: FAILOVER_WITHIN_MS,
  })
}
