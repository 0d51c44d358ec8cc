import { setTimeout as pause } from 'node:timers/promises'
import type { CreateCacheOptions } from 'cachewright'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { expect, test } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import type { RedisProcess } from '../../testbed/redis-process.ts'
import { type RedisSentinel, startSentinel } from '../../testbed/redis-sentinel.ts'
import { startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { trials } from '../support/trials.ts'
import { ChaosFleet, type MayBeLost } from './chaos-fleet.ts'

const LENGTH_MS = trials(6, 12, 60) * 1_000
const BOUND_MS = LENGTH_MS + 120_000
/** How long after a failover the processes may take to deliver their latest invalidations again. */
const REPEATED_WITHIN_MS = 8_000
/** Acknowledged changes this long before a failover may be lost with it. */
const LAG_MS = 2_000

/** What is done to the servers; it resolves when they are well again. */
type Disturbance = readonly [name: string, work: () => Promise<unknown>]

/** What is closed in the end, the latest first. */
type Closers = (() => unknown)[]

/** Two processes of each mode that the deployment offers. */
function fleets(
  modes: Readonly<Record<string, () => CreateCacheOptions>>,
  mayBeLost: MayBeLost,
): ChaosFleet[] {
  return Object.entries(modes).map(
    ([name, options]) => new ChaosFleet(name, [options(), options()], mayBeLost),
  )
}

type Lent = NonNullable<CreateCacheOptions['client']> & {
  on(event: 'error', listener: () => void): unknown
  disconnect(): void
}

/** The client is closed in the end. */
function lent(client: Lent, closers: Closers): CreateCacheOptions {
  client.on('error', () => {})
  closers.push(() => client.disconnect())
  return { client }
}

/** Lets the fleets run while one disturbance after another is made, and expects no read that is older than it may be. */
async function expectNoStaleReads(
  all: readonly ChaosFleet[],
  disturbances: readonly Disturbance[],
  log: { name: string; beganMs: number; endedMs: number }[],
): Promise<void> {
  const running = Promise.all(all.map((fleet) => fleet.run()))
  running.catch(() => {})
  const endMs = performance.now() + LENGTH_MS
  await pause(500)
  for (let next = 0; performance.now() < endMs || next === 0; next++) {
    const [name, work] = disturbances[next % disturbances.length] as Disturbance
    const entry = { name, beganMs: performance.now(), endedMs: Number.POSITIVE_INFINITY }
    log.push(entry)
    await work()
    entry.endedMs = performance.now()
    // Long enough for circuits to close again, so that changes are acknowledged between two disturbances.
    await pause(800 + Math.random() * 900)
  }
  for (const fleet of all) fleet.end()
  await running
  const isBad = all.some(({ wrong }) => wrong.length > 0)
  const told = log.map(
    ({ name, beganMs, endedMs }) => `${name} ${Math.round(beganMs)}–${Math.round(endedMs)}`,
  )
  if (isBad || process.env.CACHEWRIGHT_TRIALS === 'full') console.log(`${all.join('\n')}\n${told.join(', ')}`)
  await Promise.all(all.map((fleet) => fleet.settle()))
  for (const { counts, name, wrong } of all) {
    expect([name, wrong.slice(0, 10), wrong.length]).toEqual([name, [], 0])
    expect(counts.reads).toBeGreaterThan(counts.loads)
    // Otherwise there was nothing that a read could have been older than.
    expect(counts.changes - counts.unacknowledged).toBeGreaterThan(counts.changes / 10)
  }
}

/** A failover forgets what had not reached the replica, until the processes have delivered it again. */
function lostWith(log: readonly { beganMs: number; endedMs: number }[]): MayBeLost {
  return (acknowledgedAtMs, readAtMs) =>
    log.some(
      ({ beganMs, endedMs }) =>
        acknowledgedAtMs > beganMs - LAG_MS &&
        acknowledgedAtMs < endedMs &&
        readAtMs > beganMs &&
        readAtMs < endedMs + REPEATED_WITHIN_MS,
    )
}

async function closeAll(closers: Closers): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close()
}

