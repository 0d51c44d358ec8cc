import assert from 'node:assert/strict'
import { type Cache, type CacheBackend, CacheError, cached, createCache } from 'cachewright'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { MemoryCacheBackend } from 'cachewright/memory'
import { NullCacheBackend } from 'cachewright/null'
import { RedisCacheBackend } from 'cachewright/redis'
import { Faults, SimulatedRedis } from 'cachewright/testing'
import { describe, it, vi } from 'vitest'

/** As a program in JavaScript, or options from a file, may call it. */
type Untyped = (options: unknown) => unknown

const URL_TEXT = 'redis://localhost:1'
const SCHEMA = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
} as const

const create = createCache as Untyped
const redisBackend: Untyped = (options) => new RedisCacheBackend(options as object)
const memoryBackend: Untyped = (options) => new MemoryCacheBackend(options as object)

function refusal(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    assert.ok(error instanceof CacheError, String(error))
    assert.equal(error.code, 'CACHE_INVALID_OPTIONS', error.message)
    return error.message
  }
  return 'it was accepted'
}

describe('an unknown option', () => {
  it('is refused by name, with the nearest known one', () => {
    assert.match(
      refusal(() => create({ tll: '5m' })),
      /Unknown option 'tll' of createCache; did you mean 'ttl'\?/,
    )
    assert.match(
      refusal(() => create({ Prefix: 'shop:' })),
      /did you mean 'prefix'/,
    )
    assert.match(
      refusal(() => create({ staleWhileRevaldiate: '1m' })),
      /did you mean 'staleWhileRevalidate'/,
    )
    assert.match(
      refusal(() => redisBackend({ conectTimeout: '1s' })),
      /did you mean 'connectTimeout'/,
    )
  })

  it('is refused with all that are known, if none is near', () => {
    assert.match(
      refusal(() => create({ sharks: 1 })),
      /'sharks' of createCache. It takes redis, client, backend, /,
    )
  })

  it.each<[string, Untyped]>([
    ['createCache', create],
    ['RedisCacheBackend', redisBackend],
    ['IoredisCacheBackend', (options) => new IoredisCacheBackend(options as never)],
    ['MemoryCacheBackend', memoryBackend],
    ['NullCacheBackend', (options) => new NullCacheBackend(options as object)],
    ['SimulatedRedis', (options) => new SimulatedRedis(options as object)],
    ['SimulatedRedis.backend', (options) => new SimulatedRedis().backend(options as object)],
    ['Faults', (options) => new Faults(options as object)],
    ['local', (local) => create({ local })],
    ['coherence', (coherence) => create({ coherence })],
    ['lease', (lease) => create({ lease })],
    ['shutdown', (shutdown) => create({ shutdown })],
    ['redis', (redis) => create({ redis })],
    ['compression', (compression) => create({ compression })],
    ['encryption', (encryption) => create({ encryption })],
    ['earlyRefresh', (earlyRefresh) => create({ earlyRefresh })],
    ['verify', (verify) => create({ verify })],
    ['cluster', (cluster) => redisBackend({ cluster })],
    ['sentinel', (sentinel) => create({ redis: { sentinel } })],
    ['namespace', (options) => createCache().namespace('n', options as object)],
    ['collection', (options) => createCache().collection(options as never)],
    ['wrap', (options) => createCache().wrap(function named() {}, options as object)],
    ['cached', (options) => cached(createCache(), options as object)],
  ])('is refused by %s', (_name, make) => {
    const { nodes, ...rest } = { nodes: [URL_TEXT], unheardOf: 1 }
    assert.match(
      refusal(() => make({ ...rest, nodes })),
      /Unknown option '(unheardOf|nodes)'/,
    )
    assert.match(
      refusal(() => make(['5m'])),
      /must be an object, not an array/,
    )
  })

  it('of another client tells how an address is written here', () => {
    assert.match(
      refusal(() => create({ redis: { host: 'localhost', port: 6379 } })),
      /'host' of redis: write it into the URL, as in 'redis:\/\/user:password@host:6379\/0'/,
    )
    assert.match(
      refusal(() => create({ url: URL_TEXT })),
      /'url' of createCache: its name here is 'redis'/,
    )
    assert.match(
      refusal(() => redisBackend({ host: 'localhost' })),
      /write it into the URL/,
    )
    assert.match(
      refusal(() => redisBackend({ redis: URL_TEXT })),
      /its name here is 'url'/,
    )
    assert.match(
      refusal(() => create({ defaultTtl: '5m' })),
      /its name here is 'ttl'/,
    )
    assert.match(
      refusal(() => memoryBackend({ defaultTtl: '5m' })),
      /its name here is 'ttl'/,
    )
    assert.match(
      refusal(() => redisBackend({ timeout: '1s' })),
      /its name here is 'commandTimeout'/,
    )
    assert.match(
      refusal(() => create({ timeout: '1s' })),
      /write commandTimeout for the commands of Redis, softTimeout or hardTimeout for loaders/,
    )
  })
})

