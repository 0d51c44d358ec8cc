import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import type { LoadContext } from '../../src/cache/loading/load-context.ts'
import { memoize } from '../../src/cache/memoize/memoize.ts'
import { counting } from './counting.ts'
import { MapCache } from './map-cache.ts'

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
