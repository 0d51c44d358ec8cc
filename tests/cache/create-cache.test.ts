import assert from 'node:assert/strict'
import { CacheError, createCache, type LoadContext } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { NullCacheBackend } from 'cachewright/null'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, it } from 'vitest'
import { startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'

const invalid = (error: unknown) => error instanceof CacheError && error.code === 'CACHE_INVALID_OPTIONS'

describe('createCache', () => {
  it('refuses invalid options', () => {
    assert.throws(() => createCache({ redis: 'http://localhost' }), invalid)
    assert.throws(() => createCache({ isolate: 'deep' as 'freeze' }), invalid)
    assert.throws(() => createCache({ coherence: { mode: 'process' as 'bus' } }), invalid)
    assert.throws(() => createCache({ coherence: { afterRestart: 'nothing' as 'invalidate' } }), invalid)
    assert.throws(() => createCache({ detectCycles: 'yes' as never }), invalid)
    assert.throws(() => createCache({ local: { maxEntries: 0 } }), invalid)
    assert.throws(() => createCache({ local: { maxBytes: 1.5 } }), invalid)
    assert.throws(() => createCache({ lease: { ttl: Number.POSITIVE_INFINITY } }), invalid)
    assert.throws(() => createCache({ backend: {} as never }), invalid)
    assert.throws(() => createCache({ redis: 'redis://localhost', client: {} as never }), invalid)
    for (const option of ['ttl', 'staleIfError', 'commandTimeout'] as const) {
      for (const duration of ['5 minutes', Number.NaN] as const) {
        assert.throws(
          () => createCache({ redis: 'redis://localhost', [option]: duration }),
          { code: 'CACHE_INVALID_DURATION' },
          option,
        )
      }
    }
  })

  it('keeps its data in memory if no Redis is configured', async () => {
    for (const redis of [undefined, '']) {
      await using cache = createCache({ redis })
      let loads = 0
      const load = async () => ({ load: ++loads })
      const values = await Promise.all(
        Array.from({ length: 100 }, () => cache.getOrSet('key', load, { tags: ['a'] })),
      )
      assert.equal(loads, 1)
      assert.ok(values.every((value) => value.load === 1))
      assert.equal(cache.coherence, 'process')
      assert.deepEqual(cache.peek('key'), { load: 1 })
      await cache.invalidateTags(['a'])
      assert.deepEqual(await cache.getOrSet('key', load, { tags: ['a'] }), { load: 2 })
      assert.equal(await cache.namespace('n').set('key', 1), true)
      assert.equal(await cache.counters.incr('counter'), 1)
      assert.equal(await cache.clear(), true)
      assert.equal(await cache.get('key'), undefined)
      assert.equal(await cache.namespace('n').get('key'), undefined)
      await waitUntil(async () => (await cache.plain.get('counter')) === undefined, { what: 'the reclaim' })
    }
  })

  it('serves no local entry past its TTL, by the given clock', async () => {
    let nowMs = 0
    await using cache = createCache({ clock: { monotonicMs: () => nowMs }, ttl: '10s' })
    await cache.getOrSet('key', () => 1)
    nowMs = 9_999
    assert.equal(cache.peek('key'), 1)
    assert.equal(await cache.getTtl('key'), 0.001)
    nowMs = 10_000
    assert.equal(cache.peek('key'), undefined)
    assert.equal(await cache.getOrSet('key', () => 2), 2)
  })

  it('uses a given backend, opens it if necessary and does not close it', async () => {
    const redis = await startStandalone()
    try {
      const backend = new RedisCacheBackend({ url: redis.url, prefix: 'given:', ttl: '1h' })
      const cache = createCache({ backend })
      assert.throws(() => createCache({ backend }), invalid, 'two caches would not hear of one another')
      assert.equal(await cache.getOrSet('key', () => 1), 1)
      assert.equal(cache.coherence, 'tracking')
      assert.equal(await backend.get('key'), 1)
      await backend.set('key', 2)
      assert.equal(cache.peek('key'), undefined, 'what is written to the backend is dropped at once')
      assert.equal(await cache.get('key'), 2)
      await cache.shutdown()
      assert.equal(await backend.get('key'), 2)
      await backend.shutdown()

      const open = new RedisCacheBackend({ url: redis.url, prefix: 'given:' })
      await open.initialize()
      const late = createCache({ backend: open })
      await late.initialize()
      await waitUntil(
        async () => {
          await late.getOrSet('late', () => 1)
          return late.coherence === 'tracking' && late.peek('late') === 1
        },
        { what: 'a connection that is tracked' },
      )
      await late.shutdown()
      await open.shutdown()
    } finally {
      await redis.stop()
    }
  })

  it('caches over a memory backend and loads on every call over a null backend', async () => {
    await using memory = createCache({ backend: new MemoryCacheBackend({ serializer: 'v8' }) })
    assert.deepEqual(await memory.getOrSet('key', () => new Map([['a', 1]])), new Map([['a', 1]]))
    assert.deepEqual(await memory.get('key'), new Map([['a', 1]]))
    await using nothing = createCache({ backend: new NullCacheBackend() })
    let loads = 0
    for (let call = 0; call < 3; call++) await nothing.getOrSet('key', () => ++loads)
    assert.equal(loads, 3)
    assert.equal(await nothing.delete('key'), false)
  })

  it('rejects programming mistakes at once', async () => {
    await using cache = createCache({ prefix: '' })
    await assert.rejects(
      cache.getOrSet('', () => 1),
      { code: 'CACHE_INVALID_KEY' },
    )
    await assert.rejects(cache.getOrSet('key', 5 as never), { code: 'CACHE_INVALID_ARGUMENT' })
    await assert.rejects(
      cache.getOrSet('key', () => 1, { ttl: 0 }),
      { code: 'CACHE_INVALID_DURATION' },
    )
    await assert.rejects(
      cache.getOrSet('key', () => () => 1),
      { code: 'CACHE_INVALID_VALUE' },
    )
    await assert.rejects(cache.set('key', undefined), { code: 'CACHE_INVALID_VALUE' })
    await assert.rejects(cache.getMany('keys' as never), { code: 'CACHE_INVALID_ARGUMENT' })
    await assert.rejects(cache.setMany(5 as never), { code: 'CACHE_INVALID_ARGUMENT' })
    assert.equal(await cache.sets.addManyToSet('set', ['a\0b']), 1)
    await assert.rejects(cache.invalidatePattern(''), { code: 'CACHE_INVALID_ARGUMENT' })
    await assert.rejects(cache.invalidateTags('users' as never), { code: 'CACHE_INVALID_ARGUMENT' })
    await assert.rejects(cache.clear(), { code: 'CACHE_INVALID_ARGUMENT' })
    assert.throws(() => cache.peek(''), { code: 'CACHE_INVALID_KEY' })
  })

  it('rejects programming mistakes without Redis, too', async () => {
    await using cache = createCache({ redis: 'redis://127.0.0.1:1' })
    for (let call = 0; call < 2; call++) {
      await assert.rejects(cache.set('key', undefined), { code: 'CACHE_INVALID_VALUE' })
      await assert.rejects(
        cache.set('key', () => 1),
        { code: 'CACHE_INVALID_VALUE' },
      )
      await assert.rejects(
        cache.getOrSet('key', () => () => 1),
        { code: 'CACHE_INVALID_VALUE' },
      )
      assert.equal(await cache.set('key', 1), false)
    }
  })

  it('caches null, and returns undefined without caching it', async () => {
    await using cache = createCache()
    let loads = 0
    for (let call = 0; call < 2; call++) {
      assert.equal(
        await cache.getOrSet('null', () => {
          loads++
          return null
        }),
        null,
      )
      assert.equal(await cache.getOrSet('undefined', () => void loads++), undefined)
    }
    assert.equal(loads, 3)
    assert.equal(await cache.has('null'), true)
    assert.equal(await cache.has('undefined'), false)
  })

  it('applies the TTL and the skip that a loader sets', async () => {
    await using cache = createCache({ ttl: '1h' })
    await cache.getOrSet('ttl', (context) => {
      context.setTtl('5m')
      return 1
    })
    assert.ok(((await cache.getTtl('ttl')) as number) <= 300)
    const skipped = () =>
      cache.getOrSet('skipped', (context) => {
        context.skip()
        return context.key
      })
    assert.equal(await skipped(), 'skipped')
    assert.equal(await cache.has('skipped'), false)
    await assert.rejects(
      cache.getOrSet('bad', (context) => context.setTtl(Number.NaN)),
      { code: 'CACHE_INVALID_DURATION' },
    )
  })

  it('wraps a function', async () => {
    await using cache = createCache()
    let calls = 0
    const square = cache.wrap(async function square(side: number) {
      calls++
      return side * side
    })
    assert.deepEqual([await square(3), await square(3), await square(4)], [9, 9, 16])
    assert.equal(calls, 2)
    assert.equal(await square.delete(3), true)
    assert.equal(await square(3), 9)
    assert.equal(calls, 3)
    assert.equal(square.key(3), 'square(3)')
  })

  it('wraps a function whose tags and time to live depend on its arguments', async () => {
    await using cache = createCache()
    let calls = 0
    const next = cache.wrap(
      async function next(_id: string) {
        return ++calls
      },
      { tags: (id) => (id === 'bad' ? (id as never) : [`id:${id}`]), ttl: (id) => (id === 'a' ? 10 : 20) },
    )
    assert.deepEqual([await next('a'), await next('b')], [1, 2])
    const ttls = [await cache.getTtl(next.key('a')), await cache.getTtl(next.key('b'))]
    assert.deepEqual(
      ttls.map((ttl) => Math.ceil((ttl ?? 0) / 10)),
      [1, 2],
    )
    await cache.invalidateTags(['id:a'])
    assert.deepEqual([await next('a'), await next('b')], [3, 2])
    assert.deepEqual([await next.refresh('b'), await next('b')], [4, 4])
    await assert.rejects(next('bad'), { code: 'CACHE_INVALID_ARGUMENT', message: /tags must be an array/ })
    const never = cache.wrap(async () => 1, { name: 'never', ttl: () => -1 })
    await assert.rejects(never(), { code: 'CACHE_INVALID_DURATION' })
  })

  it('wraps a function that sees the context of its load', async () => {
    await using cache = createCache()
    const seen: unknown[] = []
    const find = cache.wrap(
      async function find(id: string, context: LoadContext) {
        seen.push(context.stale()?.value)
        context.setTtl(id === 'a' ? 10 : 20)
        return id.toUpperCase()
      },
      { context: true },
    )
    assert.deepEqual([await find('a'), await find('a')], ['A', 'A'])
    assert.ok(((await cache.getTtl('find("a")')) as number) <= 10)
    assert.equal(await find.refresh('a'), 'A')
    assert.deepEqual(seen, [undefined, 'A'])
  })

  it('still loads after shutdown()', async () => {
    const cache = createCache()
    await cache.set('key', 1)
    await cache.shutdown()
    await cache.shutdown()
    assert.equal(await cache.getOrSet('key', () => 2), 2)
    assert.equal(await cache.get('key'), undefined)
    assert.equal(cache.peek('key'), undefined)
  })
})
