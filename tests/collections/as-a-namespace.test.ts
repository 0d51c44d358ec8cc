import { createCache, type Namespace, type StandardSchema } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { commandCalls } from '../support/command-calls.ts'
import { deferred } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'
import { storeUnfit } from './unfit-values.ts'

const scene = useScene()
const invalidKey = expect.objectContaining({ code: 'CACHE_INVALID_KEY' })

/** A collection whose loader counts its calls. */
function counted(cache: Namespace, name = 'users', version?: number) {
  let loads = 0
  return cache.collection({ name, version, schema: z.number(), load: () => ++loads })
}

describe('a collection and a namespace of one name', () => {
  test('share no key', async () => {
    const cache = await scene.open()
    const [users, namespace] = [counted(cache), cache.namespace('users')]
    await users.set('ann', 1)
    await namespace.set('ann', 'of the namespace')
    expect(await users.get('ann')).toBe(1)
    expect(await namespace.get('ann')).toBe('of the namespace')
    expect(await namespace.clear()).toBe(true)
    expect(await users.get('ann')).toBe(1)
    await namespace.set('ann', 'again')
    expect(await users.clear()).toBe(true)
    expect(await namespace.get('ann')).toBe('again')
    expect(await users.has('ann')).toBe(false)
  })

  test.each(['users@0', 'users@12', 'a:users@0', 'users@0:ann', '@1'])(
    'cannot be told apart by the name %s, which is refused',
    (name) => {
      const cache = createCache()
      expect(() => cache.namespace(name)).toThrow(invalidKey)
      expect(() => cache.namespace('inner').namespace(name)).toThrow(invalidKey)
    },
  )

  test.each(['users', 'ann@example.com', 'users@', 'users@0a', '@scope/pkg', 'a:b@c', '0@:1'])(
    'the name %s is no mark of a collection',
    async (name) => {
      const cache = createCache()
      await cache.namespace(name).set('key', 1)
      expect(await cache.get(`${name}:key`)).toBe(1)
    },
  )

  test('a value that was stored through the namespace around it is loaded again', async () => {
    const cache = await scene.open()
    const users = counted(cache)
    await cache.set(users.key('ann'), 5)
    expect(await users.has('ann')).toBe(false)
    expect(await users.get('ann')).toBe(1)
  })

  test('is nested as deep as a namespace may be', () => {
    let cache: Namespace = createCache()
    for (let depth = 1; depth < 15; depth++) cache = cache.namespace('n')
    counted(cache)
    const deepest = cache.namespace('n')
    expect(() => counted(deepest)).toThrow(expect.objectContaining({ code: 'CACHE_INVALID_ARGUMENT' }))
  })
})

describe('clear() of a collection', () => {
  test('removes its entries in every process, and nothing else', async () => {
    const [cache, other] = [await scene.open(), await scene.open()]
    const [users, elsewhere, orders] = [counted(cache), counted(other), counted(cache, 'orders')]
    await cache.set('users', 1)
    await cache.set('users@0', 2)
    await cache.plain.set('users@0:plain', 3)
    await Promise.all([users.getMany(['a', 'b']), orders.get('a')])
    expect(await elsewhere.get('a')).toBe(await users.get('a'))
    expect(await users.clear()).toBe(true)
    expect([await users.has('a'), await users.has('b'), await elsewhere.has('a')]).toEqual([
      false,
      false,
      false,
    ])
    expect(await elsewhere.get('a')).toBe(1)
    expect(await cache.plain.get('users@0:plain')).toBeUndefined()
    expect([await orders.get('a'), await cache.get('users'), await cache.get('users@0')]).toEqual([1, 1, 2])
    await cache.idle()
    expect(await scene.redis.ask('EXISTS', 'shop:users@0:b')).toBe(0)
  })

  test('removes the entries of the adjacent versions only', async () => {
    const cache = await scene.open()
    const versions = [undefined, 1, 2, 3].map((version) => counted(cache, 'users', version))
    await Promise.all(versions.map((users) => users.get('a')))
    expect(await versions[1]?.clear()).toBe(true)
    expect(await Promise.all(versions.map((users) => users.has('a')))).toEqual([false, false, false, true])
  })

  test('P16 a load that began before it is not stored', async () => {
    const [cache, other] = [await scene.open(), await scene.open()]
    const [begun, held] = [deferred(), deferred<number>()]
    const load = () => {
      begun.resolve()
      return held.promise
    }
    const users = cache.collection({ name: 'users', schema: z.number(), load })
    const loading = users.get('a')
    await begun.promise
    await counted(other).clear()
    held.resolve(1)
    expect(await loading).toBe(1)
    expect(await users.has('a')).toBe(false)
  })

  test('works in a cache without a prefix, and answers false without Redis', async () => {
    const memory = createCache({ prefix: '' })
    const users = counted(memory)
    await users.get('a')
    expect(await users.clear()).toBe(true)
    expect(await users.get('a')).toBe(2)
    const away = createCache({ redis: 'redis://127.0.0.1:1', commandTimeout: '100ms' })
    expect(await counted(away).clear()).toBe(false)
    await Promise.all([memory.shutdown(), away.shutdown()])
  })

  test('follows when the cache around it is cleared', async () => {
    const cache = await scene.open()
    const users = counted(cache.namespace('n'))
    await users.get('a')
    await cache.clear()
    expect(await users.has('a')).toBe(false)
  })
})

