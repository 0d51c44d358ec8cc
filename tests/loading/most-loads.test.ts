import { type CreateCacheOptions, createCache, type StandardSchema } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { deferred } from '../support/loaders.ts'
import { openTimed } from '../support/timed-source.ts'

const anything: StandardSchema<unknown> = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A cache, and loaders that run until the test ends them. */
function open(options: CreateCacheOptions) {
  const timed = openTimed(options)
  const running = new Map<string, ReturnType<typeof deferred<string>>>()
  const begun: string[] = []
  let most = 0
  const run = async (key: string) => {
    begun.push(key)
    const held = deferred<string>()
    running.set(key, held)
    most = Math.max(most, running.size)
    try {
      return await held.promise
    } finally {
      running.delete(key)
    }
  }
  const ask = (key: string, own = {}) => timed.cache.getOrSet(key, () => run(key), own)
  const end = async (key: string) => {
    running.get(key)?.resolve(`loaded ${key}`)
    for (let turns = 0; turns < 5; turns++) await turn()
  }
  const loaders = () => timed.cache.stats().loaders
  return { ...timed, ask, begun, end, loaders, run, running, most: () => most }
}

describe('maxLoads', () => {
  test('so many loaders run at once, the others in their order', async () => {
    const { ask, begun, end, loaders, most } = open({ maxLoads: 2 })
    const keys = ['a', 'b', 'c', 'd', 'e']
    const asked = Promise.all(keys.map((key) => ask(key)))
    await turn()
    expect(begun).toEqual(['a', 'b'])
    expect(loaders()).toEqual({ running: 2, queued: 3 })
    await end('b')
    expect(begun).toEqual(['a', 'b', 'c'])
    for (const key of ['a', 'c', 'd', 'e']) await end(key)
    expect(await asked).toEqual(keys.map((key) => `loaded ${key}`))
    expect(most()).toBe(2)
    expect(loaders()).toEqual({ running: 0, queued: 0 })
  })

  test('a place is free again after a loader that fails', async () => {
    const { cache } = open({ maxLoads: 1 })
    const failing = cache.getOrSet('a', () => Promise.reject(new Error('down')))
    const next = cache.getOrSet('b', () => 'loaded')
    await expect(failing).rejects.toThrow('down')
    expect(await next).toBe('loaded')
  })

  test('without it, all run at once, and are counted', async () => {
    const { ask, begun, end, loaders } = open({})
    const asked = Promise.all(['a', 'b', 'c'].map((key) => ask(key)))
    await turn()
    expect(begun).toEqual(['a', 'b', 'c'])
    expect(loaders()).toEqual({ running: 3, queued: 0 })
    for (const key of ['a', 'b', 'c']) await end(key)
    await asked
  })

  test('a caller that leaves by its signal or its hardTimeout frees its place in the queue', async () => {
    const { ask, begun, clock, end, loaders } = open({ maxLoads: 1 })
    const first = ask('a')
    await turn()
    const controller = new AbortController()
    const left = expect(ask('b', { signal: controller.signal })).rejects.toThrow('left')
    const late = expect(ask('c', { hardTimeout: '1s' })).rejects.toMatchObject({
      code: 'CACHE_LOADER_TIMEOUT',
    })
    const last = ask('d')
    await clock.advance('500ms')
    expect(loaders()).toEqual({ running: 1, queued: 3 })
    controller.abort(new Error('left'))
    await left
    await clock.advance('500ms')
    await late
    expect(loaders()).toEqual({ running: 1, queued: 1 })
    await end('a')
    await end('d')
    expect([await first, await last]).toEqual(['loaded a', 'loaded d'])
    expect(begun).toEqual(['a', 'd'])
  })

  test('a caller in the queue is served the stale value after softTimeout, and its load still runs', async () => {
    const options = { ttl: '10s', staleIfError: '1h', softTimeout: '1s', maxLoads: 1 } as const
    const { ask, cache, clock, end } = open(options)
    await cache.getOrSet('b', () => 'old')
    await clock.advance('10s')
    const first = ask('a')
    await turn()
    const asked = ask('b')
    await clock.advance('1s')
    expect(await asked).toBe('old')
    await end('a')
    await end('b')
    await first
    expect(await cache.get('b')).toBe('loaded b')
  })

  test('callers are served the stale value while its refresh waits for its turn', async () => {
    const { ask, cache, clock, end, loaders } = open({ ttl: '10s', staleWhileRevalidate: '1h', maxLoads: 1 })
    await cache.getOrSet('b', () => 'old')
    await clock.advance('10s')
    const first = ask('a')
    await turn()
    for (let call = 0; call < 3; call++) expect(await ask('b')).toBe('old')
    await turn()
    expect(loaders()).toEqual({ running: 1, queued: 1 })
    expect((await cache.explain('b')).load.state).toBe('queued')
    expect(await ask('b')).toBe('old')
    await end('a')
    await end('b')
    await first
    expect(await cache.get('b')).toBe('loaded b')
  })

  test('a load that another loader waits for runs at once, also if it was in the queue or joined', async () => {
    const { ask, begun, cache, end } = open({ maxLoads: 1 })
    const nested = cache.getOrSet('outer', async () => `${await ask('inner')}, ${await ask('queued')}`)
    await turn()
    const queued = ask('queued')
    await turn()
    expect(begun).toEqual(['inner'])
    await end('inner')
    expect(begun).toEqual(['inner', 'queued'])
    await end('queued')
    expect(await nested).toBe('loaded inner, loaded queued')
    expect(await queued).toBe('loaded queued')
  })

  test('a batch counts as one, waits for its turn, and is hurried by a loader that waits for one of its keys', async () => {
    const { ask, cache, end, loaders } = open({ maxLoads: 1 })
    const first = ask('a')
    await turn()
    const calls: (readonly string[])[] = []
    const loadMany = async (keys: readonly string[]) => {
      calls.push(keys)
      return keys.map((key) => `many ${key}`)
    }
    const many = cache.getOrSetMany(['b', 'c'], loadMany)
    for (let turns = 0; turns < 5; turns++) await turn()
    expect(calls).toEqual([])
    expect(loaders()).toEqual({ running: 1, queued: 1 })
    await end('a')
    expect([...(await many).values()]).toEqual(['many b', 'many c'])
    await first
    const outer = cache.getOrSet('outer', async () => {
      for (let turns = 0; turns < 10; turns++) await turn()
      return cache.getOrSet('e', () => 'alone')
    })
    await turn()
    const behind = cache.getOrSetMany(['d', 'e'], loadMany)
    expect(await outer).toBe('many e')
    await behind
    expect(calls).toEqual([
      ['b', 'c'],
      ['d', 'e'],
    ])
  })

  test('a batch that everybody has left frees its place in the queue', async () => {
    const { ask, cache, end, loaders } = open({ maxLoads: 1 })
    const first = ask('a')
    await turn()
    const controller = new AbortController()
    const many = cache.getOrSetMany(['b'], () => ['never'], { signal: controller.signal })
    const rejected = expect(many).rejects.toThrow('left')
    for (let turns = 0; turns < 5; turns++) await turn()
    expect(loaders()).toEqual({ running: 1, queued: 1 })
    controller.abort(new Error('left'))
    await rejected
    expect(loaders()).toEqual({ running: 1, queued: 0 })
    await end('a')
    await first
  })

  test('holds for refresh(), collections, namespaces and wrapped functions together', async () => {
    const { ask, begun, cache, end, run } = open({ maxLoads: 1 })
    const users = cache.collection({ name: 'users', schema: anything, load: run })
    const find = cache.wrap(run, { name: 'find' })
    const asked = Promise.all([
      ask('a'),
      cache.refresh('b', () => run('b')),
      users.get('c'),
      cache.namespace('n').getOrSet('d', () => run('d')),
      find('e'),
    ])
    const keys = ['a', 'b', 'c', 'd', 'e']
    for (const [index, key] of keys.entries()) {
      for (let turns = 0; turns < 5; turns++) await turn()
      expect(begun).toHaveLength(index + 1)
      await end(begun[index] as string)
      expect(keys).toContain(key)
    }
    expect(begun.sort()).toEqual(keys)
    await asked
  })

  test('a slot is no load: its holder may load other keys', async () => {
    const { cache } = open({ maxLoads: 1 })
    const slot = await cache.reserve('slot', { wait: true })
    expect(await cache.getOrSet('key', () => 'loaded')).toBe('loaded')
    if (!slot.isHit) expect(await slot.fill('filled')).toBe(true)
  })

  test.each([0, -1, 1.5, Number.NaN, '4', true, null])('%s is refused', (maxLoads) => {
    expect(() => createCache({ redis: false, maxLoads } as never)).toThrow(
      expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS' }),
    )
  })
})
