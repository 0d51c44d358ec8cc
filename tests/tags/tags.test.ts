import type { Cache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ caches: IMPATIENT })
const { redis } = scene

const ONE = { tags: ['one'] }

function caches(): readonly [Cache, Cache] {
  return [scene.cache(), scene.cache()]
}

describe('P18 tags', () => {
  test('invalidate every entry that has them, in every process, and no other', async () => {
    const [mine, other] = caches()
    const source = new Source(1)
    await mine.getOrSet('a', source.load, { tags: ['one', 'two'] })
    await mine.set('b', 1, { tags: ['two'] })
    await mine.getOrSet('c', source.load, { tags: ['three'] })
    await mine.getOrSet('d', source.load)
    for (const key of ['a', 'b', 'c', 'd']) expect(await other.get(key)).toBe(1)
    expect(await other.invalidateTags(['two', 'none'])).toBe(true)
    for (const cache of [other, mine]) {
      const answers = await cache.getMany(['a', 'b', 'c', 'd'])
      if (cache === other) expect([...answers.values()]).toEqual([undefined, undefined, 1, 1])
      else await waitUntil(() => mine.peek('a') === undefined, { what: 'the push' })
    }
    expect([...(await mine.getMany(['a', 'b', 'c', 'd'])).values()]).toEqual([undefined, undefined, 1, 1])
  })

  test('are not shared between namespaces', async () => {
    const [mine] = caches()
    const [left, right] = [mine.namespace('left'), mine.namespace('right')]
    const all = [mine, left, right, left.namespace('in')]
    for (const cache of all) await cache.getOrSet('key', () => 1, ONE)
    await left.invalidateTags(['one'])
    const answers = await Promise.all(all.map((cache) => cache.get('key')))
    expect(answers).toEqual([1, undefined, 1, 1])
    await mine.invalidateTags(['one'])
    expect(await mine.get('key')).toBeUndefined()
    expect(await right.get('key')).toBe(1)
  })

  test('an entry that lacks a tag which the caller names is loaded anew', async () => {
    const [mine, other] = caches()
    const source = new Source(1)
    await mine.getOrSet('key', source.load)
    expect(await mine.get('key')).toBe(1)
    source.value = 2
    expect(await mine.getOrSet('key', source.load, ONE)).toBe(2)
    expect(await other.getOrSet('key', source.load, ONE)).toBe(2)
    source.value = 3
    expect(await other.getOrSet('key', source.load, { tags: ['one', 'two'] })).toBe(3)
    // An entry with more tags than the call names is accepted.
    expect(await mine.getOrSet('key', source.load, ONE)).not.toBe(1)
    expect(source.loads).toBe(3)
    await redis.ask('SET', 'p:plain', '"foreign"')
    expect(await mine.getOrSet('plain', source.load)).toBe('foreign')
    expect(await mine.getOrSet('plain', source.load, ONE)).toBe(3)
  })

  test('that the loader adds bind from the second load on at the latest, and then invalidate the entry', async () => {
    const [mine, other] = caches()
    let loads = 0
    const ask = (cache: Cache) =>
      cache.getOrSet('order', (context) => {
        context.addTags(['customer:7'])
        return ++loads
      })
    await ask(mine)
    await ask(mine)
    const settled = await ask(mine)
    expect(settled).toBeLessThanOrEqual(2)
    expect(await ask(other)).toBe(settled)
    await other.invalidateTags(['customer:7'])
    expect(await ask(other)).toBe(settled + 1)
    await waitUntil(async () => (await ask(mine)) > settled, { what: 'the push' })
  })

  test('that the loader first adds during their invalidation do not bind to the new generation', async () => {
    const [mine, other] = caches()
    const source = new Source('old')
    const ask = () =>
      mine.getOrSet('order', async (context) => {
        context.addTags(['late'])
        const value = await source.load()
        if (source.loads <= 2) await other.invalidateTags(['late'])
        return value
      })
    await ask()
    await ask()
    source.value = 'new'
    expect(await ask()).toBe('new')
  })

  test('are validated before any operation', async () => {
    const [mine] = caches()
    const source = new Source(1)
    const bad: readonly (readonly [unknown, string])[] = [
      [[''], 'CACHE_INVALID_KEY'],
      [['\0tag'], 'CACHE_INVALID_KEY'],
      [['\ud800'], 'CACHE_INVALID_KEY'],
      [[7], 'CACHE_INVALID_KEY'],
      [[undefined], 'CACHE_INVALID_KEY'],
      [['x'.repeat(65_537)], 'CACHE_INVALID_KEY'],
      ['one', 'CACHE_INVALID_ARGUMENT'],
      [Array.from({ length: 65 }, (_, number) => `tag:${number}`), 'CACHE_INVALID_ARGUMENT'],
    ]
    for (const [tags, code] of bad) {
      const given = tags as string[]
      await expect(mine.getOrSet('key', source.load, { tags: given })).rejects.toMatchObject({ code })
      await expect(mine.set('key', 1, { tags: given })).rejects.toMatchObject({ code })
      await expect(mine.invalidateTags(given)).rejects.toMatchObject({ code })
      const addTags = () => mine.getOrSet('late', (context) => context.addTags(given))
      await expect(addTags()).rejects.toMatchObject({ code })
    }
    expect(source.loads).toBe(0)
    const most = Array.from({ length: 64 }, (_, number) => `tag:${number}`)
    expect(await mine.getOrSet('key', source.load, { tags: [...most, ...most] })).toBe(1)
    expect(await mine.invalidateTags([most[63] as string])).toBe(true)
    expect(await mine.get('key')).toBeUndefined()
    expect(await mine.invalidateTags([])).toBe(true)
  })

  test('of a failed or skipped load leave nothing in Redis', async () => {
    const [mine] = caches()
    await expect(mine.getOrSet('key', () => Promise.reject(new Error('source away')), ONE)).rejects.toThrow(
      'source away',
    )
    await mine.getOrSet(
      'key',
      (context) => {
        context.skip()
        return 1
      },
      ONE,
    )
    expect(await mine.getOrSet('key', () => undefined, ONE)).toBeUndefined()
    await waitUntil(async () => (await redis.ask('EXISTS', 'p:key')) === 0, {
      what: 'the lease to be released',
    })
  })
})

describe('P19 generations', () => {
  test('G4 outlive the entries that depend on them', async () => {
    const cache = scene.cache()
    await cache.set('key', 1, { ttl: '60d' })
    await waitUntil(async () => Number(await redis.ask('PTTL', 'p:\0namespace')) > 60 * 86_400_000, {
      what: 'the generation to outlive the entry',
      timeoutMs: 1_000,
    })
  })

  test('are read once by many concurrent writes', async () => {
    const cache = scene.cache({ commandTimeout: '5s' })
    await cache.initialize()
    await redis.ask('CONFIG', 'RESETSTAT')
    await cache.setMany(Array.from({ length: 500 }, (_, number) => [`key:${number}`, number] as const))
    const calls = /cmdstat_getex:calls=(\d+)/.exec(String(await redis.ask('INFO', 'commandstats')))?.[1]
    expect(Number(calls)).toBeLessThan(10)
  })
})
