import assert from 'node:assert/strict'
import { type Cache, createCache } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { afterAll, beforeAll, describe, it, vi } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'

let redis: Standalone

beforeAll(async () => {
  redis = await startStandalone()
})
afterAll(() => redis.stop())

const isStored = async (cache: Cache, key: string) => {
  assert.equal(await cache.set(key, 1), true)
  return (await redis.ask('EXISTS', `cache:${key}`)) === 1
}

describe('REDIS_URL', () => {
  it('is the address of a cache and of a backend that are given none', async () => {
    vi.stubEnv('REDIS_URL', redis.url)
    await using cache = createCache()
    assert.equal(await isStored(cache, 'default'), true)
    await using withOptions = createCache({ redis: { clientOptions: {} } })
    assert.equal(await isStored(withOptions, 'options'), true)
    await using backend = new RedisCacheBackend()
    await backend.initialize()
    assert.equal(await backend.get('default'), 1)
  })

  it('is not used if the code names an address, or memory', async () => {
    vi.stubEnv('REDIS_URL', 'redis://127.0.0.1:1')
    await using named = createCache({ redis: redis.url })
    assert.equal(await isStored(named, 'named'), true)
    vi.stubEnv('REDIS_URL', redis.url)
    await using inMemory = createCache({ redis: false })
    assert.equal(await isStored(inMemory, 'memory'), false)
    assert.equal(inMemory.coherence, 'process')
  })

  it('is refused if it is malformed, and an empty one counts as not set', () => {
    vi.stubEnv('REDIS_URL', 'localhost:6379')
    assert.throws(() => createCache(), { code: 'CACHE_INVALID_OPTIONS' })
    vi.stubEnv('REDIS_URL', '')
    assert.equal(createCache().coherence, 'process')
  })
})
