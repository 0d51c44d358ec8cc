import { RedisCacheBackend } from 'cachewright/redis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { commandCalls } from '../support/command-calls.ts'

/** What a load in progress leaves under its key: 42 bytes that begin with 2. */
const PLACEHOLDER = `\u0002\u0001${'\0'.repeat(40)}`
const SAFE = Number.MAX_SAFE_INTEGER

let redis: Standalone
let backend: RedisCacheBackend
const closers: (() => unknown)[] = []

beforeAll(async () => {
  redis = await startStandalone({
    aclFile:
      'user default on nopass ~* &* +@all\nuser some on >secret ~p:open:* -@all +evalsha +eval +ping +exists +set +incrby\n',
  })
})
afterAll(() => redis.stop())
beforeEach(async () => {
  await redis.ask('FLUSHALL')
  backend = new RedisCacheBackend({ url: redis.url, prefix: 'p:', errors: 'throw' })
  await backend.initialize()
  await backend.incr('first') // sends the script in full
  await redis.ask('CONFIG', 'RESETSTAT')
})
afterEach(async () => {
  await backend.shutdown()
  for (const close of closers.splice(0).reverse()) await close()
})

/** The count of each call, or the code of its error. */
async function outcomes(calls: readonly Promise<unknown>[]): Promise<readonly unknown[]> {
  const settled = await Promise.allSettled(calls)
  return settled.map((one) => (one.status === 'fulfilled' ? one.value : one.reason.code))
}

const ttlOf = (key: string) => redis.ask('PTTL', `p:${key}`) as Promise<number>

