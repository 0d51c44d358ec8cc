import { describe, expect, test } from 'vitest'
import { Source } from '../support/loaders.ts'
import { useTwoCaches } from './two-processes.ts'

const { one, two, told } = useTwoCaches()

const INHERIT = { inherit: true } as const

describe('G6 an entry whose loader reads another entry with `inherit`', () => {
  test('is invalid when a tag of that entry is invalidated, in every process', async () => {
    const page = new Source('page')
    const ask = (cache = one()) =>
      cache.getOrSet('page', async () => `${await page.load()} of ${await userOf(cache)}`, INHERIT)
    const userOf = (cache = one()) => cache.getOrSet('user', () => 'ann', { tags: ['users'] })
    expect(await ask()).toBe('page of ann')
    expect(await ask(two())).toBe('page of ann')
    expect(page.loads).toBe(1)
    expect(two().peek('page')).toBe('page of ann')
    await one().invalidateTags(['users'])
    expect(two().peek('page')).toBeUndefined()
    expect(await two().get('page')).toBeUndefined()
    expect(await one().get('page')).toBeUndefined()
    await ask(two())
    expect(page.loads).toBe(2)
  })

  test('without `inherit` it is not', async () => {
    await one().getOrSet('page', () => one().getOrSet('user', () => 'ann', { tags: ['users'] }))
    await one().invalidateTags(['users'])
    expect(await one().get('page')).toBe('ann')
  })

  test('tells inherited tags as its own', async () => {
    const { tags } = await one().getOrSetEntry(
      'page',
      () => one().getOrSet('user', () => 'ann', { tags: ['users', 'all'] }),
      { inherit: true, tags: ['pages', 'all'] },
    )
    expect([...tags].sort()).toEqual(['all', 'pages', 'users'])
    expect([...((await two().getEntry('page'))?.tags ?? [])].sort()).toEqual(['all', 'pages', 'users'])
    const { shared } = await two().explain('page')
    expect(shared.tags.map(({ name, verdict }) => `${name} ${verdict}`).sort()).toEqual([
      'all valid',
      'pages valid',
      'users valid',
    ])
  })

  test('is invalid when the namespace of that entry is cleared, or a tag of that namespace invalidated', async () => {
    const users = one().namespace('users')
    const pages = one().namespace('pages', { inherit: true })
    const ask = () => pages.getOrSet('p', () => users.getOrSet('u', () => 'ann', { tags: ['staff'] }))
    for (const change of [() => users.clear(), () => users.invalidateTags(['staff'])]) {
      await ask()
      expect(await two().namespace('pages').get('p')).toBe('ann')
      await change()
      expect(await two().namespace('pages').get('p')).toBeUndefined()
      expect(await pages.get('p')).toBeUndefined()
    }
    await ask()
    expect((await pages.getEntry('p'))?.tags).toEqual([])
    const explanation = await pages.explain('p')
    expect(explanation.shared.isUsable).toBe(true)
    expect(explanation.shared.tags).toMatchObject([{ name: 'staff', of: 'shop:users:', verdict: 'valid' }])
    expect(String(explanation)).toContain("'staff' of 'shop:users:' valid")
    await users.invalidateTags(['staff'])
    expect((await pages.explain('p')).next.reason).toContain(
      "the tag 'staff' of 'shop:users:' was invalidated",
    )
    // Of its own namespace, there is no such tag.
    await ask()
    await pages.invalidateTags(['staff'])
    expect(await pages.get('p')).toBe('ann')
  })

  test('is read by the plain operations of the cache and of its namespace', async () => {
    const users = one().namespace('users')
    const pages = one().namespace('pages', { inherit: true })
    await pages.getOrSet('p', () => users.getOrSet('u', () => 'ann', { tags: ['staff'] }))
    expect(await pages.plain.get('p')).toBe('ann')
    expect(await one().plain.get('pages:p')).toBe('ann')
    await users.clear()
    expect(await pages.plain.get('p')).toBeUndefined()
    expect(told()).toEqual([])
  })

  test('inherits what that entry has inherited', async () => {
    await one().getOrSet('c', () => 1, { tags: ['c'] })
    await one().getOrSet('b', () => one().get('c'), INHERIT)
    await one().getOrSet('a', () => one().get('b'), INHERIT)
    await one().invalidateTags(['c'])
    expect(await one().get('a')).toBeUndefined()
  })

  test('does not inherit what the loader of that entry reads without `inherit`', async () => {
    const deep = () =>
      one().getOrSet('b', () => one().getOrSet('c', () => 1, { tags: ['c'] }), { tags: ['b'] })
    const { tags } = await one().getOrSetEntry('a', deep, INHERIT)
    expect(tags).toEqual(['b'])
  })

  test('has the policy of the cache, the namespace, the collection or the call', async () => {
    const inner = () => one().getOrSet('inner', () => 1, { tags: ['inner'] })
    const inheriting = one().namespace('n', INHERIT)
    const not = inheriting.namespace('n', { inherit: false })
    expect((await inheriting.getOrSetEntry('a', inner)).tags).toEqual([])
    await one().invalidateTags(['inner'])
    expect(await inheriting.get('a')).toBeUndefined()
    await not.getOrSet('a', inner)
    await inheriting.getOrSet('b', inner, { inherit: false })
    await one().invalidateTags(['inner'])
    expect([await not.get('a'), await inheriting.get('b')]).toEqual([1, 1])
    const bad = { inherit: 'yes' } as never
    expect(() => one().namespace('bad', bad)).toThrow('inherit must be true or false')
    await expect(one().getOrSet('c', inner, bad)).rejects.toMatchObject({ code: 'CACHE_INVALID_OPTIONS' })
  })

  test('inherits nothing of what its loader reads after it has ended', async () => {
    let later: Promise<unknown> = Promise.resolve()
    const { tags } = await one().getOrSetEntry(
      'a',
      () => {
        later = new Promise((resolve) => setImmediate(resolve)).then(() =>
          one().getOrSet('late', () => 1, { tags: ['late'] }),
        )
        return 1
      },
      INHERIT,
    )
    await later
    expect(tags).toEqual([])
    expect((await two().getEntry('a'))?.tags).toEqual([])
  })

  test('is not what another cache reads', async () => {
    const { tags } = await one().getOrSetEntry(
      'a',
      () => two().getOrSet('other', () => 1, { tags: ['other'] }),
      INHERIT,
    )
    expect(tags).toEqual([])
  })
})

