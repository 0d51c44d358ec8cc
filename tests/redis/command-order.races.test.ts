import { RedisCacheBackend } from 'cachewright/redis'
import { describe, expect, test } from 'vitest'
import { useScene } from '../support/scene.ts'
import { trials } from '../support/trials.ts'
import { CALLERS_CLIENTS } from './borrowed-places.ts'

const TRIALS = trials(500, 1_000, 4_000)
/** Trials that are under way at a time. */
const AT_ONCE = 50

const scene = useScene({ cluster: { replicasPerMaster: 0 }, flush: false })

type Backend = RedisCacheBackend<unknown>

/** Two writes of one key that are sent in one tick, and what the key holds when both have been acknowledged. */
const PAIRS: readonly (readonly [
  title: string,
  first: (backend: Backend, key: string) => Promise<unknown>,
  second: (backend: Backend, key: string) => Promise<unknown>,
  left: (backend: Backend, key: string) => Promise<unknown>,
  expected: unknown,
])[] = [
  ['set, delete', (b, k) => b.set(k, 'old'), (b, k) => b.delete(k), (b, k) => b.get(k), undefined],
  ['delete, set', (b, k) => b.delete(k), (b, k) => b.set(k, 'new'), (b, k) => b.get(k), 'new'],
  ['set, set', (b, k) => b.set(k, 'old'), (b, k) => b.set(k, 'new'), (b, k) => b.get(k), 'new'],
  ['set, deleteMany', (b, k) => b.set(k, 'old'), (b, k) => b.deleteMany([k]), (b, k) => b.get(k), undefined],
  ['deleteMany, setMany', (b, k) => b.deleteMany([k]), (b, k) => b.setMany([[k, 1]]), (b, k) => b.get(k), 1],
  ['set, incr', (b, k) => b.set(k, 5), (b, k) => b.incr(k), (b, k) => b.get(k), 6],
  ['incr, set', (b, k) => b.incr(k), (b, k) => b.set(k, 5), (b, k) => b.get(k), 5],
  ['incr, delete', (b, k) => b.incr(k), (b, k) => b.delete(k), (b, k) => b.get(k), undefined],
  ['incr, deleteMany', (b, k) => b.incr(k), (b, k) => b.deleteMany([k]), (b, k) => b.get(k), undefined],
  ['delete, incr', (b, k) => b.delete(k), (b, k) => b.incr(k), (b, k) => b.get(k), 1],
  ['addToSet, delete', (b, k) => b.addToSet(k, 'm'), (b, k) => b.delete(k), (b, k) => b.getSetMembers(k), []],
  [
    'delete, addToSet',
    (b, k) => b.delete(k),
    (b, k) => b.addToSet(k, 'm'),
    (b, k) => b.getSetMembers(k),
    ['m'],
  ],
  [
    'addToSet, removeFromSet',
    (b, k) => b.addToSet(k, 'm'),
    (b, k) => b.removeFromSet(k, 'm'),
    (b, k) => b.getSetMembers(k),
    [],
  ],
]

async function disordered(backend: Backend, [title, first, second, left, expected]: (typeof PAIRS)[number]) {
  let wrong = 0
  for (let trial = 0; trial < TRIALS; trial += AT_ONCE) {
    const keys = Array.from({ length: AT_ONCE }, (_, index) => `${title}:${trial + index}`)
    await Promise.all(keys.map((key) => Promise.all([first(backend, key), second(backend, key)])))
    const results = await Promise.all(keys.map((key) => left(backend, key)))
    wrong += results.filter((result) => JSON.stringify(result) !== JSON.stringify(expected)).length
  }
  return wrong
}

async function countDisordered(backend: Backend): Promise<Record<string, number>> {
  scene.later(() => backend.shutdown())
  await backend.initialize()
  const wrong: Record<string, number> = {}
  for (const pair of PAIRS) wrong[pair[0]] = await disordered(backend, pair)
  return wrong
}

const IN_ORDER = Object.fromEntries(PAIRS.map(([title]) => [title, 0]))

describe('two writes of one key take effect in the order of the calls', () => {
  const options = { errors: 'throw', commandTimeout: '30s' } as const
  const places = () => cluster.nodes.map(({ host, port }) => ({ host, port }))
  const { cluster } = scene

  test('over a URL', async () => {
    const backend = new RedisCacheBackend({ ...options, url: scene.redis.url })
    expect(await countDisordered(backend)).toEqual(IN_ORDER)
  })

  test('over a cluster', async () => {
    const nodes = places().map(({ host, port }) => `redis://${host}:${port}`)
    const backend = new RedisCacheBackend({ ...options, cluster: { nodes } })
    expect(await countDisordered(backend)).toEqual(IN_ORDER)
  })

  for (const [library, open] of Object.entries(CALLERS_CLIENTS.single)) {
    test(`over a caller's client of ${library}`, async () => {
      const { client, close } = await open(scene.redis.url)
      scene.later(close)
      expect(await countDisordered(new RedisCacheBackend({ ...options, client }))).toEqual(IN_ORDER)
    })
  }

  for (const [library, open] of Object.entries(CALLERS_CLIENTS.cluster)) {
    test(`over a caller's cluster of ${library}`, async () => {
      const { client, close } = await open(places())
      scene.later(close)
      expect(await countDisordered(new RedisCacheBackend({ ...options, client }))).toEqual(IN_ORDER)
    })
  }
})
