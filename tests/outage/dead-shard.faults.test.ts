import { type Cache, createCache } from 'cachewright'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { Cluster } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'
import { trials } from '../support/trials.ts'

const KEYS = Array.from({ length: 150 }, (_, number) => `key:${number}`)
const TIMEOUT_MS = 250
/** The places of the masters that die in turn. */
const SHARDS = Array.from({ length: trials(1, 1, 3) }, (_, index) => index)
/** By then a lost connection has been noticed, and every local copy of before it has been dropped. */
const NOTICED_MS = 4_000

const scene = useScene({
  redis: false,
  // Without replicas nothing takes the place of a master, and the others go on serving their slots.
  cluster: { replicasPerMaster: 0, nodeTimeoutMs: 1_000, args: ['--cluster-require-full-coverage', 'no'] },
  caches: { prefix: 'p:', ttl: '10m', commandTimeout: TIMEOUT_MS / 1_000 },
})

const CLIENTS: readonly (readonly [name: string, open: () => Promise<Cache>])[] = [
  [
    'its own client',
    () =>
      scene.open({
        redis: { cluster: { nodes: scene.cluster.urls } },
      }),
  ],
  [
    "a caller's ioredis",
    async () => {
      const client = new Cluster(scene.cluster.nodes.map(({ host, port }) => ({ host, port })))
      client.on('error', () => {})
      scene.later(() => client.disconnect())
      const backend = new IoredisCacheBackend({ client, prefix: 'p:', commandTimeout: TIMEOUT_MS / 1_000 })
      const cache = createCache({ backend, ttl: '10m' })
      scene.later(() => cache.shutdown())
      await cache.initialize()
      return cache
    },
  ],
]

/** The keys by the port of the master that owns them. */
async function keysByMaster(prefix: string): Promise<Map<number, string[]>> {
  const owned = new Map<number, string[]>()
  for (const key of KEYS) {
    const master = await scene.cluster.masterOf(await scene.cluster.slotOf(prefix + key))
    owned.set(master, [...(owned.get(master) ?? []), key])
  }
  return owned
}

/** Asks for each key once; counts those that were loaded, and the milliseconds of the slowest call. */
async function asked(
  keys: readonly string[],
  ask: (key: string, loader: () => string) => Promise<unknown>,
): Promise<{ readonly loads: number; readonly slowestMs: number }> {
  let loads = 0
  let slowestMs = 0
  for (const key of keys) {
    const beganMs = performance.now()
    await ask(key, () => {
      loads++
      return 'loaded'
    })
    slowestMs = Math.max(slowestMs, performance.now() - beganMs)
  }
  return { loads, slowestMs }
}

describe.each(CLIENTS)('P48 a dead shard costs its own keys, with %s', (_name, open) => {
  test.each(SHARDS)(
    'whichever shard it is (%i), and whether it was killed or frozen',
    async (index) => {
      const ports = await scene.cluster.masters()
      const dead = ports[index] as number
      const node = scene.cluster.node(dead)
      const owned = await keysByMaster('p:')
      const healthy = ports.filter((port) => port !== dead).flatMap((port) => owned.get(port) ?? [])
      const lost = owned.get(dead) as string[]
      expect(Math.min(healthy.length, lost.length)).toBeGreaterThan(20)

      for (const fault of ['freeze', 'kill'] as const) {
        const cache = await open()
        const troubled = new Set<string | undefined>()
        cache.on('circuit', ({ endpoint }) => troubled.add(endpoint))
        const read = (one: Cache) => (key: string, loader: () => string) => one.getOrSet(key, loader)
        await asked(KEYS, read(cache))

        if (fault === 'freeze') node.pause()
        else await node.kill()
        await new Promise((resolve) => setTimeout(resolve, NOTICED_MS))
        // The first round drops what was read before the loss, and reads it anew.
        await asked(healthy, read(cache))
        expect(await asked(healthy, read(cache)), fault).toMatchObject({ loads: 0 })
        const fromRedis = (key: string) => cache.get(key, { local: false })
        expect(await Promise.all(healthy.map(fromRedis)), fault).not.toContain(undefined)
        expect(await cache.set(healthy[0] as string, 'new'), fault).toBe(true)
        expect(await cache.get(healthy[0] as string), fault).toBe('new')
        expect(await cache.delete(healthy[0] as string), fault).toBe(true)

        // Invalidations of lost keys wait for their shard, and block no others.
        expect(await cache.deleteMany([lost[0] as string, healthy[1] as string]), fault).toBe(0)
        expect(await cache.get(healthy[1] as string), fault).toBeUndefined()
        expect(await cache.invalidatePattern(`*${(healthy[2] as string).slice(-2)}`), fault).toBe(0)
        expect(await cache.get(healthy[2] as string), fault).toBeUndefined()
        expect(await asked(healthy.slice(3), fromRedis), fault).toMatchObject({ loads: 0 })
        expect(await cache.set(healthy[2] as string, 'kept'), fault).toBe(true)
        expect(await fromRedis(healthy[2] as string), fault).toBe('kept')

        // Lost keys are loaded, and soon without a wait for the dead node.
        await asked(lost, read(cache))
        const { loads, slowestMs } = await asked(lost, read(cache))
        expect(loads, fault).toBe(lost.length)
        expect(slowestMs, fault).toBeLessThan(4 * TIMEOUT_MS + 1_000)
        expect([...troubled], fault).toEqual([`127.0.0.1:${dead}`])
        expect(cache.circuit, fault).not.toBe('closed')

        // clear() cannot be acknowledged, but takes effect on all shards that answer.
        await cache.getOrSet(healthy[3] as string, () => 'loaded')
        expect(await cache.clear(), fault).toBe(false)
        expect(await fromRedis(healthy[3] as string), fault).toBeUndefined()
        await cache.getOrSet(healthy[3] as string, () => 'loaded again')
        expect(await fromRedis(healthy[3] as string), fault).toBe('loaded again')

        if (fault === 'freeze') node.resume()
        else await node.restart()
        await scene.cluster.whole(0)
        await waitUntil(
          async () => (await cache.set(lost[0] as string, 'back')) && cache.stats().undelivered === 0,
          {
            what: 'the shard to be used again',
            timeoutMs: 20_000,
          },
        )
        await cache.shutdown()
      }
    },
    120_000,
  )
})