describe('peek, has and getTtl of a collection', () => {
  test('tell of the value without loading it', async () => {
    const clock = new ManualClock()
    const cache = createCache({ clock })
    const schema = z.object({ n: z.number() }).transform(({ n }) => ({ n: -n }))
    const users = cache.collection({ name: 'users', schema, ttl: '10s', load: () => ({ n: 1 }) })
    const seen = async () => [users.peek('ann'), await users.has('ann'), await users.getTtl('ann')]
    expect(await seen()).toEqual([undefined, false, undefined])
    await users.get('ann')
    await clock.advance('4s')
    expect(await seen()).toEqual([{ n: -1 }, true, 6])
    expect(users.peek('ann')).toBe(await users.get('ann'))
    await clock.advance('6s')
    expect(await seen()).toEqual([undefined, false, undefined])
    expect(cache.stats().total.loads).toBe(1)
    await cache.shutdown()
  })

  test('find a value of another process in Redis', async () => {
    const [cache, other] = [await scene.open(), await scene.open()]
    const [users, elsewhere] = [counted(cache), counted(other)]
    await elsewhere.get('ann')
    expect(users.peek('ann')).toBeUndefined()
    expect(await users.has('ann')).toBe(true)
    expect(users.peek('ann')).toBe(1)
    expect(await users.getTtl('ann')).toBeGreaterThan(0)
  })

  test('miss a value that does not fit the schema, in Redis and in this process', async () => {
    await storeUnfit(scene, 'users', ['ann'])
    const cache = await scene.open()
    const users = counted(cache)
    for (let look = 0; look < 2; look++) {
      expect([await users.has('ann'), await users.getTtl('ann'), users.peek('ann')]).toEqual([
        false,
        undefined,
        undefined,
      ])
      // Now it lies in the local tier too.
      expect(await cache.get(users.key('ann'))).toBe('text')
    }
    expect(await users.get('ann')).toBe(1)
    expect([await users.has('ann'), users.peek('ann')]).toEqual([true, 1])
  })

  test('miss a value that lacks a tag of its id', async () => {
    const [cache, other] = [await scene.open(), await scene.open()]
    await counted(other).get('ann')
    const tagged = cache.collection({
      name: 'users',
      schema: z.number(),
      load: () => 2,
      tags: (id) => [`id:${id}`],
    })
    expect([await tagged.has('ann'), await tagged.getTtl('ann')]).toEqual([false, undefined])
    expect(await cache.get(tagged.key('ann'))).toBe(1)
    expect([tagged.peek('ann'), await tagged.has('ann')]).toEqual([undefined, false])
    expect(await tagged.get('ann')).toBe(2)
    expect([tagged.peek('ann'), await tagged.has('ann')]).toEqual([2, true])
  })

  test('peek hands out an output of its own for each caller where it cannot be frozen', async () => {
    const cache = createCache()
    const events = cache.collection({ name: 'events', schema: z.coerce.date(), load: () => '2000-01-02' })
    await events.get('a')
    events.peek('a')?.setTime(0)
    expect(events.peek('a')?.getUTCFullYear()).toBe(2000)
    class Money {
      readonly cents: number
      constructor(cents: number) {
        this.cents = cents
      }
    }
    const schema = z.number().transform((cents) => new Money(cents))
    const prices = cache.collection({ name: 'prices', schema, load: () => 250 })
    await prices.get('tea')
    expect(prices.peek('tea')).toEqual(new Money(250))
    expect(prices.peek('tea')).not.toBe(prices.peek('tea'))
    await cache.shutdown()
  })

  test('peek waits for no promise of a schema, but knows what a get has validated', async () => {
    const cache = createCache()
    const schema: StandardSchema<string, string> = {
      '~standard': { version: 1, vendor: 'test', validate: async (value) => ({ value: `${value}!` }) },
    }
    const users = cache.collection({ name: 'users', schema, load: () => 'ann' })
    await users.set('a', 'ann')
    await cache.get(users.key('a'))
    expect(users.peek('a')).toBeUndefined()
    expect(await users.has('a')).toBe(true)
    await users.get('a')
    expect(users.peek('a')).toBe('ann!')
    const throwing = z.number().transform(() => {
      throw new Error('broken schema')
    })
    const broken = cache.collection({ name: 'broken', schema: throwing, load: () => 1 })
    await cache.plain.set(broken.key('a'), 1)
    await cache.get(broken.key('a'))
    expect(broken.peek('a')).toBeUndefined()
    await cache.shutdown()
  })

  test('count a hit of peek, and emit its event with the key', async () => {
    const cache = createCache()
    const users = counted(cache)
    await users.get('ann')
    const hits: unknown[] = []
    cache.on('hit', (event) => hits.push(event))
    users.peek('ann')
    users.peek('bob')
    expect(hits).toEqual([{ namespace: 'users@0', key: 'ann', tier: 'local' }])
    await cache.shutdown()
  })

  test('refuse ids that make no key', async () => {
    const users = counted(createCache())
    for (const id of ['', undefined, '\u0000', '\ud800'] as string[]) {
      expect(() => users.peek(id)).toThrow(invalidKey)
      for (const call of [users.has(id), users.getTtl(id), users.explain(id), users.deleteMany(['a', id])])
        await expect(call).rejects.toEqual(invalidKey)
    }
  })
})

