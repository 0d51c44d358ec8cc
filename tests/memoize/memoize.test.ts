import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import type { GetOrSetOptions } from '../../src/cache/freshness/policies.ts'
import { NameRegistry } from '../../src/cache/keys/name-registry.ts'
import type { LoadContext, Loader } from '../../src/cache/loading/load-context.ts'
import { memoize, namesOf, type WrappingCache } from '../../src/cache/memoize/memoize.ts'

/** A cache in a Map, in which concurrent calls share one load. */
class MapCache implements WrappingCache {
  readonly names = new NameRegistry()
  readonly seenOptions: (GetOrSetOptions | undefined)[] = []
  readonly #entries = new Map<string, Promise<unknown>>()

  get keys(): string[] {
    return [...this.#entries.keys()]
  }

  getOrSet<T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<T> {
    const known = this.#entries.get(key) as Promise<T> | undefined
    if (known === undefined) return this.refresh(key, loader, options)
    this.seenOptions.push(options)
    return known
  }

  refresh<T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<T> {
    this.seenOptions.push(options)
    const loading = new Promise<T>((resolve) => resolve(loader({ key } as LoadContext)))
    this.#entries.set(key, loading)
    loading.catch(() => this.#entries.delete(key))
    return loading
  }

  async delete(key: string): Promise<boolean> {
    return this.#entries.delete(key)
  }
}

/** A function that counts its calls. */
function counting() {
  const calls: number[] = []
  async function double(number: number): Promise<number> {
    calls.push(number)
    return 2 * number
  }
  return { calls, double }
}

describe('a wrapped function', () => {
  it('is called once for each distinct list of arguments', async () => {
    const cache = new MapCache()
    const { calls, double } = counting()
    const cached = memoize(cache, cache.names, double)
    assert.deepEqual(await Promise.all([cached(2), cached(2), cached(3)]), [4, 4, 6])
    assert.equal(await cached(2), 4)
    assert.deepEqual(calls, [2, 3])
    assert.deepEqual(cache.keys, ['double(2)', 'double(3)'])
  })

  it('may be synchronous, and still returns a promise', async () => {
    const cache = new MapCache()
    const cached = memoize(cache, cache.names, function shout(word: string) {
      return word.toUpperCase()
    })
    const answer = cached('a')
    assert.ok(answer instanceof Promise)
    assert.equal(await answer, 'A')
  })

  it('rejects with the error of the function, and caches no failure', async () => {
    const cache = new MapCache()
    let attempts = 0
    const cached = memoize(cache, cache.names, function flaky() {
      attempts++
      if (attempts === 1) throw new Error('not yet')
      return attempts
    })
    await assert.rejects(cached(), /not yet/)
    assert.equal(await cached(), 2)
  })

  it('passes entry options on to the cache, and no others', async () => {
    const cache = new MapCache()
    const { double } = counting()
    await memoize(cache, cache.names, double, { ttl: 60, tags: ['n'], name: 'twice', key: String })(1)
    await memoize(cache, cache.names, double)(1)
    assert.deepEqual(cache.seenOptions, [{ ttl: 60, tags: ['n'] }, {}])
  })

  it('has the tags and the time to live that functions make of its arguments', async () => {
    const cache = new MapCache()
    const { double } = counting()
    const cached = memoize(cache, cache.names, double, {
      tags: (number) => [`n:${number}`],
      ttl: (number) => (number === 1 ? '5m' : undefined),
      jitter: 0.1,
    })
    await cached(1)
    await cached.refresh(2)
    await memoize(cache, cache.names, double, { ttl: 60, tags: (number) => [`n:${number}`] })(3)
    assert.deepEqual(cache.seenOptions, [
      { ttl: '5m', tags: ['n:1'], jitter: 0.1 },
      { ttl: undefined, tags: ['n:2'], jitter: 0.1 },
      { ttl: 60, tags: ['n:3'] },
    ])
  })

  it('passes the same object of options at each call, unless they depend on the arguments', async () => {
    const cache = new MapCache()
    const cached = memoize(cache, cache.names, counting().double, { ttl: 60, tags: ['n'] })
    await Promise.all([cached(1), cached(1), cached.refresh(2)])
    assert.equal(new Set(cache.seenOptions).size, 1)
  })

  it('rejects if the function for its tags or its time to live throws, and calls nothing', async () => {
    const cache = new MapCache()
    const { calls, double } = counting()
    const fail = (): never => {
      throw new TypeError('of the caller')
    }
    for (const options of [{ tags: fail }, { ttl: fail }]) {
      const cached = memoize(cache, cache.names, double, options)
      await assert.rejects(cached(1), TypeError)
      await assert.rejects(cached.refresh(1), TypeError)
    }
    assert.deepEqual(calls, [])
  })

  it('ignores later changes of its options object', async () => {
    const cache = new MapCache()
    const { double } = counting()
    const options: { ttl: number; name: string } = { ttl: 60, name: 'twice' }
    const cached = memoize(cache, cache.names, double, options)
    options.ttl = 1
    options.name = 'other'
    await cached(1)
    assert.deepEqual(cache.seenOptions, [{ ttl: 60 }])
    assert.deepEqual(cache.keys, ['twice(1)'])
  })

  it('passes `this` on, and leaves it out of the key', async () => {
    const cache = new MapCache()
    const greeter = {
      greeting: 'Hello',
      greet: memoize(cache, cache.names, async function greet(this: { greeting: string }, name: string) {
        return `${this.greeting} ${name}`
      }),
    }
    assert.equal(await greeter.greet('Ann'), 'Hello Ann')
    assert.deepEqual(cache.keys, ['greet("Ann")'])
  })

  it('calls the function anew for `refresh`, with the `this` of that call', async () => {
    const cache = new MapCache()
    const { calls, double } = counting()
    const cached = memoize(cache, cache.names, double)
    assert.deepEqual([await cached(2), await cached.refresh(2), await cached(2)], [4, 4, 4])
    assert.deepEqual(calls, [2, 2])
    const seen: unknown[] = []
    const keeping = memoize(cache, cache.names, async function keep(this: unknown, _: number) {
      seen.push(this)
    })
    const self = { keeping }
    await keeping.refresh(1)
    await keeping.refresh.call(self, 1)
    assert.deepEqual(seen, [undefined, self])
  })

  it('has the name and length of the function', () => {
    const cache = new MapCache()
    const cached = memoize(cache, cache.names, counting().double)
    assert.equal(cached.name, 'double')
    assert.equal(cached.length, 1)
  })
})

describe('a function wrapped with `context: true`', () => {
  it('gets the context of its load after its arguments, and the key has none of it', async () => {
    const cache = new MapCache()
    const seen: unknown[] = []
    const cached = memoize(
      cache,
      cache.names,
      async function find(id: string, limit: number | undefined, context: LoadContext) {
        seen.push([id, limit, context.key])
        return `${id} ${limit}`
      },
      { context: true, tags: (id, limit) => [`${id}/${limit}`] },
    )
    assert.equal(await cached('a', 1), 'a 1')
    await cached.refresh('b', undefined)
    assert.deepEqual(seen, [
      ['a', 1, 'find("a",1)'],
      ['b', undefined, 'find("b",undefined)'],
    ])
    assert.deepEqual(
      cache.seenOptions.map((options) => options?.tags),
      [['a/1'], ['b/undefined']],
    )
    assert.deepEqual([cached.name, cached.length, cached.key('a', 1)], ['find', 2, 'find("a",1)'])
  })

  it('gets the context in its last place if a caller leaves out arguments', async () => {
    const cache = new MapCache()
    const find = async (...args: [string | undefined, number | undefined, LoadContext]) => args.length
    Object.defineProperty(find, 'length', { value: 3 })
    const cached = memoize(cache, cache.names, find, { context: true, name: 'find' })
    assert.equal(await (cached as unknown as (id: string) => Promise<number>)('a'), 3)
  })

  it('has no context without the option', async () => {
    const cache = new MapCache()
    const count = async (...args: readonly unknown[]) => args.length
    assert.equal(await memoize(cache, cache.names, count, { name: 'count' })(1), 1)
    assert.equal(await memoize(cache, cache.names, count, { name: 'count', context: false })(2), 1)
  })
})

describe('what cannot be wrapped', () => {
  const wrapping = (given: unknown, options?: unknown) => () => {
    const cache = new MapCache()
    memoize(cache, cache.names, given as () => void, options as object)
  }

  it('is a key and a loader, as another library wraps them', () => {
    assert.throws(
      wrapping('key', async () => 1),
      {
        name: 'CacheError',
        code: 'CACHE_INVALID_ARGUMENT',
        message: 'wrap(fn, options) takes a function, not a string: that is getOrSet(key, loader) here',
      },
    )
  })

  it.each([
    ['a text', 'key'],
    ['nothing', undefined],
    ['an object', {}],
  ])('is %s', (_what, given) => {
    assert.throws(wrapping(given), {
      code: 'CACHE_INVALID_ARGUMENT',
      message: /takes a function, not (?!.*getOrSet)/,
    })
  })
})

describe('the key of a call', () => {
  it('is made without a call', async () => {
    const cache = new MapCache()
    const { calls, double } = counting()
    const cached = memoize(cache, cache.names, double)
    assert.equal(cached.key(2), 'double(2)')
    await cached(2)
    assert.deepEqual(cache.keys, [cached.key(2)])
    assert.deepEqual(calls, [2])
  })

  it('comes from the `key` option, if given', async () => {
    const cache = new MapCache()
    const findUser = async (user: { readonly id: number }, _trace: () => void) => `user ${user.id}`
    const cached = memoize(cache, cache.names, findUser, {
      key: (user: { readonly id: number }) => `u${user.id}`,
    })
    assert.equal(await cached({ id: 7 }, () => {}), 'user 7')
    assert.deepEqual(cache.keys, ['findUser(u7)'])
  })

  it('can be used to delete the result of a call', async () => {
    const cache = new MapCache()
    const { calls, double } = counting()
    const cached = memoize(cache, cache.names, double)
    await Promise.all([cached(2), cached(3)])
    assert.equal(await cached.delete(2), true)
    assert.equal(await cached.delete(2), false)
    await Promise.all([cached(2), cached(3)])
    assert.deepEqual(calls, [2, 3, 2])
  })

  it('cannot include a function: the call rejects and calls nothing', async () => {
    const cache = new MapCache()
    let calls = 0
    const cached = memoize(cache, cache.names, function each(_: () => void) {
      calls++
    })
    const invalid = { name: 'CacheError', code: 'CACHE_INVALID_ARGUMENT' }
    await assert.rejects(
      cached(() => {}),
      invalid,
    )
    await assert.rejects(
      cached.delete(() => {}),
      invalid,
    )
    assert.throws(() => cached.key(() => {}), invalid)
    assert.equal(calls, 0)
  })

  it.each([undefined, null, 7, { id: 7 }])('must not be %s', async (text) => {
    const cache = new MapCache()
    const cached = memoize(cache, cache.names, counting().double, { key: () => text as unknown as string })
    await assert.rejects(cached(1), { code: 'CACHE_INVALID_KEY', message: /`key` function of double/ })
    assert.deepEqual(cache.keys, [])
  })
})

describe('the name of a function', () => {
  const refused = { name: 'CacheError', code: 'CACHE_INVALID_OPTIONS' }

  it('is required', () => {
    const cache = new MapCache()
    assert.throws(() => memoize(cache, cache.names, async () => 1), {
      ...refused,
      message: /give the option `name`/,
    })
    assert.throws(() => memoize(cache, cache.names, counting().double, { name: '' }), refused)
    memoize(cache, cache.names, async () => 1, { name: 'one' })
  })

  it('belongs to one function, which may be wrapped again', async () => {
    const cache = new MapCache()
    const { calls, double } = counting()
    const first = memoize(cache, cache.names, double)
    const second = memoize(cache, cache.names, double)
    assert.throws(() => memoize(cache, cache.names, counting().double), {
      ...refused,
      message: /Another function is cached as double/,
    })
    assert.throws(() => memoize(cache, cache.names, first), refused)
    assert.deepEqual([await first(1), await second(1)], [2, 2])
    assert.deepEqual(calls, [1])
  })

  it('is free in another cache', () => {
    for (const cache of [new MapCache(), new MapCache()]) memoize(cache, cache.names, counting().double)
  })

  it('is delimited from the arguments, so that a `key` function cannot make two calls collide', () => {
    const cache = new MapCache()
    assert.throws(() => memoize(cache, cache.names, counting().double, { name: 'f(1)' }), refused)
  })

  it('and the key function are checked at run time', () => {
    const cache = new MapCache()
    for (const options of [{ name: 7 }, { name: null }, { key: 'id' }, { key: null }, { context: 1 }]) {
      assert.throws(() => memoize(cache, cache.names, counting().double, options as object), refused)
    }
    assert.equal(cache.names.size, 0)
  })

  it('comes with options of which a signal is refused, since it would hold for every call', () => {
    const cache = new MapCache()
    const { signal } = new AbortController()
    assert.throws(() => memoize(cache, cache.names, counting().double, { signal } as object), {
      ...refused,
      message: /'signal' of a cached function: one signal would hold for every call/,
    })
  })

  it('can be kept for a cache that keeps no names', () => {
    const cache = new MapCache()
    assert.equal(namesOf(cache), namesOf(cache))
    assert.notEqual(namesOf(cache), namesOf(new MapCache()))
  })
})
