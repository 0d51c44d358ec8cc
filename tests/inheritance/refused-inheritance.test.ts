import type { LoadContext } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { useTwoCaches } from './two-processes.ts'

const { one, two, clock, redis, told, open } = useTwoCaches()

const INHERIT = { inherit: true } as const

/** What is stored of a loader that reads. */
async function stored(read: () => unknown, options: object = INHERIT): Promise<boolean> {
  const value = await one().getOrSet('outer', async () => ({ made: (await read()) ?? 'none' }), options)
  expect(value).toHaveProperty('made')
  return (await two().get('outer')) !== undefined
}

describe('a value goes to its callers and is not stored', () => {
  test('if its loader reads a value that was loaded and not stored', async () => {
    const skipping = () =>
      one().getOrSet('inner', (context) => {
        context.skip()
        return 1
      })
    expect(await stored(skipping)).toBe(false)
    expect(told()).toEqual(['outer: not-stored inner'])
  })

  test('if a loader that it waits for finds none; what is remembered of it hands over', async () => {
    expect(
      await stored(() =>
        one()
          .namespace('n')
          .getOrSet('inner', () => undefined),
      ),
    ).toBe(false)
    expect(told()).toEqual(['outer: not-stored n:inner'])
    const options = { absentTtl: '10s', tags: ['inner'] } as const
    for (const again of ['by a load', 'by a hit']) {
      await one().delete('outer')
      expect([again, await stored(() => one().getOrSet('inner', () => undefined, options))]).toEqual([
        again,
        true,
      ])
      expect(await two().getEntry('outer')).toMatchObject({ ttl: 10, tags: ['inner'] })
    }
  })

  test('if what it reads was deleted while it was loaded', async () => {
    const deleted = () =>
      one().getOrSet('inner', async () => {
        await two().delete('inner')
        return 1
      })
    expect(await stored(deleted)).toBe(false)
    expect(told()).toEqual(['outer: not-stored inner'])
  })

  test('if it reads a plain value', async () => {
    await one().plain.set('inner', 1)
    expect(await stored(() => one().get('inner'))).toBe(false)
    expect(told()).toEqual(['outer: plain inner'])
  })

  test('if a load without a lease brings what it reads, or Redis does not tell', async () => {
    const load = async (read: () => unknown) => {
      await one().delete('outer')
      const reading = stored(async () => {
        redis().faults.fail({ commands: 'all' })
        const value = await read()
        redis().faults.heal()
        return value
      })
      await clock().advance('2s')
      return reading
    }
    expect(await load(() => one().get('away'))).toBe(false)
    expect(told().filter((one) => one.startsWith('outer'))).toEqual(['outer: unavailable away'])
    await clock().advance('1m')
    expect(await load(() => one().getOrSet('loaded', () => 1))).toBe(false)
    expect(told().filter((one) => one.startsWith('outer'))[1]).toBe('outer: not-stored loaded')
  })

  test('if it has more than 64 tags in sum, or those of 80 tags and namespaces', async () => {
    const tags = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => `t${from + index}`)
    const inner = (from: number, count: number) =>
      one().getOrSet('inner', () => 1, { tags: tags(from, count) })
    expect(await stored(() => inner(30, 34), { ...INHERIT, tags: tags(0, 30) })).toBe(true)
    await one().clear()
    expect(await stored(() => inner(30, 35), { ...INHERIT, tags: tags(0, 30) })).toBe(false)
    expect(told()).toEqual(['outer: too-many'])
    await one().clear()
    const spread = async (namespaces: number) => {
      for (let index = 0; index < namespaces; index++)
        await one()
          .namespace(`n${index}`)
          .getOrSet('k', () => 1)
    }
    expect(await stored(() => spread(79))).toBe(true)
    await one().clear()
    expect(await stored(() => spread(80))).toBe(false)
  })

  test('if the names of its tags take too much room', async () => {
    const inner = (name: string) => one().getOrSet(name, () => name, { tags: [name.repeat(40_000)] })
    expect(await stored(() => inner('a'))).toBe(true)
    await one().delete('outer')
    expect(await stored(async () => [await inner('a'), await inner('b')])).toBe(false)
    expect(told()).toEqual(['outer: too-many'])
  })

  test('if its loader confirms it, and names more tags than it has room for beside inherited ones', async () => {
    const named = ['x', 'y', 'z']
    const inherited = Array.from({ length: 62 }, (_, index) => `t${index}`)
    const windows = { ttl: '1m', staleWhileRevalidate: '1h' } as const
    await one().getOrSet('known', () => 1, { tags: named })
    const inner = () => one().getOrSet('inner', () => 1, { ...windows, ttl: '1h', tags: inherited })
    await one().getOrSet('outer', inner, { ...INHERIT, ...windows })
    await clock().advance('70s')
    const confirm = (context: LoadContext) => {
      context.addTags(named)
      return context.notModified()
    }
    expect(await one().refresh('outer', confirm, { ...INHERIT, ...windows })).toBe(1)
    expect(told()).toEqual(['outer: too-many'])
  })

  test('if it would become an entry of a namespace that its key lies in', async () => {
    const users = one().namespace('users')
    const load = () => users.getOrSet('u', () => 1)
    await one().getOrSet('users:forged', load, INHERIT)
    expect(await users.get('forged')).toBeUndefined()
    expect(await one().get('users:forged')).toBeUndefined()
    expect(told()).toEqual(['users:forged: own-namespace shop:users:'])
    await users.getOrSet('own', load, INHERIT)
    expect(await two().namespace('users').get('own')).toBe(1)
  })

  test('if a value that it inherits from was not stored for such a reason', async () => {
    await one().plain.set('c', 1)
    const b = () => one().getOrSet('b', () => one().get('c'), INHERIT)
    expect(await stored(b)).toBe(false)
    expect(told()).toEqual(['b: plain c', 'outer: not-stored b'])
  })

  test('if it reads within a change, which goes past the cache', async () => {
    await one().getOrSet('inner', () => 1)
    const within = () => one().change({}, () => one().getOrSet('inner', () => 2))
    expect(await stored(within)).toBe(false)
    expect(told()).toEqual(['outer: not-stored inner'])
  })

  test('within a change itself, as any other', async () => {
    const inner = () => one().getOrSet('inner', () => 1, { tags: ['inner'] })
    await one().change({}, () => one().getOrSet('outer', inner, INHERIT))
    expect(await two().get('outer')).toBeUndefined()
    expect(told()).toEqual([])
  })
})

