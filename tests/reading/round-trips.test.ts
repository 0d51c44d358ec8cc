import { type Cache, createCache } from 'cachewright'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { commandCalls } from '../support/command-calls.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

/** Those that only a client sends; what a script does inside, the server counts too. */
const SENT = ['mget', 'evalsha', 'eval']
/** Much longer than what is sent in one go takes, so that round trips can be told apart. */
const LATENCY_MS = 20
const TAGGED = { ttl: '5m', tags: ['a', 'b'] } as const

let redis: Standalone
let proxy: TcpProxy
let cache: Cache
let other: Cache

beforeAll(async () => {
  redis = await startStandalone()
  proxy = await startTcpProxy(redis.port, { latencyMs: LATENCY_MS })
})

beforeEach(async () => {
  // `TIME` is asked for every third of `trust`.
  const options = { redis: proxy.url, prefix: 'trips:', coherence: { trust: '1h' } } as const
  cache = createCache(options)
  other = createCache(options)
  // The server knows the scripts from then on, and both caches have captured the generation of the namespace.
  for (const one of [cache, other]) {
    await one.initialize()
    for (const key of ['first', 'second']) await one.getOrSet(key, () => 1, { tags: ['other'] })
    await one.deleteMany(['first', 'second'])
    await one.invalidateTags(['other'])
  }
})

afterEach(async () => {
  await Promise.all([cache.shutdown(), other.shutdown()])
  await redis.ask('FLUSHALL')
})

afterAll(async () => {
  await proxy.stop()
  await redis.stop()
})

interface Cost {
  readonly trips: number
  /** Commands by name, none of which was sent left out. */
  readonly commands: Record<string, number>
}

async function costOf(work: () => unknown): Promise<Cost> {
  await redis.ask('CONFIG', 'RESETSTAT')
  proxy.trips = 0
  await work()
  // A push that a command has caused may still be on its way; it is no trip.
  const { trips } = proxy
  const calls = await commandCalls(redis)
  const sent = SENT.filter((name) => calls.has(name)).map((name) => [name, calls.get(name)])
  return { trips, commands: Object.fromEntries(sent) }
}

describe('round trips of a getOrSet', () => {
  test('a warm key makes none', async () => {
    await cache.getOrSet('warm', () => 1, TAGGED)
    const cost = await costOf(async () => {
      for (let call = 0; call < 1_000; call++) await cache.getOrSet('warm', () => 2, TAGGED)
      for (let call = 0; call < 1_000; call++) await cache.get('warm')
    })
    expect(cost).toEqual({ trips: 0, commands: {} })
  })

  test('a key stored in Redis makes one: MGET', async () => {
    await cache.getOrSet('stored', () => 1)
    expect(await costOf(() => other.getOrSet('stored', () => 2))).toEqual({ trips: 1, commands: { mget: 1 } })
    expect(await other.get('stored')).toBe(1)
  })

  test('a key stored with tags unknown to the process makes one, too', async () => {
    await cache.getOrSet('tagged', () => 1, TAGGED)
    const cost = await costOf(() => other.getOrSet('tagged', () => 2, TAGGED))
    expect(cost).toEqual({ trips: 1, commands: { mget: 1 } })
    expect(await other.get('tagged')).toBe(1)
  })

  test('a get of an entry with unknown tags makes a second one for the tags, only once', async () => {
    for (const key of ['x', 'y']) await cache.getOrSet(key, () => 1, TAGGED)
    expect((await costOf(() => other.get('x'))).trips).toBeLessThanOrEqual(3)
    expect(await costOf(() => other.get('y'))).toEqual({ trips: 1, commands: { mget: 1 } })
  })

  test('a cold key makes three: MGET; lease and generations together; fill', async () => {
    const cost = await costOf(() => cache.getOrSet('cold', () => 1, TAGGED))
    // The lease, two tags, the fill; tags that were made just now are read again beside it, in the same trip.
    expect(cost).toEqual({ trips: 3, commands: { mget: expect.toBeOneOf([1, 3]), evalsha: 4 } })
    await cache.getOrSet('colder', () => 1, TAGGED)
    const again = await costOf(() => cache.getOrSet('coldest', () => 1, TAGGED))
    expect(again).toEqual({ trips: 3, commands: { mget: 1, evalsha: 2 } })
  })

  test('a hundred cold keys at once make three together, with one MGET', async () => {
    const keys = Array.from({ length: 100 }, (_, index) => `cold-${index}`)
    const { commands, trips } = await costOf(() =>
      Promise.all(keys.map((key) => cache.getOrSet(key, () => 1))),
    )
    expect(commands).toEqual({ mget: 1, evalsha: 200 })
    expect(trips).toBe(3)
  })

  test('a getOrSetMany of 100 keys of which 10 are missing makes three, with one MGET and one load', async () => {
    const keys = Array.from({ length: 100 }, (_, index) => `many-${index}`)
    const calls: (readonly string[])[] = []
    const load = (missing: readonly string[]) => {
      calls.push(missing)
      return missing.map((key) => `value of ${key}`)
    }
    await other.getOrSetMany(keys.slice(0, 90), load, TAGGED)
    calls.length = 0
    await cache.getOrSet('tags are met', () => 1, TAGGED)
    const { commands, trips } = await costOf(() => cache.getOrSetMany(keys, load, TAGGED))
    expect(commands).toEqual({ mget: 1, evalsha: 20 })
    expect(trips).toBeLessThanOrEqual(3)
    expect(calls).toEqual([keys.slice(90)])
    expect(await costOf(() => cache.getOrSetMany(keys, load, TAGGED))).toEqual({ trips: 0, commands: {} })
  })

  test('a getOrSetMany with tags unknown to the process makes three, too', async () => {
    const keys = Array.from({ length: 100 }, (_, index) => `tagged-${index}`)
    await other.getOrSetMany(keys.slice(0, 90), (missing) => missing.map(() => 1), TAGGED)
    const cost = await costOf(() => cache.getOrSetMany(keys, (missing) => missing.map(() => 2), TAGGED))
    expect(cost.trips).toBeLessThanOrEqual(3)
    expect(cost.commands).toMatchObject({ mget: 1 })
  })

  test('a slot makes two, its fill one, and a hit one or none', async () => {
    const slotOf = async (from: Cache) => from.reserve('slot', { tags: TAGGED.tags })
    let slot = await slotOf(other)
    await slot.fill(0)
    await other.delete('slot')
    expect(await costOf(async () => (slot = await slotOf(cache)))).toMatchObject({ trips: 2 })
    expect(await costOf(() => slot.fill(1))).toMatchObject({ trips: 1 })
    expect(await costOf(() => slotOf(cache))).toEqual({ trips: 1, commands: { mget: 1 } })
    expect(await costOf(() => slotOf(cache))).toEqual({ trips: 0, commands: {} })
  })

  test('a set makes one, and a second one for an unknown tag', async () => {
    expect((await costOf(() => cache.set('set', 1, '5m'))).trips).toBe(1)
    expect((await costOf(() => cache.set('set', 1, TAGGED))).trips).toBe(2)
    expect((await costOf(() => cache.set('set', 1, TAGGED))).trips).toBe(1)
  })

  test('a delete makes one; an invalidation of two tags makes one, with a command each', async () => {
    await cache.getOrSet('gone', () => 1, TAGGED)
    expect(await costOf(() => cache.delete('gone'))).toMatchObject({ trips: 1 })
    const cost = await costOf(() => cache.invalidateTags(TAGGED.tags))
    expect(cost).toEqual({ trips: 1, commands: { evalsha: 2 } })
  })
})
