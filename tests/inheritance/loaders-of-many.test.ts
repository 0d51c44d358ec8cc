import { setTimeout as sleep } from 'node:timers/promises'
import { cached } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { contextOf } from '../support/decorator-context.ts'
import { useTwoCaches } from './two-processes.ts'

const { one, two, told } = useTwoCaches()

const INHERIT = { inherit: true } as const
const inner = (key = 'inner') => one().getOrSet(key, () => key, { tags: [key] })
const tagsOf = async (key: string) => [...((await two().getEntry(key))?.tags ?? [])].sort()

describe('the loader of a batch', () => {
  test('hands what it reads to every entry of the batch', async () => {
    const load = async (keys: readonly string[]) => {
      await inner('x')
      await one().getMany(['x', 'none'])
      return keys.map(() => 1)
    }
    await one().getOrSetMany(['a', 'b'], load, { ...INHERIT, each: (key) => ({ tags: [key] }) })
    expect([await tagsOf('a'), await tagsOf('b')]).toEqual([
      ['a', 'x'],
      ['b', 'x'],
    ])
    await two().invalidateTags(['x'])
    expect([...(await one().getMany(['a', 'b'])).values()]).toEqual([undefined, undefined])
  })

  test('hands it to those of its entries that inherit', async () => {
    const load = async (keys: readonly string[]) => {
      await inner('x')
      return keys.map(() => 1)
    }
    await one().getOrSetMany(['a', 'b', 'c'], load, { each: (key) => ({ inherit: key !== 'b' }) })
    expect([await tagsOf('a'), await tagsOf('b'), await tagsOf('c')]).toEqual([['x'], [], ['x']])
  })

  test('that reads a batch inherits from all of it', async () => {
    const many = () => one().getOrSetMany(['a', 'b'], () => [1, 2], { each: (key) => ({ tags: [key] }) })
    await one().getOrSet('outer', async () => [...(await many()).values()], INHERIT)
    expect(await tagsOf('outer')).toEqual(['a', 'b'])
    await one().delete('outer')
    await one().getOrSet('outer', async () => [...(await many()).values()], INHERIT)
    expect(await tagsOf('outer')).toEqual(['a', 'b'])
  })

  test('of a batch that another loader asks for hands nothing to that loader by itself', async () => {
    const load = async (keys: readonly string[]) => {
      await inner('deep')
      return keys.map(() => 1)
    }
    const many = () => one().getOrSetMany(['a'], load, { tags: ['a'] })
    await one().getOrSet('outer', async () => [...(await many()).values()], INHERIT)
    expect(await tagsOf('outer')).toEqual(['a'])
  })
})

describe('a collection', () => {
  const users = (options: object = {}) =>
    one().collection({
      name: 'users',
      schema: z.object({ name: z.string() }),
      load: (id: string) => ({ name: id }),
      tags: (id) => [`user:${id}`],
      ...options,
    })

  test('hands over by every read', async () => {
    const all = users()
    const reads: Readonly<Record<string, () => unknown>> = {
      get: () => all.get('ann'),
      getMany: () => all.getMany(['ann']),
      getEntry: () => all.getEntry('ann'),
      refresh: () => all.refresh('ann'),
      peek: () => all.peek('ann'),
    }
    for (const [name, read] of Object.entries(reads)) {
      // By a load, and by a hit that the schema has validated or not.
      for (const how of name === 'peek' || name === 'refresh' ? ['hit'] : ['load', 'hit', 'hit again']) {
        if (how === 'load') await all.clear()
        await one().getOrSet('outer', async () => JSON.stringify(await read()) ?? 'none', INHERIT)
        expect([name, how, await tagsOf('outer')]).toEqual([name, how, ['user:ann']])
        await one().delete('outer')
      }
    }
    await one().getOrSet('outer', () => all.get('ann'), INHERIT)
    await all.clear()
    expect(await two().get('outer')).toBeUndefined()
  })

  test('inherits what its loader reads', async () => {
    const all = users({ ...INHERIT, load: async (id: string) => ({ name: `${id} ${await inner()}` }) })
    expect(await all.get('ann')).toEqual({ name: 'ann inner' })
    expect((await all.getEntry('ann')).tags).toEqual(['user:ann', 'inner'])
    await two().invalidateTags(['inner'])
    expect(await all.has('ann')).toBe(false)
  })

  test('of which one call loads all ids of a tick has all of them inherit', async () => {
    const all = users({
      ...INHERIT,
      load: undefined,
      loadMany: async (ids: readonly string[]) => {
        await inner()
        return ids.map((name) => ({ name }))
      },
    })
    await Promise.all([all.get('ann'), all.get('bob')])
    for (const id of ['ann', 'bob']) expect((await all.getEntry(id)).tags).toEqual([`user:${id}`, 'inner'])
  })

  test('whose tick is shared by loaders that inherit hands over to each of them', async () => {
    const loadMany = (ids: readonly string[]) => ids.map((name) => ({ name }))
    const all = users({ load: undefined, loadMany })
    const outer = (id: string) => one().getOrSet(`outer:${id}`, () => all.get(id), INHERIT)
    await Promise.all([outer('ann'), outer('bob'), all.get('cid')])
    expect([await tagsOf('outer:ann'), await tagsOf('outer:bob')]).toEqual([['user:ann'], ['user:bob']])
  })
})

describe('a wrapped function', () => {
  test('inherits, and hands over', async () => {
    const page = one().wrap(async (name: string) => `${name} ${await find('ann')}`, {
      name: 'page',
      ...INHERIT,
    })
    const find = one().wrap(async (name: string) => name, { name: 'find', tags: (name) => [`user:${name}`] })
    expect(await page('home')).toBe('home ann')
    expect(await tagsOf(page.key('home'))).toEqual(['user:ann'])
    await one().invalidateTags(['user:ann'])
    expect(await two().get(page.key('home'))).toBeUndefined()
  })

  test('by a decorator inherits, too', async () => {
    const cache = one()
    const render = async (name: string) => `${name} ${await inner()}`
    const cachedRender = cached(cache, { name: 'render', ...INHERIT })(render, contextOf('render'))
    expect(await cachedRender.call({}, 'home')).toBe('home inner')
    await cache.invalidateTags(['inner'])
    expect(await two().get('render("home")')).toBeUndefined()
  })
})

test('a verification inherits and hands over nothing', async () => {
  const cache = one().namespace('n', { verify: { sample: 1, grace: '1ms' } })
  const verified: string[] = []
  one().on('verify', ({ key, verdict }) => verified.push(`${key} ${verdict}`))
  await cache.getOrSet('part', () => 1)
  const part = () =>
    cache.getOrSet(
      'part',
      async () => {
        await inner('deep')
        return 1
      },
      { tags: [] },
    )
  await one().getOrSet(
    'outer',
    async () => {
      const value = await part()
      await sleep(20)
      return value
    },
    INHERIT,
  )
  await one().idle()
  expect(verified).toEqual(['part fresh'])
  expect(await tagsOf('outer')).toEqual([])
  expect(told()).toEqual([])
})
