import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { memoize, namesOf } from '../../src/cache/memoize/memoize.ts'
import { counting } from './counting.ts'
import { MapCache } from './map-cache.ts'

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