describe('deleteMany of a collection', () => {
  test('deletes ids in all adjacent versions, and counts those of its own', async () => {
    const cache = await scene.open()
    const [none, one] = [counted(cache), counted(cache, 'users', 1)]
    await Promise.all([none.getMany(['a', 'b', 'c']), one.getMany(['a', 'd'])])
    await scene.redis.ask('CONFIG', 'RESETSTAT')
    expect(await none.deleteMany(['a', 'b', 'a', 'd'])).toBe(2)
    const calls = await commandCalls(scene.redis)
    expect((calls.get('evalsha') ?? 0) + (calls.get('eval') ?? 0)).toBe(2)
    const left = ['a', 'b', 'c', 'd'].flatMap((id) => [none.has(id), one.has(id)])
    expect(await Promise.all(left)).toEqual([false, false, false, false, true, false, false, false])
    expect(await none.deleteMany(new Set())).toBe(0)
    await expect(none.deleteMany('abc')).rejects.toMatchObject({ code: 'CACHE_INVALID_ARGUMENT' })
  })

  test('names the keys in its event', async () => {
    const cache = createCache()
    const users = counted(cache)
    await users.getMany(['a', 'b'])
    const deleted: unknown[] = []
    cache.on('delete', (event) => deleted.push(event))
    expect(await users.deleteMany(['a', 'b'])).toBe(2)
    expect(deleted).toEqual([{ namespace: 'users@0', keys: ['a', 'b'], removed: 2 }])
    await cache.shutdown()
  })
})