describe('the counters of one tick', () => {
  test('share a script, and each gets its own count', async () => {
    const keys = Array.from({ length: 50 }, (_, index) => `count:${index % 20}`)
    const counts = await Promise.all(keys.map((key) => backend.incr(key, 2)))
    expect(counts).toEqual(keys.map((_, index) => 2 * (1 + Math.floor(index / 20))))
    expect((await commandCalls(redis)).get('evalsha')).toBe(1)
  })

  test('are many scripts where they are many', async () => {
    const counts = await Promise.all(Array.from({ length: 600 }, () => backend.incr('count')))
    expect(counts).toEqual(Array.from({ length: 600 }, (_, index) => index + 1))
    expect((await commandCalls(redis)).get('evalsha')).toBe(3)
  })

  test('differ in their amounts, start values and times to live', async () => {
    await redis.ask('SET', 'p:there', '5')
    await redis.ask('SET', 'p:sliding', '5', 'PX', '1000')
    await redis.ask('SET', 'p:mortal', '5', 'PX', '1000')
    const calls = [
      backend.incr('a', 1, { ttl: '1h' }),
      backend.incr('b', 1, { ttl: '2h' }),
      backend.decr('c', 5, { default: 100, ttl: '1h' }),
      backend.incr('there', 1, { ttl: '1h' }),
      backend.incr('sliding', 1, { ttl: '1h', slide: true }),
      backend.incr('mortal', 1, { ttl: Number.POSITIVE_INFINITY, slide: true }),
      backend.incrBig('d', 2n ** 62n, { ttl: Number.POSITIVE_INFINITY }),
      backend.incr('a', -3, { ttl: '3h' }),
    ]
    expect(await outcomes(calls)).toEqual([1, 1, 95, 6, 6, 6, 2n ** 62n, -2])
    const ttls = await Promise.all(['a', 'b', 'c', 'there', 'sliding', 'mortal', 'd'].map(ttlOf))
    const HOUR = 3_600_000
    expect(ttls.map((ttl) => (ttl < 0 ? ttl : Math.round(ttl / HOUR)))).toEqual([1, 2, 1, -1, 1, -1, -1])
  })

  test('fail one by one, and leave what they fail on as it was', async () => {
    await backend.addToSet('set', 'member')
    await backend.set('text', 'no number')
    await redis.ask('SET', 'p:full', String(SAFE), 'PX', '3600000')
    await redis.ask('SET', 'p:largest', String(2n ** 63n - 1n))
    const calls = [
      backend.incr('a'),
      backend.incr('set'),
      backend.incr('text'),
      backend.incr('full'),
      backend.incr('full', -1),
      backend.incrBig('largest'),
      backend.incr('new', 1, { default: SAFE }),
      backend.incr('a'),
    ]
    expect(await outcomes(calls)).toEqual([
      1,
      'CACHE_WRONG_TYPE',
      'CACHE_NOT_A_COUNTER',
      'CACHE_COUNTER_OVERFLOW',
      SAFE - 1,
      'CACHE_COUNTER_OVERFLOW',
      'CACHE_COUNTER_OVERFLOW',
      2,
    ])
    expect(await backend.getSetMembers('set')).toEqual(['member'])
    expect(await backend.get('text')).toBe('no number')
    expect(await redis.ask('GET', 'p:largest')).toBe(String(2n ** 63n - 1n))
    expect(await redis.ask('EXISTS', 'p:new')).toBe(0)
    expect(await ttlOf('full')).toBeGreaterThan(0)
  })

  test('count a placeholder as absent, also if the first change of it is refused', async () => {
    for (const key of ['p:loading', 'p:refused']) await redis.ask('SET', key, PLACEHOLDER)
    const calls = [
      backend.incr('loading', 1, { default: 10, ttl: '1h' }),
      backend.incr('refused', 1, { default: SAFE, ttl: '1h' }),
      backend.incr('refused', 1, { ttl: '1h' }),
    ]
    expect(await outcomes(calls)).toEqual([11, 'CACHE_COUNTER_OVERFLOW', 1])
    for (const key of ['loading', 'refused']) expect([key, (await ttlOf(key)) > 0]).toEqual([key, true])
  })

  test('a counter that is 0 and does not expire is no new one', async () => {
    await redis.ask('SET', 'p:zero', '0')
    expect(await backend.incr('zero', 1, { ttl: '1h' })).toBe(1)
    expect(await ttlOf('zero')).toBe(-1)
  })

  test('are exact up to 2^53 - 1 and over all 64 bits', async () => {
    for (let distance = 0; distance < 100; distance++) {
      expect(await backend.incr(`up:${distance}`, SAFE - distance)).toBe(SAFE - distance)
      expect(await backend.decr(`down:${distance}`, SAFE - distance)).toBe(distance - SAFE)
    }
    for (const count of [2n ** 53n, 2n ** 53n + 1n, 9n * 10n ** 15n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      expect(await backend.incrBig(`big:${count}`, count)).toBe(count)
    }
  })

  test('one that the user may not change fails alone', async () => {
    const some = new RedisCacheBackend({
      url: redis.url.replace('redis://', 'redis://some:secret@'),
      prefix: 'p:',
    })
    closers.push(() => some.shutdown())
    const calls = [some.incr('open:a'), some.incr('closed'), some.incr('open:b'), some.incr('open:a')]
    expect(await outcomes(calls)).toEqual([1, 'CACHE_AUTH', 1, 2])
  })

  test('are refused together, with the code of the reply, if the server takes no writes', async () => {
    await redis.ask('SET', 'p:there', '5')
    await redis.ask('CONFIG', 'SET', 'maxmemory', '1')
    try {
      for (const call of [() => backend.incr('there'), () => backend.incr('new')]) {
        await expect(call()).rejects.toMatchObject({ code: 'CACHE_REPLY', replyCode: 'OOM' })
      }
    } finally {
      await redis.ask('CONFIG', 'SET', 'maxmemory', '0')
    }
    await redis.ask('REPLICAOF', '127.0.0.1', '1')
    try {
      const refusal = { code: 'CACHE_REPLY', replyCode: 'READONLY' }
      await expect(backend.incr('there')).rejects.toMatchObject(refusal)
    } finally {
      await redis.ask('REPLICAOF', 'NO', 'ONE')
    }
    expect(await redis.ask('GET', 'p:there')).toBe('5')
  })

  test('are all told that a reply was lost', async () => {
    await backend.shutdown()
    backend = new RedisCacheBackend({ url: redis.url, prefix: 'p:', commandTimeout: '100ms' })
    await backend.initialize()
    await backend.incr('a')
    await redis.ask('CLIENT', 'PAUSE', '400', 'WRITE')
    const calls = [backend.incr('a'), backend.incr('b'), backend.incr('a')]
    expect(await outcomes(calls)).toEqual(Array(3).fill('CACHE_AMBIGUOUS'))
  })
})

describe('commands of one tick keep the order of the calls', () => {
  test('a get that joins an earlier batch of reads sees the counter of before', async () => {
    const found = await Promise.all([
      backend.get('other'),
      backend.incr('count', 5),
      backend.get('count'),
      backend.incr('count'),
      backend.getMany(['count']),
    ])
    expect([found[1], found[3]]).toEqual([5, 6])
    expect(found[2]).toBeGreaterThanOrEqual(5)
    expect(found[4]).toEqual(new Map([['count', 6]]))
  })

  test('whatever is called after an incr finds its count', async () => {
    const [, exists, ttl] = await Promise.all([
      backend.incr('a', 1, { ttl: '1h' }),
      backend.exists('a'),
      backend.getTtl('a'),
    ])
    expect(exists).toBe(true)
    expect(ttl).toBeGreaterThan(0)
    await Promise.all([backend.incr('b'), backend.deleteMany(['b'])])
    expect(await backend.get('b')).toBeUndefined()
    await Promise.all([backend.incr('c'), backend.invalidatePattern('c*')])
    expect(await backend.get('c')).toBeUndefined()
    await Promise.all([backend.incr('d'), backend.clear()])
    expect(await backend.get('d')).toBeUndefined()
    const [, added] = await outcomes([backend.incr('e'), backend.addToSet('e', 'member')])
    expect(added).toBe('CACHE_WRONG_TYPE')
  })

  test('a counter that was called before shutdown() is counted', async () => {
    const counted = backend.incr('last')
    await backend.shutdown()
    expect(await counted).toBe(1)
    expect(await redis.ask('GET', 'p:last')).toBe('1')
  })
})
