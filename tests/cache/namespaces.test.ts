import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Cache, createCache, type Isolation, type Namespace } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { WeakValues } from '../../src/foundation/weak-values.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

describe('a namespace', () => {
  test('is the same object each time, by name and options', () => {
    const cache = createCache()
    const users = cache.namespace('users')
    expect(cache.namespace('users')).toBe(users)
    expect(cache.namespace('users', {})).toBe(users)
    expect(cache.namespace('orders')).not.toBe(users)
    const brief = cache.namespace('users', { ttl: '1m' })
    expect(brief).not.toBe(users)
    expect(cache.namespace('users', { ttl: 60 })).toBe(brief)
    expect(cache.namespace('users', { ttl: Number.POSITIVE_INFINITY })).not.toBe(brief)
    expect(brief.namespace('in')).not.toBe(users.namespace('in'))
    expect(cache.namespace('users').namespace('in')).toBe(users.namespace('in'))
  })

  test('that nobody holds costs nothing', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const kept = new WeakValues<object>()
    for (let number = 0; number < 1_000; number++) kept.set(`${number}`, { number })
    const held = { number: -1 }
    kept.set('held', held)
    await waitUntil(
      () => {
        collect()
        return kept.size === 1
      },
      { what: 'the values that nobody holds to go' },
    )
    expect(kept.get('held')).toBe(held)
    expect(kept.get('1')).toBeUndefined()
  })

  test('has no lifecycle of its own', () => {
    const users: object = createCache().namespace('users')
    for (const name of ['shutdown', 'initialize', 'on', 'idle', 'coherence', 'circuit'])
      expect([name, name in users]).toEqual([name, false])
    expect(Symbol.asyncDispose in users).toBe(false)
  })
})

describe('isolate of a namespace', () => {
  const KINDS: Record<string, (isolate?: Isolation) => Cache | Promise<Cache>> = {
    'in memory': (isolate?: Isolation) => createCache({ isolate }),
    'over Redis': (isolate?: Isolation) => scene.open({ isolate }),
  }

  /** How a value is handed out: from a load, from Redis and from the local tier. */
  async function isolationOf(cache: Cache, space: Namespace): Promise<string> {
    const given = { list: [1] }
    const loaded = await space.getOrSet<{ list: number[] }>('key', () => given)
    await space.get('key')
    const [one, two] = [await space.get('key'), await space.get('key')]
    await cache.idle()
    if (one !== two) return Object.isFrozen(one) || Object.isFrozen(loaded) ? 'mixed' : 'clone'
    if (loaded === given) return 'share'
    return Object.isFrozen(one) && Object.isFrozen(loaded) ? 'freeze' : 'mixed'
  }

  test.each(Object.entries(KINDS))(
    'holds for its entries and for namespaces within, %s',
    async (_name, open) => {
      for (const common of [undefined, 'clone'] as const) {
        const cache = await open(common)
        const shared = cache.namespace('shared', { isolate: 'share' })
        expect(await isolationOf(cache, shared)).toBe('share')
        expect(await isolationOf(cache, shared.namespace('in'))).toBe('share')
        expect(await isolationOf(cache, shared.namespace('own', { isolate: 'clone' }))).toBe('clone')
        expect(await isolationOf(cache, cache.namespace('other'))).toBe(common ?? 'freeze')
        // A name that only begins like it.
        expect(await isolationOf(cache, cache.namespace('shared!'))).toBe(common ?? 'freeze')
        expect(await isolationOf(cache, cache)).toBe(common ?? 'freeze')
        await cache.clear()
        await cache.shutdown()
      }
    },
  )

  test('belongs to the name, whoever asks, and cannot be changed', async () => {
    const cache = createCache()
    cache.namespace('users', { isolate: 'clone' })
    expect(await isolationOf(cache, cache.namespace('users'))).toBe('clone')
    cache.namespace('users', { isolate: 'clone' })
    expect(() => cache.namespace('users', { isolate: 'freeze' })).toThrow(
      expect.objectContaining({
        code: 'CACHE_INVALID_OPTIONS',
        message: expect.stringContaining('The namespace users has another isolate already'),
      }),
    )
    expect(() => cache.namespace('users', { isolate: 'deep' as never })).toThrow(
      expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS' }),
    )
  })

  test('given later, holds for what was read before', async () => {
    const cache = await scene.open()
    const read = () => cache.namespace('users').getOrSet('key', () => ({ list: [1] }))
    expect([Object.isFrozen(await read()), Object.isFrozen(await read())]).toEqual([true, true])
    cache.namespace('users', { isolate: 'clone' })
    expect([Object.isFrozen(await read()), Object.isFrozen(await read())]).toEqual([false, false])
  })

  test('holds for the values of a collection in it', async () => {
    const schema = {
      '~standard': { version: 1, vendor: 'own', validate: (value: unknown) => ({ value }) },
    } as const
    const cache = createCache()
    const load = () => ({ list: [1] })
    const users = cache.namespace('n', { isolate: 'clone' }).collection({ name: 'users', schema, load })
    for (let read = 0; read < 3; read++) expect(Object.isFrozen(await users.get('ann'))).toBe(false)
    const frozen = cache.collection({ name: 'users', schema, load })
    for (let read = 0; read < 3; read++) expect(Object.isFrozen(await frozen.get('ann'))).toBe(true)
  })
})

describe('the plain operations of a cache', () => {
  test('open it, and cannot close it', async () => {
    const cache = scene.cache()
    expect(await cache.counters.incr('visits')).toBe(1)
    expect(await cache.sets.addToSet('tags', 'a')).toBe(true)
    expect(await cache.plain.set('plain', 1)).toBe(true)
    for (const group of [cache.plain, cache.counters, cache.sets] as object[]) {
      expect(Object.isFrozen(group)).toBe(true)
      for (const name of ['shutdown', 'initialize', 'delete', 'clear', 'on'])
        expect(name in group).toBe(false)
    }
    expect(await cache.delete('visits')).toBe(true)
    expect(await cache.counters.incr('visits')).toBe(1)
  })

  test('list the keys of a namespace, as it names them', async () => {
    const cache = scene.cache()
    const users = cache.namespace('users')
    await users.set('ann', 1)
    await users.counters.incr('visits')
    await users.namespace('in').set('bob', 1)
    await cache.set('other', 1)
    const keys: string[] = []
    for await (const key of users.keys()) keys.push(key)
    expect(keys.sort()).toEqual(['ann', 'in:bob', 'visits'])
  })
})
