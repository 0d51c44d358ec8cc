import { type Cache, createCache } from 'cachewright'
import { Faults, injectFaults } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { deferred } from '../support/loaders.ts'
import { useTwoCaches } from './two-processes.ts'

const { one, two, clock, redis, told } = useTwoCaches()

const INHERIT = { inherit: true } as const
const TAGGED = { tags: ['inner'] } as const

/** A load of `outer` by `one` that has read `inner`, and has not ended. */
async function heldLoad(options: object = INHERIT) {
  const mayEnd = deferred()
  const hasRead = deferred()
  let version = 1
  const ask = (cache: Cache = one()) =>
    cache.getOrSet(
      'outer',
      async () => {
        const read = await cache.getOrSet('inner', () => version, TAGGED)
        hasRead.resolve()
        await mayEnd.promise
        return read
      },
      options,
    )
  const loading = ask()
  await hasRead.promise
  return {
    ask,
    loading,
    end: () => mayEnd.resolve(),
    change: () => {
      version = 2
    },
  }
}

describe('G6 an invalidation of what the loader has read, while it still runs', () => {
  test('defeats the entry, whoever invalidates', async () => {
    for (const other of [one, two]) {
      const { ask, change, end, loading } = await heldLoad()
      change()
      await other().invalidateTags(['inner'])
      end()
      expect(await loading).toBe(1)
      expect(await other().get('outer')).toBeUndefined()
      expect(await one().get('outer')).toBeUndefined()
      expect(await ask()).toBe(2)
      expect(await two().get('outer')).toBe(2)
      await one().clear()
    }
  })

  test('keeps later callers from joining the load', async () => {
    const { ask, change, end, loading } = await heldLoad()
    change()
    await one().invalidateTags(['inner'])
    const late = ask()
    end()
    expect(await Promise.all([loading, late])).toEqual([1, 2])
  })

  test('keeps later callers from joining a load without a lease', async () => {
    await one().initialize()
    redis().faults.fail()
    const hasRead = deferred()
    const mayEnd = deferred()
    let version = 1
    const ask = () =>
      one().getOrSet(
        'outer',
        async () => {
          redis().faults.heal()
          const read = await one().getOrSet('inner', () => version, TAGGED)
          hasRead.resolve()
          await mayEnd.promise
          return read
        },
        INHERIT,
      )
    const loading = ask()
    await clock().advance('1s')
    await hasRead.promise
    version = 2
    await one().invalidateTags(['inner'])
    const late = ask()
    mayEnd.resolve()
    expect(await Promise.all([loading, late])).toEqual([1, 2])
  })

  test('defeats an entry that has the tag itself, with the generation that its own load had captured', async () => {
    let version = 1
    const outer = () =>
      one().getOrSet(
        'outer',
        async () => {
          const own = version
          version = 2
          await two().invalidateTags(['inner'])
          return [own, await one().getOrSet('inner', () => version, TAGGED)]
        },
        { ...INHERIT, ...TAGGED },
      )
    expect(await outer()).toEqual([1, 2])
    expect(told()).toEqual(['outer: invalidated'])
    expect(await two().get('outer')).toBeUndefined()
    expect(await two().get('inner')).toBe(2)
  })

  test('defeats an entry that is made of a value from before and one from after', async () => {
    const inner = (key: string) => one().getOrSet(key, () => key, TAGGED)
    const load = async () => {
      const before = await inner('a')
      await two().invalidateTags(['inner'])
      return [before, await inner('b')]
    }
    expect(await one().getOrSet('outer', load, INHERIT)).toEqual(['a', 'b'])
    expect(told()).toEqual(['outer: invalidated b'])
    expect(await two().get('outer')).toBeUndefined()
  })

  test('defeats an entry that is made of a copy from before it, whose news is late', async () => {
    const faults = new Faults({ clock: clock() })
    const deaf = createCache({
      backend: injectFaults(redis().backend({ prefix: 'shop:' }), faults),
      clock: clock(),
    })
    const ask = (cache: Cache) =>
      cache.getOrSet('outer', () => cache.getOrSet('inner', () => 'new', TAGGED), INHERIT)
    await deaf.getOrSet('inner', () => 'old', TAGGED)
    faults.loseMessages()
    await one().invalidateTags(['inner'])
    expect(await ask(deaf)).toBe('old')
    // It is bound to the generation of the copy, not to the one that was current when it was loaded.
    expect(await one().get('outer')).toBeUndefined()
    expect(await ask(one())).toBe('new')
    faults.heal()
    await deaf.shutdown()
  })

  test('defeats an entry of another namespace', async () => {
    const users = one().namespace('users')
    const pages = one().namespace('pages')
    for (const change of [() => two().namespace('users').clear(), () => users.invalidateTags(['staff'])]) {
      const load = async () => {
        const read = await users.getOrSet('u', () => 1, { tags: ['staff'] })
        await change()
        return read
      }
      expect(await pages.getOrSet('p', load, INHERIT)).toBe(1)
      expect(await pages.get('p')).toBeUndefined()
      expect(await two().namespace('pages').get('p')).toBeUndefined()
    }
  })

  test('defeats an entry that is refreshed, and its successor is made of what is new', async () => {
    const { ask, change, end, loading } = await heldLoad({
      ...INHERIT,
      ttl: '1m',
      staleWhileRevalidate: '1m',
    })
    end()
    await loading
    await clock().advance('30s')
    change()
    await one().invalidateTags(['inner'])
    expect(await ask(two())).toBe(2)
  })
})

test('a delete of the key that was read does not reach the entry, as documented', async () => {
  await one().getOrSet('outer', () => one().getOrSet('inner', () => 1), INHERIT)
  await one().delete('inner')
  expect(await two().get('outer')).toBe(1)
})