describe('an option of a group', () => {
  it.each([
    ['trust', '3s', "'trust' of createCache: write coherence: { trust }"],
    ['afterRestart', 'invalidate', "'afterRestart' of createCache: write coherence: { afterRestart }"],
    ['longestLoad', '1m', "'longestLoad' of createCache: write lease: { longestLoad }"],
    ['drain', '5s', "'drain' of createCache: write shutdown: { drain }"],
    ['maxEntries', 5, "'maxEntries' of createCache: write local: { maxEntries }"],
    ['coherence', 'bus', "coherence must be an object, not a string: write coherence: { mode: 'bus' }"],
    ['lease', '5s', "lease must be an object, not a string: write lease: { ttl: '5s' }"],
    ['lease', 5, 'lease must be an object, not a number: write lease: { ttl: 5 }'],
    ['lease', 'a text that may be a secret', 'not a string: write lease: { ttl }'],
    ['shutdown', '5s', "shutdown must be an object, not a string: write shutdown: { drain: '5s' }"],
  ])('is refused outside of it, with the way to write it: %s: %o', (name, value, hint) => {
    const message = refusal(() => create({ [name]: value }))
    assert.ok(message.endsWith(hint), message)
  })

  it.each([
    [{ coherence: { trsut: '3s' } }, "Unknown option 'trsut' of coherence; did you mean 'trust'?"],
    [{ coherence: { ttl: '3s' } }, "Unknown option 'ttl' of coherence. It takes mode, trust, afterRestart"],
    [{ lease: { longestload: '1m' } }, "Unknown option 'longestload' of lease; did you mean 'longestLoad'?"],
    [{ shutdown: { drian: '1m' } }, "Unknown option 'drian' of shutdown; did you mean 'drain'?"],
    [{ lease: { ttl: null } }, 'ttl of lease is null: leave it out for its default'],
    [{ lease: false }, 'The options of lease must be an object, not a boolean'],
    [{ coherence: null }, 'coherence of createCache is null: leave it out for its default'],
  ])('is refused by the name of its group: %j', (options, message) => {
    assert.equal(
      refusal(() => create(options)),
      message,
    )
  })
})

describe('an option of no use', () => {
  it('beside a backend is refused, since the backend decides it', () => {
    const given = {
      redis: URL_TEXT,
      prefix: 'shop:',
      serializer: 'v8',
      errors: 'throw',
      commandTimeout: '1s',
    }
    for (const [name, value] of Object.entries(given)) {
      const message = refusal(() => create({ backend: new MemoryCacheBackend(), [name]: value }))
      assert.match(message, new RegExp(`\\b${name}\\b`))
    }
    createCache({ backend: new MemoryCacheBackend(), ttl: '5m', local: false })
  })

  it('in clientOptions is refused if this library decides it', () => {
    const wrong = [
      { url: URL_TEXT },
      { RESP: 2 },
      { socket: { host: 'h' } },
      { socket: { port: 1 } },
      { socket: 5 },
      5,
    ]
    for (const clientOptions of wrong) {
      assert.match(
        refusal(() => redisBackend({ url: URL_TEXT, clientOptions })),
        /clientOptions/,
      )
    }
  })
})

