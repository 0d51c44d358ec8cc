import { cached, type LoadContext, type ResultOptions } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { contextOf } from '../support/decorator-context.ts'
import { openTimed } from '../support/timed-source.ts'

interface User {
  readonly name: string
  readonly team?: string
  readonly isGuest?: boolean
}

const users = {
  '~standard': {
    version: 1,
    vendor: 'test',
    types: undefined as { readonly input: User; readonly output: User } | undefined,
    validate: (value: unknown) =>
      typeof (value as User | null)?.name === 'string'
        ? { value: value as User }
        : { issues: [{ message: 'no user' }] },
  },
} as const

type Find = (id: string) => Promise<User | undefined>
type Result = (user: User, id: string) => ResultOptions | undefined
type Cache = ReturnType<typeof openTimed>['cache']

/** Every way to have a loader whose value decides how it is kept. */
const WAYS: Readonly<Record<string, (cache: Cache, find: Find, result: Result) => Find>> = {
  wrap: (cache, find, result) => {
    const wrapped = cache.wrap(find, { name: 'find', tags: (id) => [`user:${id}`], result })
    return (id) => wrapped(id)
  },
  'wrap with context': (cache, find, result) => {
    const wrapped = cache.wrap((id: string, _context: LoadContext) => find(id), {
      ...{ name: 'find', context: true, result },
      tags: (id) => [`user:${id}`],
    })
    return (id) => wrapped(id)
  },
  '@cached': (cache, find, result) => {
    async function method(this: object, id: string): Promise<User | undefined> {
      return find(id)
    }
    const decorate = cached(cache, {
      tags: (id: string) => [`user:${id}`],
      // A function that is none is refused below.
      result: typeof result === 'function' ? (user: User, id: string) => result(user, id) : result,
    })
    const answer = decorate(method, contextOf('find'))
    const instance = new (class Users {})()
    return (id) => answer.call(instance, id)
  },
  'a collection with load': (cache, find, result) => {
    const all = cache.collection({
      name: 'all',
      schema: users,
      load: find,
      result,
      tags: (id) => [`user:${id}`],
    })
    return (id) => all.get(id)
  },
  'a collection with loadMany': (cache, find, result) => {
    const all = cache.collection({
      ...{ name: 'all', schema: users, result },
      loadMany: (ids: readonly string[]) => Promise.all(ids.map(find)),
      tags: (id) => [`user:${id}`],
    })
    return (id) => all.get(id)
  },
}

