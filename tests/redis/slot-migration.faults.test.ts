import { IoredisCacheBackend } from 'cachewright/ioredis'
import { RedisCacheBackend } from 'cachewright/redis'
import { Cluster } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RedisCluster, startCluster } from '../../testbed/redis-cluster.ts'
import { listedKeys } from '../support/listed-keys.ts'

type Backend = IoredisCacheBackend<number> | RedisCacheBackend<number>

const TAG = '{moving}'
/** In one slot, of which half the keys are moved. */
const MOVING = Array.from({ length: 20 }, (_, number) => `${TAG}:${number}`)
const ELSEWHERE = Array.from({ length: 60 }, (_, number) => `other:${number}`)
/** The two kinds in turn. */
const KEYS = ELSEWHERE.flatMap((key, index) =>
  index < MOVING.length ? [key, MOVING[index] as string] : [key],
)

let cluster: RedisCluster
let slot: number
let from: number
let to: number
const closers: (() => unknown)[] = []

beforeAll(async () => {
  cluster = await startCluster({ replicasPerMaster: 0 })
  slot = await cluster.slotOf(TAG)
})
beforeEach(async () => {
  const masters = await cluster.masters()
  for (const port of masters) await cluster.ask(port, 'FLUSHALL')
  from = await cluster.masterOf(slot)
  to = masters.find((port) => port !== from) as number
})
afterEach(async () => {
  await cluster.finishMigration(slot, from, to)
  for (const close of closers.splice(0)) await close()
})
afterAll(() => cluster.stop())

const CLIENTS: readonly (readonly [name: string, create: (prefix: string) => Backend])[] = [
  [
    '@redis/client',
    (prefix) =>
      new RedisCacheBackend({
        prefix,
        cluster: { nodes: cluster.urls },
      }),
  ],
  ['ioredis 6', (prefix) => overIoredis(prefix, new Cluster(places()))],
  ['ioredis 5', (prefix) => overIoredis(prefix, new Cluster5(places()))],
]

const places = () => cluster.nodes.map(({ host, port }) => ({ host, port }))

function overIoredis(prefix: string, client: Cluster | Cluster5): Backend {
  closers.push(() => client.disconnect())
  return new IoredisCacheBackend<number>({ prefix, client })
}

