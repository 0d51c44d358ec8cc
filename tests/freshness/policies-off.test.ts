import { type Cache, createCache, type PolicyOptions, type StandardSchema } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { defaultPolicies, resolvePolicies } from '../../src/cache/freshness/policies.ts'
import { openTimed, TimedSource } from '../support/timed-source.ts'

const anything: StandardSchema<unknown> = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
}

/** Every policy that can be turned off, set. */
const SET = {
  jitter: 0.5,
  staleWhileRevalidate: '1m',
  staleIfError: '1h',
  retryAfterError: '10s',
  errorTtl: '2s',
  absentTtl: '30s',
  earlyRefresh: { beta: 2 },
  softTimeout: '1s',
  hardTimeout: '5s',
  verify: { sample: 0.5, grace: '2s' },
} as const satisfies PolicyOptions
const NAMES = Object.keys(SET) as (keyof typeof SET)[]

describe('false turns off a policy that is set around', () => {
  const defaults = defaultPolicies(60_000)
  const around = resolvePolicies(SET, defaults)

  test.each(NAMES)('%s, and no other', (name) => {
    const { [name]: _, ...others } = SET
    const { verifyGraceMs: _grace, ...expected } = resolvePolicies(others, defaults)
    expect(resolvePolicies({ [name]: false }, around)).toMatchObject(expected)
  })

  test('all of them at once', () => {
    const off = Object.fromEntries(NAMES.map((name) => [name, false]))
    expect({ ...resolvePolicies(off, around), verifyGraceMs: 1_000 }).toEqual(defaults)
  })

  test('staleWhileRevalidate: a value past its ttl is loaded anew before it is served', async () => {
    const { cache, clock, told } = openTimed({ ttl: '10s', staleWhileRevalidate: '1h' })
    const source = new TimedSource(clock)
    const ask = () => cache.getOrSet('key', source.load, { staleWhileRevalidate: false })
    await ask()
    await clock.advance('10s')
    expect(await ask()).toBe(2)
    expect(told).toEqual([])
  })

  test('staleIfError: a failed loader rejects its caller', async () => {
    const { cache, clock } = openTimed({ ttl: '10s', staleIfError: '1h' })
    const source = new TimedSource(clock)
    const ask = () => cache.getOrSet('key', source.load, { staleIfError: false })
    await ask()
    await clock.advance('10s')
    source.error = new Error('source away')
    await expect(ask()).rejects.toThrow('source away')
  })

  test('softTimeout: a caller waits for the load although there is a stale value', async () => {
    const { cache, clock, told } = openTimed({ ttl: '10s', staleIfError: '1h', softTimeout: '1s' })
    const source = new TimedSource(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('10s')
    source.takesMs = 5_000
    const asked = cache.getOrSet('key', source.load, { softTimeout: false })
    await clock.advance('5s')
    expect(await asked).toBe(2)
    expect(told).toEqual([])
  })

  test('hardTimeout: a caller waits as long as the load takes', async () => {
    const { cache, clock } = openTimed({ hardTimeout: '1s' })
    const source = new TimedSource(clock)
    source.takesMs = 5_000
    const asked = cache.getOrSet('key', source.load, { hardTimeout: false })
    await clock.advance('5s')
    expect(await asked).toBe(1)
  })

  test('earlyRefresh: a namespace of a cache that refreshes early does not', async () => {
    const { cache, clock } = openTimed({ ttl: '60s', earlyRefresh: { beta: 1e12 } })
    const source = new TimedSource(clock)
    source.takesMs = 1_000
    const late = cache.namespace('late', { earlyRefresh: false })
    const first = late.getOrSet('key', source.load)
    await clock.advance('1s')
    await first
    for (let call = 0; call < 50; call++) await late.getOrSet('key', source.load)
    await cache.idle()
    expect(source.loads).toBe(1)
  })

  test('verify: a namespace of a cache that verifies does not', async () => {
    const { cache, clock } = openTimed({ verify: { sample: 1 } })
    const source = new TimedSource(clock)
    const quiet = cache.namespace('quiet', { verify: false })
    for (let call = 0; call < 50; call++) await quiet.getOrSet('key', source.load)
    await clock.advance('10s')
    expect(source.loads).toBe(1)
  })
})

/** Ways to store a value under a key without jitter. Each answers the time to live that it got, in seconds. */
const unspread: readonly (readonly [string, (cache: Cache, key: string) => Promise<number | undefined>])[] = [
  [
    'a namespace',
    async (cache, key) => {
      const even = cache.namespace('even', { jitter: false })
      await even.getOrSet(key, () => 1)
      return even.getTtl(key)
    },
  ],
  [
    'a collection',
    async (cache, key) => {
      const even = cache.collection({ name: `even${key}`, schema: anything, load: () => 1, jitter: false })
      await even.get(key)
      return even.getTtl(key)
    },
  ],
  [
    'a wrapped function',
    async (cache, key) => {
      const even = cache.wrap(async (_key: string) => 1, { name: `even${key}`, jitter: false })
      await even(key)
      return cache.getTtl(even.key(key))
    },
  ],
  [
    'a call of getOrSet',
    async (cache, key) => {
      await cache.getOrSet(key, () => 1, { jitter: false })
      return cache.getTtl(key)
    },
  ],
  [
    'a call of set',
    async (cache, key) => {
      await cache.set(key, 1, { jitter: false })
      return cache.getTtl(key)
    },
  ],
  [
    'the fill of a slot',
    async (cache, key) => {
      const slot = await cache.reserve(key)
      await slot.fill(1, { jitter: false })
      return cache.getTtl(key)
    },
  ],
  [
    'a loader',
    async (cache, key) => {
      await cache.getOrSet(key, (context) => {
        context.setOptions({ jitter: false })
        return 1
      })
      return cache.getTtl(key)
    },
  ],
]

describe('false turns off the policy of a cache', () => {
  test.each(unspread)('in %s', async (_name, store) => {
    const { cache } = openTimed({ ttl: '100s', jitter: 0.5 })
    const ttls = []
    for (let number = 0; number < 20; number++) ttls.push(await store(cache, `key${number}`))
    expect(new Set(ttls)).toEqual(new Set([100]))
  })
})

describe('a policy that is no duration', () => {
  const TTL =
    /^Invalid duration ttl: false\. .*, or Infinity\. Infinity keeps a value; a loader's context\.skip\(\) does not store it$/

  test('ttl: false is refused wherever it is given, with what may be meant', async () => {
    const { cache } = openTimed()
    const off = { ttl: false } as never
    expect(() => createCache(off)).toThrow(TTL)
    expect(() => cache.namespace('n', off)).toThrow(TTL)
    expect(() =>
      cache.collection({ name: 'c', schema: anything, load: () => 1, ...(off as object) }),
    ).toThrow(TTL)
    await expect(cache.getOrSet('key', () => 1, off)).rejects.toThrow(TTL)
    await expect(cache.set('key', 1, off)).rejects.toThrow(TTL)
    await expect(cache.set('key', 1, false as never)).rejects.toThrow(TTL)
    await expect(cache.setMany([['key', 1, false as never]])).rejects.toThrow(TTL)
    await expect(cache.wrap(async () => 1, { name: 'one', ttl: () => false as never })()).rejects.toThrow(TTL)
    await expect(cache.getOrSet('key', (context) => context.setTtl(false as never))).rejects.toThrow(TTL)
    await expect(cache.getOrSet('key', (context) => context.setOptions(off))).rejects.toThrow(TTL)
  })

  test.each([
    'staleWhileRevalidate',
    'staleIfError',
    'retryAfterError',
    'errorTtl',
    'softTimeout',
    'hardTimeout',
  ])('%s: 0 is refused, with the way to turn it off', (name) => {
    expect(() => createCache({ [name]: 0 })).toThrow(
      expect.objectContaining({
        code: 'CACHE_INVALID_DURATION',
        message: expect.stringMatching(
          new RegExp(`^Invalid duration ${name}: 0\\. .*\\. false turns it off$`),
        ),
      }),
    )
  })
})
