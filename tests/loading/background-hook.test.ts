import { AsyncLocalStorage } from 'node:async_hooks'
import { type BackgroundHook, type Cache, type CreateCacheOptions, cached, createCache } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { deferred } from '../support/loaders.ts'

const invalidOptions = expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS' })

/** A hook, and what it was handed: how often, and how many of these have ended. */
function hook() {
  const told = { works: [] as Promise<void>[], ended: 0 }
  const background: BackgroundHook = (work) => {
    told.works.push(work)
    void work.then(() => told.ended++)
  }
  return { background, told, count: () => [told.works.length, told.ended] }
}

function open(options: CreateCacheOptions = {}) {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const common = {
    clock,
    ttl: '10s',
    staleWhileRevalidate: '1m',
    lease: { ttl: '5s', longestLoad: '30s' },
  } as const
  const openOne = (more: CreateCacheOptions) =>
    createCache({ ...common, ...more, backend: redis.backend({ prefix: 'p:' }) })
  const [cache, other] = [openOne(options), openOne({})]
  onTestFinished(async () => {
    redis.faults.heal()
    const closing = Promise.all([cache.shutdown(), other.shutdown()])
    await clock.advance('1m')
    await closing
  })
  /** A loader that takes so long. */
  const taking =
    <T>(durationMs: number, value: T) =>
    async () => {
      await new Promise<void>((resolve) => void clock.after(durationMs, resolve))
      return value
    }
  /** What lies in Redis, as another process sees it. */
  const stored = (key: string) => other.get(key, { local: false })
  return { cache, clock, other, redis, stored, taking }
}

async function staleKey({ cache, clock }: ReturnType<typeof open>): Promise<void> {
  await cache.getOrSet('key', () => 'old')
  await clock.advance('11s')
}

