import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Cache, createCache } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { type Metrics, MetricsByName } from '../../src/cache/core/metrics.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { trials } from '../support/trials.ts'

function open() {
  const clock = new ManualClock()
  const redis = new SimulatedRedis({ clock })
  const options = { clock, ttl: '1m', staleWhileRevalidate: '1m' } as const
  const [cache, other] = [0, 1].map(() =>
    createCache({ ...options, backend: redis.backend({ prefix: 'p:' }) }),
  ) as [Cache, Cache]
  onTestFinished(async () => {
    await Promise.all([cache.shutdown(), other.shutdown()])
  })
  /** A loader that takes so long. */
  const taking = (durationMs: number) => async () => {
    await new Promise<void>((resolve) => void clock.after(durationMs, resolve))
    return 1
  }
  return { cache, clock, other, taking }
}

const numbers = (name: string) => ({ name, schema: z.number(), load: () => 1 })

describe('stats() of a namespace and of a collection', () => {
  test('counts what happened there, and nothing else', async () => {
    const { cache } = open()
    const [users, orders] = [cache.namespace('users'), cache.namespace('orders')]
    const people = cache.collection(numbers('people'))
    await cache.getOrSet('key', () => 1)
    await users.getOrSet('key', () => 1)
    await users.getOrSet('key', () => 1)
    await users.get('absent')
    await people.get('ann')
    await people.get('ann')
    await people.get('ann')
    expect(users.stats().total).toMatchObject({ localHits: 1, misses: 2, loads: 1 })
    expect(users.stats().lastMinute).toEqual(users.stats().total)
    expect(people.stats().total).toMatchObject({ localHits: 2, misses: 1, loads: 1 })
    expect(people.stats().total.bytesWritten).toBeGreaterThan(0)
    expect(orders.stats().total).toMatchObject({ localHits: 0, misses: 0, loads: 0, bytesWritten: 0 })
    expect(cache.stats().total).toMatchObject({ localHits: 3, misses: 4, loads: 3 })
  })

  test('includes what lies within it', async () => {
    const { cache } = open()
    const shop = cache.namespace('shop')
    const users = shop.namespace('users')
    const people = shop.collection(numbers('people'))
    await users.get('key')
    await people.get('ann')
    await cache.namespace('shopping').get('key')
    expect(users.stats().total.misses).toBe(1)
    expect(people.stats().total.misses).toBe(1)
    expect(shop.stats().total.misses).toBe(2)
    expect(cache.namespace('shop:users').stats()).toEqual(users.stats())
    expect(cache.stats().total.misses).toBe(3)
  })

  test('is one for all namespaces of a name, and for each version of a collection', async () => {
    const { cache } = open()
    const [users, brief] = [cache.namespace('users'), cache.namespace('users', { ttl: '1s' })]
    await users.get('key')
    await brief.get('key')
    expect(users.stats().total.misses).toBe(2)
    expect(brief.stats()).toEqual(users.stats())
    const [first, second] = [1, 2].map((version) => cache.collection({ ...numbers('people'), version }))
    await first?.get('ann')
    expect([first, second].map((one) => one?.stats().total.misses)).toEqual([1, 0])
  })

  test('counts for functions that are wrapped there', async () => {
    const { cache } = open()
    const prices = cache.namespace('prices')
    const priceOf = prices.wrap(async (id: string) => id.length, { name: 'priceOf' })
    await priceOf('a')
    await priceOf('a')
    expect(prices.stats().total).toMatchObject({ localHits: 1, misses: 1, loads: 1 })
  })

  test('is plain data without the state of the cache', () => {
    const { cache } = open()
    const stats = cache.namespace('users').stats()
    expect(JSON.parse(JSON.stringify(stats))).toEqual(stats)
    expect(Object.keys(stats).sort()).toEqual(['lastMinute', 'total'])
    expect(stats.total).toHaveProperty('evictions', 0)
  })
})

