import type { CreateCacheOptions } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { elapsed } from '../support/cache-states.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

describe.each([
  ['the local tier', {}],
  ['Redis alone', { local: false }],
] as const)('expiresAt, by the clock of the server, with %s', (_name, options: CreateCacheOptions) => {
  /** A moment of the server, so many milliseconds from now. */
  const at = async (ms: number) => {
    const [seconds, microseconds] = (await scene.redis.ask('TIME')) as unknown as readonly string[]
    return Number(seconds) * 1_000 + Number(microseconds) / 1_000 + ms
  }

  test('ends what is set, loaded and filled, in every process', async () => {
    const [one, other] = [await scene.open(options), await scene.open(options)]
    const expiresAt = await at(1_500)
    await one.set('set', 1, { expiresAt })
    await one.getOrSet('loaded', () => 1, { expiresAt: new Date(expiresAt) })
    const slot = await one.reserve('filled')
    await slot.fill(1, { expiresAt })
    const keys = ['set', 'loaded', 'filled']
    for (const key of keys) {
      for (const cache of [one, other]) {
        const left = (await cache.getTtl(key)) ?? 0
        expect(left).toBeGreaterThan(0)
        expect(left).toBeLessThanOrEqual(1.5)
      }
    }
    for (const key of keys) {
      await waitUntil(async () => (await other.get(key)) === undefined, { what: `the end of ${key}` })
      expect(await at(0)).toBeGreaterThanOrEqual(expiresAt - 2)
      expect(await one.get(key)).toBeUndefined()
    }
  })

  test('that has come removes what is set, everywhere, and stores nothing else', async () => {
    const [one, other] = [await scene.open(options), await scene.open(options)]
    await one.set('key', 'old')
    expect(await other.get('key')).toBe('old')
    const past = await at(-10)
    const setting = one.set('key', 'new', { expiresAt: past })
    // A read that is called after the set sees what that has made of the key.
    expect(await one.get('key')).toBeUndefined()
    expect(await setting).toBe(true)
    expect(await scene.redis.ask('EXISTS', 'shop:key')).toBe(0)
    await waitUntil(async () => (await other.get('key')) === undefined, { what: 'the news' })
    expect(await one.getOrSet('key', () => 'loaded', { expiresAt: past })).toBe('loaded')
    const slot = await one.reserve('slot')
    expect(await slot.fill(1, { expiresAt: past })).toBe(false)
    expect(await other.get('key', { local: false })).toBeUndefined()
    expect(await other.get('slot')).toBeUndefined()
  })

  test('that comes while the loader runs counts as come, and a slow load does not postpone it', async () => {
    const cache = await scene.open(options)
    const slow = async () => {
      await elapsed(300)
      return 1
    }
    expect(await cache.getOrSet('short', slow, { expiresAt: await at(200) })).toBe(1)
    expect(await cache.get('short')).toBeUndefined()
    expect(await cache.getOrSet('long', slow, { expiresAt: await at(10_000) })).toBe(1)
    expect((await cache.getTtl('long')) ?? 0).toBeLessThanOrEqual(9.75)
  })

  test('of the first call of a cache waits for the time of the server', async () => {
    const cache = scene.cache(options)
    expect(await cache.set('key', 1, { expiresAt: await at(60_000) })).toBe(true)
    const left = (await cache.getTtl('key')) ?? 0
    expect(left).toBeGreaterThan(30)
    expect(left).toBeLessThanOrEqual(60)
  })

  test('of sets in one tick keeps the order of their calls', async () => {
    const cache = await scene.open(options)
    const [past, future] = [await at(-10), await at(60_000)]
    const last = await Promise.all([
      cache.set('a', 1, { expiresAt: future }),
      cache.set('a', 2, { expiresAt: past }),
      cache.set('a', 3),
      cache.set('b', 1),
      cache.set('b', 2, { expiresAt: past }),
    ])
    expect(last).toEqual([true, true, true, true, true])
    expect(await cache.get('a')).toBe(3)
    expect(await cache.get('b')).toBeUndefined()
  })
})