for (const [name, create] of CLIENTS) {
  describe(`P29 getMany keeps order and survives cross-slot keys and TRYAGAIN, with ${name}`, () => {
    /** A backend whose keys lie half here and half there. */
    async function inMigration(): Promise<Backend> {
      const backend = create('p:')
      closers.unshift(() => backend.shutdown())
      await backend.initialize()
      expect(await backend.setMany(KEYS.map((key, index) => [key, index] as const))).toBe(true)
      expect(await backend.incr(`${TAG}:count:0`, 5)).toBe(5)
      expect(await backend.incr(`${TAG}:count:1`, 7)).toBe(7)
      await cluster.beginMigration(slot, from, to)
      const moved = [...MOVING.filter((_, index) => index % 2 === 0), `${TAG}:count:0`].map(
        (key) => `p:${key}`,
      )
      await cluster.moveKeys(slot, from, to, moved)
      return backend
    }

    const expected = new Map<string, number | undefined>(KEYS.map((key, index) => [key, index]))

    test('half moved, and after the slot has moved', async () => {
      const backend = await inMigration()
      const asked = [...KEYS, `${TAG}:none`, 'none']
      const whole = new Map([...expected, [`${TAG}:none`, undefined], ['none', undefined]])
      const halfMoved = await backend.getMany(asked)
      expect([...halfMoved]).toEqual([...whole])
      expect(await Promise.all(KEYS.map((key) => backend.get(key)))).toEqual(KEYS.map((_, index) => index))
      await cluster.finishMigration(slot, from, to)
      expect([...(await backend.getMany(asked))]).toEqual([...whole])
      expect(await Promise.all(KEYS.map((key) => backend.get(key)))).toEqual(KEYS.map((_, index) => index))
    })

    test('counters of one tick are counted on either node, each once', async () => {
      const backend = await inMigration()
      const keys = [0, 1, 2, 0, 3, 1].map((number) => `${TAG}:count:${number}`)
      const counts = await Promise.all(keys.map((key) => backend.incr(key, 1, { ttl: '1h' })))
      expect(counts.toSorted((a, b) => a - b)).toEqual([1, 1, 6, 7, 8, 9])
      await cluster.finishMigration(slot, from, to)
      const found = await backend.getMany(keys)
      expect([...found.values()]).toEqual([7, 9, 1, 1])
      for (const key of keys.slice(2, 3)) expect(await backend.getTtl(key)).toBeLessThanOrEqual(3_600)
    })

    test('writes, counters and deletions reach the key on either node', async () => {
      const backend = await inMigration()
      expect(await backend.incr(`${TAG}:count:0`)).toBe(6)
      expect(await backend.incr(`${TAG}:count:1`)).toBe(8)
      expect(await backend.incr(`${TAG}:count:2`, 1, { default: 1 })).toBe(2)
      expect(await backend.addManyToSet(`${TAG}:set`, ['a', 'b'])).toBe(2)
      expect((await backend.getSetMembers(`${TAG}:set`)).sort()).toEqual(['a', 'b'])
      expect(await backend.setMany(KEYS.map((key) => [key, -1] as const))).toBe(true)
      expect(new Set((await backend.getMany(KEYS)).values())).toEqual(new Set([-1]))
      expect(await backend.exists(MOVING[0] as string)).toBe(true)
      expect(await backend.deleteMany([...KEYS, 'none'])).toBe(KEYS.length)
      await cluster.finishMigration(slot, from, to)
      expect(await backend.incr(`${TAG}:count:0`)).toBe(7)
      expect(await backend.incr(`${TAG}:count:1`)).toBe(9)
      expect(await backend.incr(`${TAG}:count:2`)).toBe(3)
    })

    test('the operations on one key reach it on either node', async () => {
      const backend = await inMigration()
      for (const [index, key] of MOVING.slice(0, 4).entries()) {
        const value = KEYS.indexOf(key)
        expect(await backend.setIfAbsent(key, -1), `${index}`).toBe(false)
        expect(await backend.touch(key, '1m')).toBe(true)
        expect(await backend.getAndDelete(key)).toBe(value)
        expect(await backend.setIfAbsent(key, value, '1m')).toBe(true)
        expect(await backend.persist(key)).toBe(true)
      }
      const asked = [...KEYS, `${TAG}:none`]
      const present = await backend.existsMany(asked)
      expect([...present]).toEqual(asked.map((key) => [key, key !== `${TAG}:none`]))
      const ttls = await backend.getTtlMany(asked)
      expect([...ttls.keys()]).toEqual(asked)
      expect(ttls.get(MOVING[0] as string)).toBe(Number.POSITIVE_INFINITY)
      expect(ttls.get(MOVING[5] as string)).toBeGreaterThan(0)
      expect(ttls.get(`${TAG}:none`)).toBeUndefined()
    })

    test('keys() lists every key on both nodes once', async () => {
      const backend = await inMigration()
      const all = [...KEYS, `${TAG}:count:0`, `${TAG}:count:1`].toSorted()
      expect((await listedKeys(backend)).toSorted()).toEqual(all)
      expect(await listedKeys(backend, `${TAG}:1?`)).toHaveLength(10)
      await cluster.finishMigration(slot, from, to)
      expect((await listedKeys(backend)).toSorted()).toEqual(all)
    })

    test('keys() lists keys that move to another node while it runs', async () => {
      const backend = create('p:')
      closers.unshift(() => backend.shutdown())
      await backend.initialize()
      await backend.setMany(Array.from({ length: 8_000 }, (_, index) => [`filler:${index}`, 0] as const))
      await backend.setMany(MOVING.map((key, index) => [key, index] as const))
      for (const _ of [1, 2]) {
        ;[from, to] = [await cluster.masterOf(slot), from === (await cluster.masterOf(slot)) ? to : from]
        await cluster.beginMigration(slot, from, to)
        const listed: string[] = []
        for await (const key of backend.keys()) {
          if (listed.push(key) === 1) await cluster.moveKeys(slot, from, to)
        }
        expect(listed).toHaveLength(8_000 + MOVING.length)
        expect(listed).toEqual(expect.arrayContaining(MOVING))
        expect(new Set(listed).size).toBe(listed.length)
        await cluster.finishMigration(slot, from, to)
      }
    })

    test('clear() and invalidatePattern() remove every key on both nodes', async () => {
      const backend = await inMigration()
      expect(await backend.invalidatePattern(`${TAG}:1*`)).toBe(11)
      expect(await backend.clear()).toBe(true)
      for (const port of await cluster.masters()) expect(await cluster.ask(port, 'KEYS', 'p:*')).toEqual([])
    })

    test('clear() removes keys that move to another node while it runs', async () => {
      const backend = create('p:')
      closers.unshift(() => backend.shutdown())
      await backend.initialize()
      for (const order of [1, -1]) {
        ;[from, to] = [await cluster.masterOf(slot), from === (await cluster.masterOf(slot)) ? to : from]
        await backend.setMany(
          Array.from({ length: 8_000 }, (_, index) => [`filler:${index}`, order] as const),
        )
        await backend.setMany(MOVING.map((key, index) => [key, index] as const))
        await cluster.beginMigration(slot, from, to)
        let moving: Promise<void> | undefined
        const onProgress = () => {
          moving ??= cluster.moveKeys(slot, from, to)
        }
        expect(await backend.clear({ onProgress })).toBe(true)
        await moving
        await cluster.finishMigration(slot, from, to)
        for (const port of await cluster.masters()) expect(await cluster.ask(port, 'KEYS', 'p:*')).toEqual([])
      }
    })
  })
}
