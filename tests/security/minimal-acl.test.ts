import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createCache } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { describeCacheBackend } from 'cachewright/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'

/** A user that the documentation shows, so that what it says is what is tested. */
function documentedUser(name: string): string {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const rule = text.split('\n').find((line) => line.startsWith(`user ${name} on `))
  if (rule === undefined) throw new Error('docs/operations.md shows no user any more')
  return rule.replace('~shop:*', '~contract-*').replace('&shop:*', '&contract-*')
}

let redis: Standalone

beforeAll(async () => {
  redis = await startStandalone({
    aclFile: `user default on nopass ~* &* +@all\n${documentedUser('shop')}\n${documentedUser('shop-cache')}\n`,
    username: 'shop',
    password: 'secret',
  })
})

afterAll(() => redis.stop())

describeCacheBackend({
  name: 'a user with no more rights than the documentation gives',
  describe,
  it,
  createBackend: (options) => new RedisCacheBackend({ ...options, url: redis.url }),
})

describe('shared record structures', () => {
  it('need no more rights either', async () => {
    await using backend = new RedisCacheBackend<{ id: number }>({
      url: redis.url,
      prefix: 'contract-structures:',
      serializer: 'msgpack',
      errors: 'throw',
    })
    await backend.initialize()
    const sizes: number[] = []
    backend.on('set', ({ bytes }) => sizes.push(bytes))
    await waitUntil(
      async () => {
        await backend.setMany([0, 1, 2, 3].map((id) => [`key:${id}`, { id }]))
        await backend.set('key', { id: 1 })
        return new Set(sizes).size > 1
      },
      { what: 'the structures to be shared' },
    )
    assert.deepEqual(await backend.get('key'), { id: 1 })
    assert.equal(await backend.clear(), true)
  })
})

describe('P42 a read-through cache with no more rights than the documentation gives', () => {
  for (const coherence of ['tracking', 'bus'] as const) {
    it(`performs every operation, by ${coherence}`, async () => {
      const url = redis.url.replace('shop:secret', 'shop-cache:secret')
      await using cache = createCache({ redis: url, prefix: 'contract-cache:', coherence, errors: 'throw' })
      await cache.initialize()
      await waitUntil(() => cache.coherence === coherence, { what: coherence })
      const failures: string[] = []
      cache.on('error', ({ error }) => failures.push(error.message))
      const load = () => cache.getOrSet('key', () => 1, { tags: ['a'] })
      assert.equal(await load(), 1)
      assert.equal(await load(), 1)
      assert.equal(await cache.invalidateTags(['a']), true)
      assert.equal(await load(), 1)
      assert.equal(await cache.set('other', 2, { tags: ['a'] }), true)
      assert.equal(await cache.getTtl('plain'), undefined)
      assert.equal(await cache.backend.incr('counter'), 1)
      assert.equal(await cache.invalidatePattern('oth*'), 1)
      assert.equal(await cache.delete('key'), true)
      await assert.rejects(
        cache.getOrSet('failing', () => Promise.reject(new Error('no'))),
        /no/,
      )
      assert.equal(await cache.clear(), true)
      await waitUntil(async () => (await cache.backend.get('counter')) === undefined, { what: 'the reclaim' })
      assert.deepEqual(failures, [])
    })
  }
})
