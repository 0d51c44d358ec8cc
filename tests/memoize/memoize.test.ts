import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import type { GetOrSetOptions } from '../../src/cache/freshness/policies.ts'
import { NameRegistry } from '../../src/cache/keys/name-registry.ts'
import { type MemoizingCache, memoize, namesOf } from '../../src/cache/memoize/memoize.ts'

/** A cache in a Map, in which concurrent calls share one load. */
class MapCache implements MemoizingCache {
  readonly names = new NameRegistry()
  readonly seenOptions: (GetOrSetOptions | undefined)[] = []
  readonly #entries = new Map<string, Promise<unknown>>()

  get keys(): string[] {
    return [...this.#entries.keys()]
  }

  getOrSet<T>(key: string, loader: () => Promise<T> | T, options?: GetOrSetOptions): Promise<T> {
    this.seenOptions.push(options)
    const known = this.#entries.get(key) as Promise<T> | undefined
    if (known !== undefined) return known
    const loading = new Promise<T>((resolve) => resolve(loader()))
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
    const answer: Promise<string> = cached('a')
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

  it('has the name and length of the function', () => {
    const cache = new MapCache()
    const cached = memoize(cache, cache.names, counting().double)
    assert.equal(cached.name, 'double')
    assert.equal(cached.length, 1)
  })
})

describe('the key of a call', () => {
  it('is available without a call', async () => {
    const cache = new MapCache()
    const { calls, double } = counting()
    const cached = memoize(cache, cache.names, double)
    assert.equal(cached.keyOf(2), 'double(2)')
    await cached(2)
    assert.deepEqual(cache.keys, [cached.keyOf(2)])
    assert.deepEqual(calls, [2])
  })

  it('comes from the `key` option, if given', async () => {
    const cache = new MapCache()
    const findUser = async (user: { readonly id: number }, _trace: () => void) => `user ${user.id}`
    const cached = memoize(cache, cache.names, findUser, { key: (user) => `u${user.id}` })
    assert.equal(await cached({ id: 7 }, () => {}), 'user 7')
    assert.deepEqual(cache.keys, ['findUser(u7)'])
  })

  it('can be used to delete the result of a call', async () => {
    const cache = new MapCache()
    const { calls, double } = counting()
    const cached = memoize(cache, cache.names, double)
    await Promise.all([cached(2), cached(3)])
    assert.equal(await cached.invalidate(2), true)
    assert.equal(await cached.invalidate(2), false)
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
      cached.invalidate(() => {}),
      invalid,
    )
    assert.throws(() => cached.keyOf(() => {}), invalid)
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
    for (const options of [{ name: 7 }, { name: null }, { key: 'id' }, { key: null }]) {
      assert.throws(() => memoize(cache, cache.names, counting().double, options as object), refused)
    }
    assert.equal(cache.names.size, 0)
  })

  it('can be kept for a cache that keeps no names', () => {
    const cache = new MapCache()
    assert.equal(namesOf(cache), namesOf(cache))
    assert.notEqual(namesOf(cache), namesOf(new MapCache()))
  })
})

it('types are those of the function and of the cache', () => {
  const cache = new MapCache()
  const cached = memoize(cache, cache.names, counting().double)
  const typed: (number: number) => Promise<number> = cached
  const checks = () => {
    // @ts-expect-error an argument of another type
    void cached('2')
    // @ts-expect-error an argument too many
    void cached.keyOf(2, 3)
    // @ts-expect-error no such option
    memoize(cache, cache.names, counting().double, { lifetime: 1 })
    // @ts-expect-error a key function for other arguments
    memoize(cache, cache.names, counting().double, { key: (word: string) => word })
  }
  assert.ok(typed)
  assert.ok(checks)
})
