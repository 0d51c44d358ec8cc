import assert from 'node:assert/strict'
import { createCache, type Logger } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend } from 'cachewright/redis'
import { SimulatedRedis } from 'cachewright/testing'
import { describe, it, vi } from 'vitest'

/** A logger, and the warnings that it was given. */
function collecting(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = []
  return { lines, logger: { debug() {}, warn: (_context, line) => lines.push(line), error() {} } }
}

describe('a number of seconds that looks like milliseconds', () => {
  it('is told once, with the name of its option and what it means', () => {
    const { lines, logger } = collecting()
    for (let time = 0; time < 2; time++) createCache({ ttl: 60_000, logger })
    assert.deepEqual(lines, [
      "ttl: 60000 is 16.7 hours, since a number counts seconds. If milliseconds are meant, write '60000ms'; if not, '60000s' says so",
    ])
  })

  it.each([
    [
      'an option of the cache',
      'staleIfError',
      (logger: Logger) => createCache({ staleIfError: 30_000, logger }),
    ],
    ['a local option', 'local.ttl', (logger: Logger) => createCache({ local: { ttl: 10_000 }, logger })],
    [
      'a lease',
      'lease.longestLoad',
      (logger: Logger) => createCache({ lease: { longestLoad: 60_000 }, logger }),
    ],
    [
      'an option of coherence',
      'coherence.trust',
      (logger: Logger) => createCache({ coherence: { trust: 10_000 }, logger }),
    ],
    [
      'a shutdown',
      'shutdown.drain',
      (logger: Logger) => createCache({ shutdown: { drain: 30_000 }, logger }),
    ],
    [
      'the grace of a verification',
      'verify.grace',
      (logger: Logger) => createCache({ verify: { sample: 0.1, grace: 10_000 }, logger }),
    ],
    ['an option of a backend', 'ttl', (logger: Logger) => new MemoryCacheBackend({ ttl: 50_000, logger })],
    [
      'a timeout',
      'commandTimeout',
      (logger: Logger) => new RedisCacheBackend({ commandTimeout: 10_000, logger }),
    ],
    ['a namespace', 'ttl', (logger: Logger) => createCache({ logger }).namespace('n', { ttl: 3_600_000 })],
    ['a call', 'ttl', (logger: Logger) => createCache({ logger }).getOrSet('key', () => 1, { ttl: 60_000 })],
    ['a set', 'ttl', (logger: Logger) => createCache({ logger }).set('key', 1, 60_000)],
    [
      'a loader',
      'ttl',
      (logger: Logger) => createCache({ logger }).getOrSet('key', (context) => context.setTtl(60_000)),
    ],
    [
      'the set of a backend',
      'ttl',
      async (logger: Logger) => {
        const backend = new SimulatedRedis().backend({ logger })
        await backend.initialize()
        await backend.set('key', 1, 60_000)
      },
    ],
    [
      'a counter',
      'ttl',
      async (logger: Logger) => {
        const backend = new SimulatedRedis().backend({ logger })
        await backend.initialize()
        await backend.incr('key', 1, { ttl: 60_000 })
      },
    ],
  ])('is told of %s', async (_what, name, use) => {
    const { lines, logger } = collecting()
    await use(logger)
    assert.equal(lines.length, 1)
    assert.ok(lines[0]?.startsWith(`${name}: `), lines[0])
  })

  it('is let pass if it is short, whole hours, or has a unit', () => {
    const { lines, logger } = collecting()
    for (const ttl of [
      60,
      9_000,
      12_345,
      36_000,
      86_400,
      604_800,
      2_592_000,
      '60000s',
      Number.POSITIVE_INFINITY,
    ] as const) {
      createCache({ ttl, logger })
    }
    assert.deepEqual(lines, [])
  })

  it('is let pass in production', () => {
    vi.stubEnv('NODE_ENV', 'production')
    const { lines, logger } = collecting()
    createCache({ redis: false, ttl: 60_000, logger })
    assert.deepEqual(lines, [])
  })

  it('becomes a warning of the process if there is no logger', () => {
    const emitted = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    createCache({ ttl: 70_000 })
    createCache({ ttl: 70_000 })
    assert.equal(emitted.mock.calls.length, 1)
    assert.match(String(emitted.mock.calls[0]?.[0]), /^ttl: 70000 is 19.4 hours/)
    emitted.mockRestore()
  })
})

describe('a cache without Redis in production', () => {
  it('says so once, unless it is meant', () => {
    vi.stubEnv('NODE_ENV', 'production')
    const { lines, logger } = collecting()
    createCache({ redis: false, logger })
    createCache({ backend: new MemoryCacheBackend({ logger }) })
    createCache({ redis: 'redis://localhost:1', logger })
    assert.deepEqual(lines, [])
    for (const redis of [undefined, '']) createCache({ redis, logger })
    assert.equal(lines.length, 1)
    assert.match(lines.join(), /^No Redis is configured, neither by the option redis nor by REDIS_URL/)
  })

  it('says nothing elsewhere', () => {
    const { lines, logger } = collecting()
    createCache({ logger })
    assert.deepEqual(lines, [])
  })
})

describe('a prefix that ends within a word', () => {
  it('is told once, since clear() and patterns reach longer prefixes', () => {
    const { lines, logger } = collecting()
    for (let time = 0; time < 2; time++) createCache({ prefix: 'shop', logger })
    new RedisCacheBackend({ prefix: 'größe', logger })
    assert.equal(lines.length, 2)
    assert.match(
      lines[0] as string,
      /^The prefix 'shop' .* such as 'shop2'. End it with a separator: 'shop:'$/,
    )
    for (const prefix of ['', 'shop:', 'shop/', 'shop-', '{shop}', 'a.b_']) createCache({ prefix, logger })
    assert.equal(lines.length, 2)
  })

  it('keeps the keys that other programs read', async () => {
    const { logger } = collecting()
    const redis = new SimulatedRedis()
    const one = redis.backend({ prefix: 'shop', logger })
    const all = redis.backend({ prefix: '' })
    await Promise.all([one.initialize(), all.initialize()])
    await one.set('key', 1)
    assert.equal(await all.get('shopkey'), 1)
  })
})