describe('savedSeconds', () => {
  test('adds what the load of its value took for each hit, in this process and in Redis', async () => {
    const { cache, clock, other, taking } = open()
    const spaces = [cache, other].map((one) => one.namespace('users'))
    const [users, others] = spaces as [(typeof spaces)[0], (typeof spaces)[0]]
    const loading = users.getOrSet('key', taking(1_500))
    await clock.advance('2s')
    await loading
    const saved = () => [users, others].map((one) => one.stats().total.savedSeconds)
    expect(saved()).toEqual([0, 0])
    await users.getOrSet('key', () => 2)
    await users.get('key')
    users.peek('key')
    await users.getOrSetEntry('key', () => 2)
    expect(saved()).toEqual([6, 0])
    await others.get('key')
    await others.getEntry('key')
    expect(saved()).toEqual([6, 3])
    expect(users.stats().lastMinute.savedSeconds).toBe(6)
    expect([cache, other].map((one) => one.stats().total.savedSeconds)).toEqual([6, 3])
    await clock.advance('45s')
    await users.reserve('key')
    expect(saved()).toEqual([7.5, 3])
    await clock.advance('30s')
    expect(users.stats().lastMinute.savedSeconds).toBe(1.5)
    expect(cache.stats().lastMinute.savedSeconds).toBe(1.5)
  })

  test('counts in a collection, and after a load that a flight ended with', async () => {
    const { cache, clock, other, taking } = open()
    const options = { name: 'people', schema: z.number(), load: taking(500) }
    const [here, there] = [cache.collection(options), other.collection(options)]
    const loading = here.get('ann')
    // The process that waits for the load of the other one is served a hit.
    const waiting = there.get('ann')
    await clock.advance('2s')
    await Promise.all([loading, waiting])
    await here.get('ann')
    await here.getEntry('ann')
    here.peek('ann')
    const [ours, theirs] = [here.stats().total, there.stats().total]
    expect(ours.savedSeconds + theirs.savedSeconds).toBe(2)
    expect(ours.sharedHits + theirs.sharedHits).toBe(1)
  })

  test('has nothing of stale values, and of values that no load has brought', async () => {
    const { cache, clock, taking } = open()
    const loading = cache.getOrSet('stale', taking(1_000))
    await clock.advance('1s')
    await loading
    await cache.set('set', 1)
    await cache.plain.set('plain', 1)
    await cache.get('set')
    await cache.get('plain')
    await clock.advance('70s')
    expect(await cache.getOrSet('stale', () => 2)).toBe(1)
    await cache.idle()
    expect(cache.stats().total).toMatchObject({ savedSeconds: 0, sharedHits: 2, staleServes: 1 })
  })
})

describe('many names', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void

  test('are not kept if nobody holds them, and no sum changes', async () => {
    const names = new MetricsByName()
    const held: Metrics[] = [names.of('shop:'), names.of('shop:held:')]
    let made = 0
    await waitUntil(
      () => {
        // Those of this turn are held until it ends.
        collect()
        for (let index = 0; index < 400; index++) names.of(`shop:${made++}:`).localHit(made, 2)
        return made >= 4_000
      },
      { what: 'thousands of names' },
    )
    expect(names.size).toBeLessThanOrEqual(2_000)
    for (const metrics of held) metrics.localHit(made, 2)
    const sum = { localHits: made + 2, savedSeconds: (2 * (made + 2)) / 1_000 }
    expect(names.all(made)).toMatchObject({ total: sum, lastMinute: sum })
    expect(names.within('shop:', made)).toMatchObject({ total: sum, lastMinute: sum })
    expect(names.within('shop:held:', made).total.localHits).toBe(1)
    expect(names.within('shop:0:', made).total.localHits).toBe(0)
  })

  test('go on with their counts where there are few of them', async () => {
    const names = new MetricsByName()
    let seen = new WeakRef({})
    const count = () => {
      const metrics = names.of('users:')
      seen = new WeakRef(metrics)
      metrics.localHit(0, 0)
    }
    count()
    await waitUntil(
      () => {
        collect()
        return seen.deref() === undefined
      },
      { what: 'the name that nobody holds to be collected' },
    )
    count()
    expect(names.within('users:', 0).total.localHits).toBe(2)
  })
})