describe('is told before the call returns, and its promise resolves after the work, of', () => {
  test('the load of a newer value for a stale one of this process', async () => {
    const { background, count, told } = hook()
    const parts = open({ background })
    const { cache, clock, stored, taking } = parts
    await staleKey(parts)
    const reading = cache.getOrSet('key', taking(500, 'new'))
    expect(count()).toEqual([1, 0])
    expect(await reading).toBe('old')
    await clock.advance('499ms')
    expect(count()).toEqual([1, 0])
    const seen = told.works[0]?.then(() => stored('key'))
    await clock.advance('1ms')
    expect(await seen).toBe('new')
    expect(count()).toEqual([1, 1])
  })

  test('the load of a newer value for a stale one in Redis', async () => {
    const { background, count, told } = hook()
    const { cache, clock, other, stored, taking } = open({ background })
    await other.getOrSet('key', () => 'old')
    await clock.advance('11s')
    expect(await cache.getOrSet('key', taking(500, 'new'))).toBe('old')
    expect(count()).toEqual([1, 0])
    const seen = told.works[0]?.then(() => stored('key'))
    await clock.advance('1s')
    expect(await seen).toBe('new')
  })

  test.each(['in this process', 'in Redis'])('an early refresh of a value %s', async (where) => {
    const { background, count, told } = hook()
    const { cache, clock, other, stored, taking } = open({ background })
    const owner = where === 'in Redis' ? other : cache
    const loading = owner.getOrSet('key', taking(1_000, 'old'))
    await clock.advance('1s')
    await loading
    await clock.advance('8s')
    expect(count()).toEqual([0, 0])
    const options = { earlyRefresh: { beta: 1e12 } }
    expect(await cache.getOrSet('key', taking(500, 'new'), options)).toBe('old')
    expect(count()).toEqual([1, 0])
    const seen = told.works[0]?.then(() => stored('key'))
    await clock.advance('600ms')
    expect(await seen).toBe('new')
  })

  test.each(['in this process', 'in Redis'])('a verification of a value %s', async (where) => {
    const { background, count } = hook()
    const { cache, clock, other, taking } = open({ background, verify: { sample: 1, grace: '2s' } })
    await (where === 'in Redis' ? other : cache).getOrSet('key', () => 'old')
    let verdict: string | undefined
    cache.on('verify', (event) => {
      verdict = event.verdict
    })
    expect(await cache.getOrSet('key', taking(500, 'new'))).toBe('old')
    expect(count()).toEqual([1, 0])
    await clock.advance('2s')
    expect([verdict, ...count()]).toEqual([undefined, 1, 0])
    await clock.advance('1s')
    expect([verdict, ...count()]).toEqual(['stale', 1, 1])
  })

  test('the reclaim after a clear', async () => {
    const { background, count } = hook()
    const { cache, clock, redis } = open({ background })
    await cache.set('key', 1)
    let reclaims = 0
    cache.on('invalidate', () => reclaims++)
    redis.faults.slow('100ms')
    const clearing = cache.clear()
    clearing.then(() => expect([reclaims, ...count()]).toEqual([0, 1, 0]))
    await clock.advance('2s')
    expect(await clearing).toBe(true)
    expect([reclaims, ...count()]).toEqual([1, 1, 1])
  })

  test('a load that goes on after a softTimeout', async () => {
    const { background, count, told } = hook()
    const parts = open({ background, staleWhileRevalidate: false, staleIfError: '1m', softTimeout: '1s' })
    const { cache, clock, stored, taking } = parts
    await staleKey(parts)
    const reading = cache.getOrSet('key', taking(3_000, 'new'))
    await clock.advance('999ms')
    expect(count()).toEqual([0, 0])
    await clock.advance('1ms')
    expect(await reading).toBe('old')
    expect(count()).toEqual([1, 0])
    const seen = told.works[0]?.then(() => stored('key'))
    await clock.advance('2s')
    expect(await seen).toBe('new')
  })

  test('a load that goes on for others when its caller has left', async () => {
    const [leaves, stays] = [hook(), hook()]
    const { cache, clock, taking } = open()
    const controller = new AbortController()
    const load = taking(2_000, 'value')
    const { signal } = controller
    const leaving = cache.getOrSet('key', load, { signal, background: leaves.background })
    const late = cache.getOrSet('key', load, { hardTimeout: '1s', background: leaves.background })
    const staying = cache.getOrSet('key', load, { background: stays.background })
    const refused = Promise.all([
      expect(leaving).rejects.toThrow('left'),
      expect(late).rejects.toThrow('hardTimeout'),
    ])
    await clock.advance('500ms')
    controller.abort(new Error('left'))
    await clock.advance('500ms')
    await refused
    expect(leaves.count()).toEqual([2, 0])
    await clock.advance('1s')
    expect(await staying).toBe('value')
    expect(leaves.count()).toEqual([2, 2])
    expect(stays.count()).toEqual([0, 0])
  })

  test('a loader that runs on, and the return of its lease, when all callers have left', async () => {
    const { background, count } = hook()
    const { cache, clock, redis, taking } = open({ background })
    const reading = cache.getOrSet('key', taking(3_000, 'value'), { hardTimeout: '1s' })
    const refused = expect(reading).rejects.toThrow('hardTimeout')
    await clock.advance('500ms')
    redis.faults.slow('200ms', { commands: 'writes' })
    await clock.advance('500ms')
    await refused
    expect(count()).toEqual([1, 0])
    await clock.advance('1999ms')
    expect(count()).toEqual([1, 0])
    await clock.advance('1ms')
    expect(count()).toEqual([1, 1])
  })

  test.each([
    ['failed', () => Promise.reject(new Error('away'))],
    ['brought nothing', () => Promise.resolve(undefined)],
  ])('the return of a lease after a load that has %s, for every caller', async (_what, load) => {
    const hooks = [hook(), hook()]
    const { cache, clock, redis } = open()
    const begun = deferred()
    const slowly = async () => {
      await begun.promise
      return load()
    }
    const calls = hooks.map(({ background }) => cache.getOrSet('key', slowly, { background }))
    const settled = Promise.allSettled(calls)
    await clock.settle()
    redis.faults.slow('200ms', { commands: 'writes' })
    begun.resolve()
    await settled
    expect(hooks.map(({ count }) => count())).toEqual([
      [1, 0],
      [1, 0],
    ])
    await clock.advance('200ms')
    expect(hooks.map(({ count }) => count())).toEqual([
      [1, 1],
      [1, 1],
    ])
  })

  test('the return of a lease that has to be repeated', async () => {
    const { background, count } = hook()
    const { cache, clock, redis, taking } = open({ background })
    const failing = cache.getOrSet('key', async () => {
      await taking(100, 0)()
      redis.faults.fail()
      throw new Error('away')
    })
    const refused = expect(failing).rejects.toThrow('away')
    await clock.advance('100ms')
    await refused
    await clock.advance('1s')
    expect(count()).toEqual([1, 0])
    redis.faults.heal()
    await clock.advance('250ms')
    expect(count()).toEqual([1, 1])
  })

  test('the return of the lease of a slot', async () => {
    const { background, count } = hook()
    const { cache, clock, redis } = open()
    const reserving = cache.reserve('key', { wait: true, background })
    const slot = await reserving
    expect(count()).toEqual([0, 0])
    redis.faults.slow('200ms', { commands: 'writes' })
    await slot.release()
    expect(count()).toEqual([1, 0])
    await clock.advance('200ms')
    expect(count()).toEqual([1, 1])
  })
})