describe.each(Object.entries(WAYS))('result of %s', (_name, make) => {
  const open = (result: Result, options = {}) => {
    const opened = openTimed(options)
    const source = new Map<string, User>([['ann', { name: 'Ann', team: 'red' }]])
    const loads: string[] = []
    const find = async (id: string) => {
      loads.push(id)
      return source.get(id)
    }
    return { ...opened, source, loads, find: make(opened.cache, find, result) }
  }

  test('gets the value and the arguments of a load, and no hit', async () => {
    const seen: unknown[] = []
    const { find, source } = open((user, id) => {
      seen.push([user.name, id])
      return undefined
    })
    source.set('bob', { name: 'Bob' })
    expect(await find('ann')).toMatchObject({ name: 'Ann' })
    await find('ann')
    await find('bob')
    expect(await find('none')).toBeUndefined()
    expect(seen).toEqual([
      ['Ann', 'ann'],
      ['Bob', 'bob'],
    ])
  })

  test('sets how long the value is fresh', async () => {
    const { clock, find, loads, source } = open((user) => ({ ttl: user.isGuest ? '5s' : undefined }))
    source.set('guest', { name: 'Guest', isGuest: true })
    await find('ann')
    await find('guest')
    await clock.advance('6s')
    await find('ann')
    await find('guest')
    expect(loads).toEqual(['ann', 'guest', 'guest'])
  })

  test('sets a moment, and the stale windows', async () => {
    const { cache, clock, find, loads, told } = open(() => ({
      expiresAt: Date.now() + 10_000,
      staleWhileRevalidate: '1m',
    }))
    await find('ann')
    await clock.advance('11s')
    await find('ann')
    await cache.idle()
    expect(told).toEqual(['stale: revalidate'])
    expect(loads).toEqual(['ann', 'ann'])
  })

  test('adds tags, once they are known', async () => {
    const { cache, find, loads } = open((user) => ({ tags: [`team:${user.team}`] }))
    await find('ann')
    // A tag that was never met cannot be bound to safely. The next load knows it.
    await find('ann')
    await find('ann')
    expect(loads.length).toBe(2)
    await cache.invalidateTags(['team:red'])
    await find('ann')
    expect(loads.length).toBe(3)
    await find('ann')
    await cache.invalidateTags(['user:ann'])
    await find('ann')
    expect(loads.length).toBe(4)
  })

  test('may skip', async () => {
    const { find, loads, source } = open((user) => ({ skip: user.isGuest }))
    source.set('guest', { name: 'Guest', isGuest: true })
    for (let call = 0; call < 2; call++) expect(await find('guest')).toMatchObject({ isGuest: true })
    for (let call = 0; call < 2; call++) await find('ann')
    expect(loads).toEqual(['guest', 'guest', 'ann'])
  })

  test('rejects the call with what it throws as the cause, even beside a stale value', async () => {
    const error = new TypeError('no team')
    let isWrong = false
    const { clock, find, loads } = open(
      () => {
        if (isWrong) throw error
        return undefined
      },
      { staleIfError: '1h' },
    )
    await find('ann')
    isWrong = true
    await clock.advance('2m')
    const refusal = expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS', cause: error })
    for (let call = 0; call < 2; call++) await expect(find('ann')).rejects.toThrow(refusal)
    isWrong = false
    await find('ann')
    expect(loads.length).toBe(4)
  })

  test.each([
    ['a promise', async () => ({ ttl: '5s' }), 'CACHE_INVALID_OPTIONS'],
    ['null', () => null, 'CACHE_INVALID_OPTIONS'],
    ['a duration', () => '5s', 'CACHE_INVALID_OPTIONS'],
    ['an unknown option', () => ({ tttl: '5s' }), 'CACHE_INVALID_OPTIONS'],
    ['a skip that is no boolean', () => ({ skip: 1 }), 'CACHE_INVALID_OPTIONS'],
    ['two lifetimes', () => ({ ttl: '5s', expiresAt: 2e12 }), 'CACHE_INVALID_OPTIONS'],
    ['a bad duration', () => ({ ttl: -1 }), 'CACHE_INVALID_DURATION'],
    ['a bad tag', () => ({ tags: [''] }), 'CACHE_INVALID_KEY'],
    ['tags that are no list', () => ({ tags: 'tag' }), 'CACHE_INVALID_ARGUMENT'],
  ])('refuses %s', async (_what, result, code) => {
    const { find } = open(result as unknown as Result)
    await expect(find('ann')).rejects.toThrow(expect.objectContaining({ code }))
  })

  test('must be a function', () => {
    expect(() => open({} as Result)).toThrow(expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS' }))
  })
})

describe('result of a wrapped function', () => {
  test('goes over the options and over the context', async () => {
    const { cache } = openTimed()
    const find = cache.wrap(
      (_id: string, context: LoadContext) => {
        context.setTtl('20s')
        return { name: 'Ann' }
      },
      { name: 'find', context: true, ttl: '1h', result: (_user, id) => (id === 'own' ? { ttl: '5s' } : {}) },
    )
    await find('own')
    await find('other')
    expect(await cache.getTtl(find.key('own'))).toBe(5)
    expect(await cache.getTtl(find.key('other'))).toBe(20)
  })

  test('is asked for a value that was confirmed, and by refresh', async () => {
    const { cache, clock } = openTimed({ staleWhileRevalidate: '1h' })
    const seen: string[] = []
    const find = cache.wrap(
      (_id: string, context: LoadContext) => {
        if (context.stale() !== undefined) return context.notModified()
        return { name: 'Ann' }
      },
      {
        ...{ name: 'find', context: true },
        result: (user) => {
          seen.push(user.name)
          return { ttl: '5s' }
        },
      },
    )
    await find('ann')
    await clock.advance('6s')
    await find.refresh('ann')
    expect(seen).toEqual(['Ann', 'Ann'])
    expect(await cache.getTtl(find.key('ann'))).toBe(5)
  })

  test('is not asked for what the function does not want to keep', async () => {
    const { cache } = openTimed()
    let asked = 0
    const find = cache.wrap(
      (_id: string, context: LoadContext) => {
        context.skip()
        return 1
      },
      {
        ...{ name: 'find', context: true },
        result: () => {
          asked++
          return {}
        },
      },
    )
    await find('ann')
    expect(asked).toBe(0)
  })
})

test('result of a cached method has its instance, and needs a cache that gives a context', async () => {
  const { cache } = openTimed()
  class Shop {
    readonly lifetime = '5s'
  }
  async function find(this: Shop, id: string): Promise<string> {
    return id
  }
  const found = cached(cache, {
    result(this: Shop) {
      return { ttl: this.lifetime as '5s' }
    },
  })(find, contextOf('find'))
  await found.call(new Shop(), 'tea')
  expect(await cache.getTtl('Shop.find("tea")')).toBe(5)
  const bare = { getOrSet: async <T>(_key: string, loader: () => Promise<T> | T) => loader() }
  const refused = cached(bare, { result: () => ({ ttl: '5s' }) })(find, contextOf('find'))
  await expect(refused.call(new Shop(), 'tea')).rejects.toThrow(
    /needs a cache that gives its loaders a context/,
  )
})