describe('after any calls', () => {
  const PLACES = ['', 'a', 'a:in', 'b', 'people@0'] as const
  const anyCall = fc.record({
    where: fc.constantFrom(...PLACES),
    what: fc.constantFrom(
      ...(['load', 'load', 'fail', 'get', 'set', 'peek', 'entry', 'many', 'lapse'] as const),
    ),
    key: fc.constantFrom('x', 'y'),
  })

  /** What events tell of the namespaces: an event of a namespace within another one counts there too. */
  function countingEvents(cache: Cache) {
    const told = new Map(
      PLACES.map((place) => [
        place as string,
        { localHits: 0, sharedHits: 0, misses: 0, staleServes: 0, loads: 0, loadErrors: 0, bytesWritten: 0 },
      ]),
    )
    type Told = Parameters<Parameters<typeof told.forEach>[0]>[0]
    const add = (namespace: string, name: keyof Told, amount = 1) => {
      for (const [place, counts] of told)
        if (place === '' || `${namespace}:`.startsWith(`${place}:`)) counts[name] += amount
    }
    cache.on('hit', ({ namespace, tier }) => add(namespace, tier === 'local' ? 'localHits' : 'sharedHits'))
    cache.on('miss', ({ namespace }) => add(namespace, 'misses'))
    cache.on('stale', ({ namespace }) => add(namespace, 'staleServes'))
    cache.on('load', ({ error, namespace }) => {
      add(namespace, 'loads')
      if (error !== undefined) add(namespace, 'loadErrors')
    })
    cache.on('set', ({ bytes, namespace }) => add(namespace, 'bytesWritten', bytes))
    return told
  }

  test('every namespace has the counts of its events, and the cache has the sum of all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyCall, { maxLength: 40 }), async (calls) => {
        const { cache, clock, taking } = open()
        const told = countingEvents(cache)
        const people = cache.collection({ ...numbers('people'), load: taking(250) })
        for (const { key, what, where } of calls) {
          const space = where === '' || where === 'people@0' ? cache : cache.namespace(where)
          // What lies in the cache itself has cost nothing, so all that it has saved lies in its namespaces.
          const load = space === cache ? () => 1 : taking(500)
          const kinds = {
            load: () => space.getOrSet(key, load),
            fail: () => space.refresh(key, () => Promise.reject(new Error('away'))).catch(() => {}),
            get: () => space.get(key),
            set: () => space.set(key, 1),
            peek: async () => space.peek(key),
            entry: () => space.getOrSetEntry(key, load),
            many: () => space.getOrSetMany([key, 'z'], (keys) => keys.map(() => 1)),
            lapse: () => clock.advance('50s'),
          }
          const ofPeople = { ...kinds, load: () => people.get(key), set: () => people.set(key, 2) }
          const calling: Promise<unknown> = (where === 'people@0' ? ofPeople : kinds)[what]()
          await clock.advance('2s')
          await calling
        }
        await cache.idle()
        const stats = {
          '': cache.stats().total,
          a: cache.namespace('a').stats().total,
          'a:in': cache.namespace('a').namespace('in').stats().total,
          b: cache.namespace('b').stats().total,
          'people@0': people.stats().total,
        }
        for (const place of PLACES) expect(stats[place]).toMatchObject({ ...told.get(place) })
        for (const name of ['savedSeconds', 'loadSeconds'] as const) {
          const sum = stats.a[name] + stats.b[name] + stats['people@0'][name]
          expect(stats[''][name]).toBeCloseTo(sum)
        }
      }),
      { numRuns: trials(40, 200, 400) },
    )
  })
})