describe('is told', () => {
  test('of nothing by hits, loads, writes and slots that leave nothing behind', async () => {
    const { background, count } = hook()
    const { cache, clock, other } = open({ background })
    await cache.getOrSet('key', () => 1)
    await cache.getOrSet('key', () => 1)
    await other.set('shared', 1)
    await cache.getOrSet('shared', () => 1)
    await cache.get('key')
    await cache.getOrSetMany(['a', 'b'], (keys) => keys.map(() => 1))
    await cache.refresh('key', () => 2)
    await cache.set('key', 3)
    await cache.delete('key')
    const slot = await cache.reserve('key', { wait: true })
    await slot.fill(1)
    await cache.change({ keys: ['key'] }, () => cache.getOrSet('key', () => 1))
    await clock.advance('1s')
    expect(count()).toEqual([0, 0])
  })

  test('by every call that returns while the work is under way', async () => {
    const [first, second, third, last] = [hook(), hook(), hook(), hook()]
    const parts = open({ background: last.background })
    const { cache, clock, taking } = parts
    await staleKey(parts)
    const load = taking(500, 'new')
    const read = ({ background }: { background?: BackgroundHook }) =>
      cache.getOrSet('key', load, { background })
    expect(await read(first)).toBe('old')
    expect(await read(second)).toBe('old')
    await clock.advance('100ms')
    expect(await read(third)).toBe('old')
    expect(await read({})).toBe('old')
    const all = [first, second, third, last]
    for (const { count } of all) expect(count()).toEqual([1, 0])
    await clock.advance('400ms')
    for (const { count } of all) expect(count()).toEqual([1, 1])
    expect(await read(first)).toBe('new')
    expect(first.count()).toEqual([1, 1])
  })

  test('by callers that joined the read of a stale value, too', async () => {
    const [first, second] = [hook(), hook()]
    const { cache, clock, other, taking } = open()
    await other.getOrSet('key', () => 'old')
    await clock.advance('11s')
    const load = taking(500, 'new')
    const calls = [first, second].map(({ background }) => cache.getOrSet('key', load, { background }))
    expect(await Promise.all(calls)).toEqual(['old', 'old'])
    for (const { count } of [first, second]) expect(count()).toEqual([1, 0])
    await clock.advance('500ms')
    for (const { count } of [first, second]) expect(count()).toEqual([1, 1])
  })

  test('in place of the hook of the cache, by every call that takes one', async () => {
    const [own, common] = [hook(), hook()]
    const parts = open({ background: common.background })
    const { cache, clock } = parts
    const { background } = own
    const options = { background }
    const load = () => 1
    const people = cache.collection({ name: 'people', schema: z.number(), load })
    const many = cache.collection({ name: 'many', schema: z.number(), loadMany: (ids) => ids.map(() => 1) })
    const wrapped = cache.namespace('in').wrap(async (id: string) => id, { name: 'wrapped', background })
    class Shop {
      async find(id: string) {
        return id
      }
    }
    const find = (
      cached(cache, { name: 'find', background }) as unknown as <M>(method: M, context: object) => M
    )(Shop.prototype.find, { kind: 'method', name: 'find', static: false })
    const calls: [name: string, works: number, call: () => Promise<unknown>][] = [
      ['getOrSet', 1, () => cache.getOrSet('a', load, options)],
      ['getOrSetEntry', 1, () => cache.getOrSetEntry('b', load, options)],
      ['getOrSetMany', 2, () => cache.getOrSetMany(['c', 'd'], (keys) => keys.map(load), options)],
      ['wrap', 1, () => wrapped('x')],
      ['@cached', 1, () => find.call(new Shop(), 'x')],
      ['get of a collection', 1, () => people.get('ann', options)],
      ['getEntry of a collection', 1, () => people.getEntry('bob', options)],
      ['getMany of a collection', 2, () => many.getMany(['ann', 'bob'], options)],
    ]
    for (const [, , call] of calls) await call()
    await clock.advance('11s')
    for (const [name, works, call] of calls) {
      const before = own.told.works.length
      await call()
      expect([name, own.told.works.length - before]).toEqual([name, works])
      await clock.advance('1s')
    }
    expect(own.count()).toEqual([10, 10])
    expect(common.count()).toEqual([0, 0])
  })

  test('within the asynchronous context of the call', async () => {
    const context = new AsyncLocalStorage<string>()
    const seen: (string | undefined)[] = []
    const background = () => seen.push(context.getStore())
    const { cache, clock, other, redis, taking } = open({
      ...{ background, staleWhileRevalidate: '20s', staleIfError: '1m', softTimeout: '1s' },
    })
    const read = (key: string, load: () => Promise<string>) =>
      context.run(key, () => cache.getOrSet(key, load))
    await other.getOrSet('in Redis', () => 'old')
    for (const key of ['here', 'too slow']) await cache.getOrSet(key, () => 'old')
    await clock.advance('11s')
    expect(await read('in Redis', taking(100, 'new'))).toBe('old')
    expect(await read('here', taking(100, 'new'))).toBe('old')
    await clock.advance('20s')
    const slow = read('too slow', taking(2_000, 'new'))
    await clock.advance('3s')
    expect(await slow).toBe('old')
    redis.faults.slow('100ms', { commands: 'writes' })
    const failing = expect(read('failing', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
    await clock.advance('1s')
    await failing
    expect(seen).toEqual(['in Redis', 'here', 'too slow', 'failing'])
  })
})

describe('its promise', () => {
  test('does not reject if the work fails', async () => {
    const { background, count } = hook()
    const parts = open({ background })
    const { cache, clock } = parts
    await staleKey(parts)
    const failures: unknown[] = []
    cache.on('background-error', ({ error }) => failures.push(error))
    const error = new Error('away')
    expect(await cache.getOrSet('key', () => Promise.reject(error))).toBe('old')
    expect(count()[0]).toBe(1)
    await clock.advance('1s')
    expect(count()).toEqual([1, 1])
    expect(failures).toEqual([error])
  })

  test('resolves even if the loader hangs', async () => {
    const { background, count } = hook()
    const parts = open({ background })
    const { cache, clock } = parts
    await staleKey(parts)
    expect(await cache.getOrSet('key', () => new Promise<string>(() => {}))).toBe('old')
    await clock.advance('29s')
    expect(count()).toEqual([1, 0])
    await clock.advance('6s')
    expect(count()).toEqual([1, 1])
  })

  test('resolves if the cache is shut down', async () => {
    const { background, count } = hook()
    const parts = open({ background, shutdown: { drain: '1s' } })
    const { cache, clock, taking } = parts
    await staleKey(parts)
    expect(await cache.getOrSet('key', taking(3_000, 'new'))).toBe('old')
    const closing = cache.shutdown()
    await clock.advance('4s')
    await closing
    expect(count()).toEqual([1, 1])
  })
})

describe('a hook that', () => {
  const cause = new Error('no request')
  test.each<[what: string, background: BackgroundHook]>([
    [
      'throws',
      () => {
        throw cause
      },
    ],
    ['returns a promise that rejects', () => Promise.reject(cause)],
  ])('%s does no harm, and an error event tells of it', async (_what, background) => {
    const parts = open({ background })
    const { cache, clock, stored } = parts
    const errors: unknown[] = []
    cache.on('error', ({ error, key, operation }) => errors.push([error.code, error.cause, operation, key]))
    await staleKey(parts)
    expect(await cache.getOrSet('key', () => 'new')).toBe('old')
    await clock.advance('1s')
    expect(await stored('key')).toBe('new')
    expect(errors).toEqual([['CACHE_INVALID_OPTIONS', cause, 'background', 'key']])
  })

  test('returns the promise it was handed is none of these', async () => {
    const parts = open({ background: (work) => work })
    let errors = 0
    parts.cache.on('error', () => errors++)
    await staleKey(parts)
    await parts.cache.getOrSet('key', () => Promise.reject(new Error('away')))
    await parts.clock.advance('1s')
    expect(errors).toBe(0)
  })

  test.each([true, 'waitUntil', {}, null])('is no function is refused: %j', async (given) => {
    const background = given as unknown as BackgroundHook
    expect(() => createCache({ background })).toThrow(invalidOptions)
    const cache: Cache = createCache({ redis: false })
    const options = { background }
    const people = cache.collection({ name: 'people', schema: z.number(), load: () => 1 })
    const calls = [
      () => cache.getOrSet('key', () => 1, options),
      () => cache.getOrSetEntry('key', () => 1, options),
      () => cache.getOrSetMany(['key'], () => [1], options),
      () => cache.refresh('key', () => 1, options),
      () => cache.reserve('key', options),
      () => people.get('ann', options),
      async () => cache.wrap(async () => 1, { name: 'one', background })(),
    ]
    for (const call of calls) await expect(call()).rejects.toThrow(invalidOptions)
  })
})