test(
  'chaos on a single server: no read is older than it may be',
  async () => {
    const closers: Closers = []
    try {
      const redis = await startStandalone()
      closers.push(() => redis.stop())
      const proxy = await startTcpProxy(redis.port)
      closers.push(() => proxy.stop())
      const all = fleets(
        {
          tracking: () => ({ redis: proxy.url, coherence: { mode: 'tracking' } }),
          'bus-5': () => lent(new Redis5(proxy.url), closers),
          'bus-6': () => lent(new Redis(proxy.url), closers),
          ttl: () => ({ redis: proxy.url, coherence: { mode: 'ttl' } }),
        },
        () => false,
      )
      closers.push(() => Promise.all(all.map((fleet) => fleet.close())))
      await expectNoStaleReads(
        all,
        [
          ['cut', async () => proxy.cut()],
          ['flush', () => redis.ask('FLUSHALL')],
          ['freeze', () => frozen(redis.process, 1_500)],
          ['kill', () => redis.kill().then(() => redis.restart())],
          [
            'silence',
            async () => {
              proxy.goSilent()
              await pause(1_500)
              proxy.healForNewConnections()
              proxy.cut()
            },
          ],
        ],
        [],
      )
    } finally {
      await closeAll(closers)
    }
  },
  BOUND_MS,
)

test(
  'chaos on a cluster: no read is older than it may be',
  async () => {
    const closers: Closers = []
    try {
      const cluster = await startCluster({ nodeTimeoutMs: 1_000 })
      closers.push(() => cluster.stop())
      const nodes = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)
      const addresses = cluster.nodes.map(({ host, port }) => ({ host, port }))
      const log: { name: string; beganMs: number; endedMs: number }[] = []
      const all = fleets(
        {
          tracking: () => ({ redis: { cluster: { nodes } }, coherence: { mode: 'tracking' } }),
          'bus-5': () => lent(new Cluster5(addresses), closers),
          'bus-6': () => lent(new Cluster(addresses), closers),
          ttl: () => ({ redis: { cluster: { nodes } }, coherence: { mode: 'ttl' } }),
        },
        lostWith(log),
      )
      closers.push(() => Promise.all(all.map((fleet) => fleet.close())))
      await expectNoStaleReads(
        all,
        [
          ['slots', () => moveSlots(cluster)],
          ['graceful failover', () => handOver(cluster)],
          ['hard failover', () => crash(cluster)],
        ],
        log,
      )
    } finally {
      await closeAll(closers)
    }
  },
  BOUND_MS,
)

test(
  'chaos behind Sentinel: no read is older than it may be',
  async () => {
    const closers: Closers = []
    try {
      const sentinel = await startSentinel()
      closers.push(() => sentinel.stop())
      const nodes = sentinel.urls
      const redis = { sentinel: { name: sentinel.name, nodes } }
      const log: { name: string; beganMs: number; endedMs: number }[] = []
      const all = fleets(
        {
          tracking: () => ({ redis, coherence: { mode: 'tracking' } }),
          bus: () => ({ redis, coherence: { mode: 'bus' } }),
          ttl: () => ({ redis, coherence: { mode: 'ttl' } }),
        },
        lostWith(log),
      )
      closers.push(() => Promise.all(all.map((fleet) => fleet.close())))
      await expectNoStaleReads(
        all,
        [
          ['failover', () => sentinel.failover()],
          ['freeze', () => freezePrimary(sentinel)],
        ],
        log,
      )
    } finally {
      await closeAll(closers)
    }
  },
  BOUND_MS,
)

async function frozen(server: RedisProcess, ms: number): Promise<void> {
  server.pause()
  await pause(ms)
  server.resume()
}

/** The primary falls silent, is replaced, and comes back as a replica. */
async function freezePrimary(sentinel: RedisSentinel): Promise<void> {
  const before = await sentinel.current()
  const next = before === sentinel.primary ? sentinel.replica : sentinel.primary
  before.pause()
  try {
    await waitUntil(async () => (await sentinel.current()) === next, {
      what: 'a failover',
      timeoutMs: 30_000,
    })
  } finally {
    before.resume()
  }
  await sentinel.settled()
}

async function moveSlots(cluster: RedisCluster): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const slot = await cluster.slotOf(`tracking:key:${round}`)
    const from = await cluster.masterOf(slot)
    const to = (await cluster.masters()).find((other) => other !== from) as number
    await cluster.beginMigration(slot, from, to)
    await cluster.finishMigration(slot, from, to)
  }
}

async function handOver(cluster: RedisCluster): Promise<void> {
  const [master] = (await cluster.masters()) as [number]
  const replica = await cluster.replicaOf(master)
  await cluster.ask(replica, 'CLUSTER', 'FAILOVER')
  await waitUntil(async () => (await cluster.masters()).includes(replica), { what: 'the failover' })
  await cluster.whole(1)
}

async function crash(cluster: RedisCluster): Promise<void> {
  const [, master] = (await cluster.masters()) as [number, number]
  const replica = await cluster.replicaOf(master)
  await cluster.node(master).kill()
  await waitUntil(async () => (await cluster.masters()).includes(replica), {
    what: 'the failover',
    timeoutMs: 30_000,
  })
  await cluster.node(master).restart()
  await cluster.whole(1)
}
