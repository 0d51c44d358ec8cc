import { describe, expect, test } from 'vitest'
import { elapsed, warmed } from '../support/cache-states.ts'
import { heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

describe('the stamp of an entry', () => {
  test('is the same in all processes and both tiers, and another one after each store', async () => {
    const [one, other, direct] = [await scene.open(), await scene.open(), await scene.open({ local: false })]
    const seen = new Set<string>()
    const stores: readonly (() => Promise<unknown>)[] = [
      () => one.getOrSet('key', () => 1),
      () => one.set('key', 1),
      () => other.set('key', 1),
      () => one.refresh('key', () => 1),
      async () => (await other.reserve('key')).fill(1),
    ]
    for (const store of stores) {
      await store()
      const first = await direct.getEntry('key')
      const stamps = new Set([first?.stamp])
      for (const cache of [one, other]) {
        stamps.add((await cache.getEntry('key', { local: false }))?.stamp)
        await warmed(cache, 'key')
        const local = await cache.getEntry('key')
        expect(local?.tier).toBe('local')
        stamps.add(local?.stamp)
        stamps.add((await cache.getOrSetEntry('key', () => 2)).stamp)
      }
      expect(stamps.size).toBe(1)
      expect(first?.stamp).toMatch(/^[\w-]{11}$/)
      seen.add(first?.stamp as string)
    }
    expect(seen.size).toBe(stores.length)
  })

  test('of a load is the one that others find', async () => {
    const [one, other] = [await scene.open(), await scene.open()]
    const held = heldLoader('value')
    const loading = one.getOrSetEntry('key', held.load, { tags: ['a'] })
    await held.begun
    const joining = one.getOrSetEntry('key', held.load, { tags: ['a'] })
    const waiting = other.getOrSetEntry('key', () => 'not called', { tags: ['a'] })
    await elapsed(50)
    held.release()
    const [loaded, joined, found] = await Promise.all([loading, joining, waiting])
    expect([loaded.status, joined.status, found.status]).toEqual(['miss', 'miss', 'hit'])
    expect(found).toMatchObject({ value: 'value', tier: 'shared', tags: ['a'], stamp: loaded.stamp })
    expect(joined.stamp).toBe(loaded.stamp)
    expect(found.age).toBeGreaterThanOrEqual(0)
    expect(found.ttl).toBeLessThanOrEqual(300)
  })

  test('of a load that an invalidation has defeated is none', async () => {
    const [one, other] = [await scene.open(), await scene.open()]
    const held = heldLoader('value')
    const loading = one.getOrSetEntry('key', held.load)
    await held.begun
    await other.delete('key')
    held.release()
    expect(await loading).toMatchObject({ value: 'value', status: 'skipped', stamp: undefined })
  })
})