describe('every kind of read hands over', () => {
  const reads: Readonly<Record<string, () => unknown>> = {
    get: () => one().get('inner'),
    'get past the local tier': () => one().get('inner', { local: false }),
    'get with a maxAge': () => one().get('inner', { maxAge: '1m' }),
    peek: () => one().peek('inner'),
    getMany: () => one().getMany(['inner']),
    getEntry: () => one().getEntry('inner'),
    'getEntry past the local tier': () => one().getEntry('inner', { local: false }),
    getOrSet: () => one().getOrSet('inner', () => 1),
    getOrSetEntry: () => one().getOrSetEntry('inner', () => 1),
    getOrSetMany: () => one().getOrSetMany(['inner'], () => [1]),
    refresh: () => one().refresh('inner', () => 1, { tags: ['inner'] }),
    reserve: () => one().reserve('inner'),
    'reserve with wait': () => one().reserve('inner', { wait: true }),
  }

  test.each(Object.entries(reads))('%s', async (_name, read) => {
    await one().getOrSet('inner', () => 1, { tags: ['inner'] })
    expect(one().peek('inner')).toBe(1)
    const load = async () => {
      await read()
      return 1
    }
    await one().getOrSet('warm', load, INHERIT)
    expect((await two().getEntry('warm'))?.tags).toEqual(['inner'])
  })

  test.each(Object.entries(reads))('%s of what lies in Redis', async (name, read) => {
    await two().getOrSet('inner', () => 1, { tags: ['inner'] })
    const load = async () => {
      await read()
      return 1
    }
    await one().getOrSet('cold', load, INHERIT)
    expect((await two().getEntry('cold'))?.tags).toEqual(name === 'peek' ? [] : ['inner'])
  })

  test('but not whether there is a value, nor how long it lasts', async () => {
    await one().getOrSet('inner', () => 1, { tags: ['inner'] })
    const load = async () => [await one().has('inner'), (await one().getTtl('inner')) !== undefined]
    const { tags, value } = await one().getOrSetEntry('outer', load, INHERIT)
    expect({ tags, value }).toEqual({ tags: [], value: [true, true] })
  })
})
