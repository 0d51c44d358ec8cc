import type { Cache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import type { Standalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { NAMESPACE_KEY } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ cluster: { replicasPerMaster: 0 }, caches: IMPATIENT })
const { redis, cluster } = scene

/** Clears, and resolves with what the reclaim in the background has removed. */
async function cleared(cache: Cache, meanwhile: () => Promise<unknown> = async () => {}): Promise<number> {
  const reclaimed: unknown[] = []
  cache.on('invalidate', ({ removed }) => reclaimed.push(removed))
  expect(await cache.clear()).toBe(true)
  await meanwhile()
  await waitUntil(() => reclaimed.length > 0, { what: 'the reclaim' })
  return reclaimed[0] as number
}

/** One entry first, so that the others find the generation known. */
async function fill(cache: Cache, name: string, count: number): Promise<void> {
  await cache.set(`${name}:0`, 0)
  const entries = Array.from({ length: count }, (_, number) => [`${name}:${number}`, number] as const)
  expect(await cache.setMany(entries)).toBe(true)
}

const keysIn = async (server: { ask: Standalone['ask'] }) =>
  ((await server.ask('KEYS', '*')) as string[]).sort()

test('P31 clear() invalidates any number of entries, and removes them in the background', async () => {
  const cache = scene.cache({ commandTimeout: '5s' })
  await fill(cache, 'key', 3_000)
  const other = scene.cache()
  expect(await other.get('key:1')).toBe(1)
  await redis.ask('CONFIG', 'RESETSTAT')
  const removed = await cleared(cache, async () => {
    expect(await cache.get('key:0')).toBeUndefined()
    expect(await cache.get('key:2999')).toBeUndefined()
    await waitUntil(() => other.peek('key:1') === undefined, { what: 'the push' })
    expect(await other.get('key:1')).toBeUndefined()
  })
  expect(removed).toBe(3_000)
  expect(String(await redis.ask('INFO', 'commandstats'))).not.toMatch(/cmdstat_(flush|keys)/)
  expect(await keysIn(redis)).toEqual([`p:${NAMESPACE_KEY}`])
})

test('P31 the reclaim removes older keys of every kind, and nothing else', async () => {
  const cache = scene.cache()
  await cache.getOrSet('entry', () => 1, { tags: ['t'] })
  await cache.set('written', 2)
  await cache.plain.set('plain', 3)
  await cache.counters.incr('counter')
  await cache.sets.addToSet('set', 'member')
  await redis.ask('HSET', 'p:hash', 'field', 1)
  await redis.ask('SET', 'p:foreign', 'not json')
  for (const key of ['p', 'q:entry', 'P:entry', 'p;entry', 'xp:entry']) await redis.ask('SET', key, '1')
  expect(await cleared(cache)).toBe(7)
  expect(await keysIn(redis)).toEqual(
    ['P:entry', 'p', `p:${NAMESPACE_KEY}`, 'p:\0tag:t', 'p;entry', 'q:entry', 'xp:entry'].sort(),
  )
})

test('P31 an entry written after clear() stays while the reclaim runs', async () => {
  const cache = scene.cache({ commandTimeout: '5s' })
  await fill(cache, 'old', 5_000)
  const keys = Array.from({ length: 300 }, (_, number) => `new:${number}`)
  const source = new Source('new')
  await cleared(cache, async () => {
    for (const [number, key] of keys.entries()) {
      if (number % 2 === 0) await cache.set(key, 'new')
      else await cache.getOrSet(key, source.load, { tags: ['t'] })
    }
  })
  const found = await cache.getMany(keys)
  expect([...found.values()].filter((value) => value === 'new')).toHaveLength(300)
  const afresh = scene.cache()
  expect([...(await afresh.getMany(keys)).values()].filter((value) => value === 'new')).toHaveLength(300)
  expect(await redis.ask('KEYS', 'p:old:*')).toEqual([])
})

test('P31 a load that began before clear() is not stored after it', async () => {
  const cache = scene.cache()
  const other = scene.cache()
  let finish = (_value: string) => {}
  const loading = cache.getOrSet('key', () => new Promise<string>((resolve) => (finish = resolve)))
  await waitUntil(async () => (await redis.ask('EXISTS', 'p:key')) === 1, { what: 'the lease' })
  await other.clear()
  finish('old')
  expect(await loading).toBe('old')
  expect(await cache.get('key', { local: false })).toBeUndefined()
  expect(await other.get('key')).toBeUndefined()
})

test('P31 a namespace is cleared by its own clear() and by that of its parents', async () => {
  const root = scene.cache()
  const [left, right] = [root.namespace('left'), root.namespace('right')]
  const all = [root, left, left.namespace('in'), right]
  const fillAll = () => Promise.all(all.map((cache) => cache.set('key', 1)))
  const found = () => Promise.all(all.map((cache) => cache.get('key')))
  await fillAll()
  await left.clear()
  expect(await found()).toEqual([1, undefined, undefined, 1])
  await fillAll()
  await root.clear()
  expect(await found()).toEqual([undefined, undefined, undefined, undefined])
})

test('P31 shutdown() stops a reclaim', async () => {
  const cache = scene.cache({ commandTimeout: '5s' })
  await fill(cache, 'old', 5_000)
  const errors: unknown[] = []
  cache.on('error', (error) => errors.push(error))
  await cache.clear()
  await cache.shutdown()
  expect(errors).toEqual([])
})

test('P31 clear() on a cluster reaches every node', async () => {
  const nodes = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)
  const cache = scene.cache({ redis: { cluster: { nodes } }, commandTimeout: '5s' })
  await fill(cache, 'key', 300)
  await cache.counters.incr('counter')
  expect(await cleared(cache)).toBe(301)
  const left = (await Promise.all(cluster.nodes.map(keysIn))).flat()
  // Only the generation of the cache is left, in all of its copies.
  expect(left.filter((key) => !key.startsWith(`p:${NAMESPACE_KEY}`))).toEqual([])
  expect(left).toHaveLength(65)
})

describe('P31 clear()', () => {
  test('leaves the generations of nested namespaces, and entries written there afterwards', async () => {
    const cache = scene.cache()
    const space = cache.namespace('space')
    await space.set('old', 1)
    const reclaimed = new Promise((resolve) => cache.on('invalidate', resolve))
    await cache.clear()
    await space.set('new', 2)
    await reclaimed
    expect(await space.get('new', { local: false })).toBe(2)
  })
})