describe('an unfit option', () => {
  it.each<[string, Untyped, unknown]>([
    ['null in place of an address', create, { redis: null }],
    ['a number in place of an address', create, { redis: 6379 }],
    ['the object of a URL', create, { redis: new URL(URL_TEXT) }],
    ['null in place of a prefix', memoryBackend, { prefix: null }],
    ['true in place of local options', create, { local: true }],
    ['null in place of local options', create, { local: null }],
    ['a clock without a time', create, { clock: {} }],
    ['a logger without methods', create, { logger: { warn() {} } }],
    ['a serializer in place of a list of readers', create, { readers: {} }],
    ['a text in place of a list of nodes', redisBackend, { cluster: { nodes: URL_TEXT } }],
    ['a sentinel without the name of the primary', redisBackend, { sentinel: { nodes: [URL_TEXT] } }],
    ['a URL in place of all options', create, URL_TEXT],
    ['null in place of all options', create, null],
  ])('is refused: %s', (_what, make, options) => {
    assert.notEqual(
      refusal(() => make(options)),
      'it was accepted',
    )
  })

  it('names the option of an invalid duration', () => {
    for (const [name, options] of [
      ['local.ttl', { local: { ttl: Number.NaN } }],
      ['local.ttl', { local: { ttl: 0 } }],
      ['ttl', { ttl: 'soon' }],
      ['coherence.trust', { coherence: { trust: '5 minutes' } }],
      ['lease.ttl', { lease: { ttl: Number.NaN } }],
      ['lease.longestLoad', { lease: { longestLoad: 0 } }],
      ['shutdown.drain', { shutdown: { drain: -1 } }],
      ['staleIfError', { staleIfError: Number.NaN }],
      ['verify.grace', { verify: { sample: 1, grace: 0 } }],
    ] as const) {
      assert.throws(
        () => create(options),
        (error) => {
          assert.ok(error instanceof CacheError)
          assert.equal(error.code, 'CACHE_INVALID_DURATION')
          assert.ok(error.message.includes(` ${name}:`), error.message)
          return true
        },
      )
    }
  })
})

describe('an argument of a call', () => {
  const wrongCalls: [string, (cache: Cache, backend: CacheBackend) => Promise<unknown>][] = [
    ['get', (cache) => cache.get('key', { locl: false } as never)],
    ['getOrSet', (cache) => cache.getOrSet('key', () => 1, { tll: '5m' } as never)],
    ['getOrSet with a text', (cache) => cache.getOrSet('key', () => 1, '5m' as never)],
    ['refresh', (cache) => cache.refresh('key', () => 1, { tag: ['a'] } as never)],
    ['set', (cache) => cache.set('key', 1, { tll: '5m' } as never)],
    ['set with null', (cache) => cache.set('key', 1, null as never)],
    ['setMany', (cache) => cache.setMany({ key: 1 }, { tll: '5m' } as never)],
    ['getOrSetMany', (cache) => cache.getOrSetMany(['key'], () => new Map(), { tll: '5m' } as never)],
    ['explain', (cache) => cache.explain('key', { tll: '5m' } as never)],
    ['invalidatePattern', (cache) => cache.invalidatePattern('*', { onProgres() {} } as never)],
    ['setOptions', (cache) => cache.getOrSet('key', (load) => load.setOptions({ tll: '5m' } as never))],
    [
      'get of a collection',
      (cache) =>
        cache.collection({ name: 'c', schema: SCHEMA, load: () => 1 }).get('a', { sgnal: 1 } as never),
    ],
    ['incr', (_, backend) => backend.incr('n', 1, { tll: '1d' } as never)],
    ['addToSet', (_, backend) => backend.addToSet('s', 'a', { slyde: true } as never)],
    ['addManyToSet', (_, backend) => backend.addManyToSet('s', ['a'], { slyde: true } as never)],
    ['clear', (_, backend) => backend.clear({ sgnal: 1 } as never)],
    ['invalidatePattern of a backend', (_, backend) => backend.invalidatePattern('*', { sgnal: 1 } as never)],
  ]

  it.each(wrongCalls)('with an unknown option is refused: %s', async (_name, call) => {
    const backend = new MemoryCacheBackend()
    await using cache = createCache({ backend })
    await cache.initialize()
    await assert.rejects(call(cache, backend), { code: 'CACHE_INVALID_OPTIONS' })
  })

  it('with an unknown option is let pass in production', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    await using cache = createCache({ backend: new MemoryCacheBackend() })
    await cache.initialize()
    assert.equal(await cache.getOrSet('key', () => 1, { tll: '5m' } as never), 1)
    assert.equal(await cache.counters.incr('n', 1, { tll: '1d' } as never), 1)
  })

  it('in place of a list of tags is refused', async () => {
    await using cache = createCache()
    for (const tags of [null, undefined, '', 'users', 5, { 0: 'users', length: 0 }]) {
      await assert.rejects(cache.invalidateTags(tags as never), { code: 'CACHE_INVALID_ARGUMENT' })
    }
    for (const tags of [null, '', 5]) {
      await assert.rejects(cache.set('key', 1, { tags: tags as never }), { code: 'CACHE_INVALID_ARGUMENT' })
      await assert.rejects(
        cache.getOrSet('key', () => 1, { tags: tags as never }),
        { code: 'CACHE_INVALID_ARGUMENT' },
      )
    }
    await cache.getOrSet('warm', () => 1)
    assert.equal(await cache.getOrSet('warm', () => 2, { tags: null as never }), 1)
  })
})