describe('a value is stored', () => {
  test('if its loader finds no entry: a miss hands over nothing', async () => {
    expect(await stored(() => one().get('inner'))).toBe(true)
    expect(await stored(() => one().getEntry('inner'))).toBe(true)
  })

  test('if its loader survives the error of another', async () => {
    const failing = () =>
      one()
        .getOrSet('inner', () => Promise.reject(new Error('away')))
        .catch(() => 1)
    expect(await stored(failing)).toBe(true)
  })

  test('if it fills a slot of its own', async () => {
    for (const wait of [false, true]) {
      await one().delete('outer')
      const filling = async () => {
        const slot = await one().reserve('inner', { wait })
        await slot.fill(1)
      }
      expect(await stored(filling)).toBe(true)
      await one().delete('inner')
    }
  })

  test('if its loader reads its own key, which is the entry that it replaces', async () => {
    await one().getOrSet('outer', () => 1, { ttl: '60s', tags: ['old'] })
    await one().refresh('outer', async () => ({ made: await one().get('outer') }), INHERIT)
    expect(await two().getEntry('outer')).toMatchObject({ value: { made: 1 }, ttl: 60, tags: ['old'] })
    await expect(
      one().refresh('outer', () => one().getOrSet('outer', () => 2), INHERIT),
    ).resolves.toBeDefined()
  })

  test('a loader that waits for its own load is refused, as without `inherit`', async () => {
    const load = (): Promise<number> => one().getOrSet('x', load, INHERIT)
    await expect(one().getOrSet('x', load, INHERIT)).rejects.toMatchObject({ code: 'CACHE_CYCLE' })
  })

  test('without cycle detection too, in a cache of its own', async () => {
    const cache = open({ detectCycles: false })
    const inner = () => cache.getOrSet('inner', () => 1, { tags: ['inner'] })
    expect((await cache.getOrSetEntry('outer', inner, INHERIT)).tags).toEqual(['inner'])
  })
})
