import type { Cache, CreateCacheOptions } from 'cachewright'
import { expect, test } from 'vitest'
import { useScene } from '../support/scene.ts'

const scene = useScene()
const fail = () => {
  throw new TypeError('of the caller')
}

test.each([
  ['Redis', () => ({})],
  ['memory', () => ({ redis: undefined })],
])(
  'over %s, an onProgress that throws ends no removal and invalidates nothing else',
  async (_name, where) => {
    const logged: unknown[] = []
    const cache = quiet(where(), logged)
    const [one, other] = [cache.namespace('one'), cache.namespace('other')]
    await Promise.all([one.set('key', 1), one.set('key:2', 2), other.set('key', 3)])
    expect(await one.invalidatePattern('key*', { onProgress: fail })).toBe(2)
    expect([await one.get('key'), await other.get('key')]).toEqual([undefined, 3])
    expect(cache.stats().undelivered).toBe(0)
    await one.plain.set('plain', 4)
    expect(await one.invalidatePattern('plain', { onProgress: fail })).toBe(1)
    expect(await other.get('key')).toBe(3)
    expect(logged).toContainEqual({ error: 'TypeError' })
  },
)

test('a logger and listeners that throw disturb no call', async () => {
  const cache = scene.cache({ logger: { debug: fail, warn: fail, error: fail } })
  for (const event of ['hit', 'miss', 'load', 'epoch', 'error', 'circuit'] as const) cache.on(event, fail)
  expect(await cache.getOrSet('key', () => 1)).toBe(1)
  expect(await cache.getOrSet('key', () => 2)).toBe(1)
  expect(await cache.sets.addToSet('key', 'member')).toBe(false)
  expect(await cache.get('key')).toBe(1)
})

test('a key or tag function that throws rejects its own call alone', async () => {
  const cache = scene.cache()
  const wrapped = cache.wrap((id: string) => id, {
    name: 'wrapped',
    key: (id) => (id === 'bad' ? fail() : id),
  })
  const answers = await Promise.allSettled([wrapped('bad'), wrapped('good')])
  expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : answer.reason))).toEqual([
    expect.any(TypeError),
    'good',
  ])
})

function quiet(options: CreateCacheOptions, logged: unknown[]): Cache {
  const error = (context: object) => void logged.push(context)
  return scene.cache({ ...options, logger: { debug() {}, warn() {}, error } })
}
