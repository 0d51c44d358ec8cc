import type { Cache, Namespace } from 'cachewright'
import { createCache } from 'cachewright'
import { SimulatedRedis } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { NAMESPACE_KEY } from '../support/cache-states.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ cluster: { replicasPerMaster: 0 }, caches: { ...IMPATIENT, commandTimeout: '10s' } })
const { redis, cluster } = scene

/** Keys of another program, which a walk through the database takes some time to pass. */
async function fillDatabase(prefix: string, count: number): Promise<void> {
  const fill = "for at = 1, ARGV[2] do redis.call('SET', ARGV[1] .. at, 'x') end"
  await redis.ask('EVAL', fill, 0, prefix, count)
}

const KINDS = ['counter', 'set', 'plain', 'entry', 'loaded'] as const

async function writeEveryKind(cache: Namespace, version: string): Promise<void> {
  await cache.counters.incr('counter', 7)
  await cache.sets.addToSet('set', version)
  await cache.plain.set('plain', version)
  await cache.set('entry', version)
  await cache.getOrSet('loaded', () => version)
}

async function readEveryKind(cache: Namespace): Promise<Record<(typeof KINDS)[number], unknown>> {
  return {
    counter: await cache.plain.get('counter'),
    set: await cache.sets.getSetMembers('set'),
    plain: await cache.plain.get('plain'),
    entry: await cache.get('entry', { local: false }),
    loaded: await cache.get('loaded', { local: false }),
  }
}

const CLEARED = { counter: undefined, set: [], plain: undefined, entry: undefined, loaded: undefined }
const NEW = { counter: 7, set: ['new'], plain: 'new', entry: 'new', loaded: 'new' }

const PLACES: readonly (readonly [name: string, open: () => Cache])[] = [
  ['Redis', () => scene.cache()],
  [
    'a cluster',
    () =>
      scene.cache({
        redis: { cluster: { nodes: cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`) } },
      }),
  ],
  ['this process', () => createCache()],
  ['a simulated Redis', () => createCache({ backend: new SimulatedRedis().backend() })],
]

describe.each(PLACES)('P47 clear() with the data in %s', (_name, open) => {
  test('removes values of every kind before it resolves, and none that is written afterwards', async () => {
    const cache = open()
    await cache.initialize()
    const inner = cache.namespace('inner')
    for (const one of [cache, inner]) await writeEveryKind(one, 'old')
    expect(await inner.clear()).toBe(true)
    expect(await readEveryKind(inner)).toEqual(CLEARED)
    expect(await readEveryKind(cache)).toMatchObject({ plain: 'old', entry: 'old' })
    await writeEveryKind(inner, 'new')
    await cache.idle()
    expect(await readEveryKind(inner)).toEqual(NEW)
    expect(await cache.clear()).toBe(true)
    for (const one of [cache, inner]) expect(await readEveryKind(one)).toEqual(CLEARED)
    for (const one of [cache, inner]) await writeEveryKind(one, 'new')
    await cache.idle()
    for (const one of [cache, inner]) expect(await readEveryKind(one)).toEqual(NEW)
    await cache.shutdown()
  })
})

describe('P47 clear()', () => {
  test('keeps what is written afterwards in a database that takes long to walk', async () => {
    const cache = await scene.open()
    await fillDatabase('p:old:', 10_000)
    await fillDatabase('elsewhere:', 20_000)
    await writeEveryKind(cache, 'old')
    expect(await cache.clear()).toBe(true)
    await writeEveryKind(cache, 'new')
    await cache.idle()
    expect(await readEveryKind(cache)).toEqual(NEW)
    expect(await redis.ask('DBSIZE')).toBe(20_000 + KINDS.length + 1)
  })

  test('keeps the entries that are written after the second of two clears', async () => {
    const cache = await scene.open()
    await fillDatabase('elsewhere:', 15_000)
    const old = Array.from({ length: 2_000 }, (_, number) => [`old:${number}`, number] as const)
    await cache.setMany(old)
    expect(await cache.clear()).toBe(true)
    await cache.setMany(old)
    expect(await cache.clear()).toBe(true)
    const keys = Array.from({ length: 500 }, (_, number) => `new:${number}`)
    expect(await cache.setMany(keys.map((key) => [key, 'new'] as const))).toBe(true)
    await cache.idle()
    const found = await scene.cache().getMany(keys)
    expect([...found.values()].filter((value) => value === 'new')).toHaveLength(500)
    expect(await redis.ask('DBSIZE')).toBe(15_000 + 500 + 1)
  })

  test('of several processes at once keeps what each writes after all have resolved', async () => {
    const caches = await Promise.all([scene.open(), scene.open(), scene.open()])
    await fillDatabase('p:old:', 5_000)
    await Promise.all(caches.map((cache, at) => writeEveryKind(cache.namespace(`${at}`), 'old')))
    expect(await Promise.all(caches.map((cache) => cache.clear()))).toEqual([true, true, true])
    await Promise.all(caches.map((cache, at) => writeEveryKind(cache.namespace(`${at}`), 'new')))
    await Promise.all(caches.map((cache) => cache.idle()))
    for (const at of caches.keys())
      expect(await readEveryKind(caches[0]?.namespace(`${at}`) as Cache)).toEqual(NEW)
  })

  test('reclaims entries whose generation was evicted before', async () => {
    const cache = await scene.open()
    await cache.setMany(Array.from({ length: 300 }, (_, number) => [`old:${number}`, number] as const))
    await redis.ask('DEL', `p:${NAMESPACE_KEY}`)
    expect(await scene.cache().set('newer', 1)).toBe(true)
    expect(await cache.clear()).toBe(true)
    await cache.idle()
    expect(await redis.ask('KEYS', '*')).toEqual([`p:${NAMESPACE_KEY}`])
  })

  test('removes from a namespace what was stored there through the cache around it', async () => {
    const cache = await scene.open()
    await cache.set('users:1', 'through the root')
    await cache.namespace('users').set('2', 'within')
    expect(await cache.namespace('users').clear()).toBe(true)
    expect(await cache.get('users:1')).toBeUndefined()
    await cache.set('users:1', 'again')
    await cache.idle()
    expect(await cache.get('users:1', { local: false })).toBe('again')
  })

  test('leaves no key in the tracking table of Redis that is not there any more', async () => {
    const cache = await scene.open()
    await cache.setMany(Array.from({ length: 2_000 }, (_, number) => [`old:${number}`, number] as const))
    expect(await cache.clear()).toBe(true)
    await cache.idle()
    const tracked = /tracking_total_keys:(\d+)/.exec(String(await redis.ask('INFO', 'stats')))?.[1]
    expect(Number(tracked)).toBeLessThan(20)
  })

  test('answers false while Redis does not, and has invalidated the entries once it does', async () => {
    const proxy = await scene.proxy()
    const cache = await scene.open({ redis: proxy.url, commandTimeout: '300ms' })
    await writeEveryKind(cache, 'old')
    proxy.goSilent()
    expect(await cache.clear()).toBe(false)
    proxy.healForNewConnections()
    proxy.cut()
    const other = scene.cache()
    await waitUntil(async () => (await other.get('loaded', { local: false })) === undefined, {
      what: 'the entries to be invalid',
    })
    await waitUntil(() => cache.clear(), { what: 'Redis to answer again' })
    expect(await readEveryKind(cache)).toEqual(CLEARED)
  })
})
