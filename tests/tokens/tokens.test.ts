import assert from 'node:assert/strict'
import { type Cache, type CreateCacheOptions, createCache } from 'cachewright'
import { describe, it } from 'vitest'
import { z } from 'zod'
import { waitUntil } from '../../testbed/wait-until.ts'
import { Source } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

/** Far longer than a test: what is proven here was asked for. */
const PATIENT: CreateCacheOptions = { prefix: 'p:', ttl: '5m', coherence: { trust: '1h' } }
/** How long pushes are held up. */
const LATENCY_MS = 150

describe('tokens', () => {
  const scene = useScene({ cluster: { masters: 3, replicasPerMaster: 0 }, caches: PATIENT })

  /** A cache that hears of changes late, with copies of these keys. */
  async function late(keys: readonly string[], options: CreateCacheOptions = {}): Promise<Cache> {
    const line = await scene.proxy({ latencyMs: LATENCY_MS })
    const cache = await scene.open({ ...options, redis: line.url })
    for (const key of keys) assert.equal(await cache.get(key), 'old')
    return cache
  }

  it('a reader in another process is not answered with anything older', async () => {
    const here = await scene.open()
    await here.set('key', 'old', { tags: ['tag'] })
    await here.set('other', 'old', { tags: ['tag'] })
    const elsewhere = await late(['key', 'other'])
    await here.set('key', 'new')
    await here.invalidateTags(['tag'])
    const token = await here.mark()
    assert.equal(await elsewhere.get('key'), 'old', 'the push is on its way')
    assert.match(token, /^[\w.-]+$/)
    const [value, entry, miss] = await Promise.all([
      elsewhere.get('key', { atLeast: token }),
      elsewhere.getOrSetEntry('other', async () => 'loaded', { tags: ['tag'], atLeast: token }),
      elsewhere.getEntry('other', { atLeast: token }),
    ])
    assert.equal(value, 'new')
    assert.deepEqual([entry.value, entry.status], ['loaded', 'miss'])
    assert.equal(miss, undefined)
  })

  it('is served from memory as soon as the process has proof', async () => {
    const here = await scene.open()
    const elsewhere = await scene.open()
    await here.set('key', 'old')
    assert.equal(await elsewhere.get('key'), 'old')
    const token = await here.mark()
    const tierOf = async () => (await elsewhere.getEntry('key', { atLeast: token }))?.tier
    assert.equal(await tierOf(), 'shared', 'it has no proof that is newer than the token')
    await waitUntil(async () => (await tierOf()) === 'local' || !(await elsewhere.get('key')), {
      what: 'a proof, which the call before has asked for',
    })
    assert.equal(elsewhere.peek('key'), 'old')
  })

  it('works for batches, collections and wrapped functions', async () => {
    const here = await scene.open()
    const schema = z.string()
    const make = (cache: Cache) => cache.collection({ name: 'words', schema, load: async () => 'loaded' })
    const written = make(here)
    await written.set('1', 'old')
    await here.set('key', 'old')
    const elsewhere = await late(['key'])
    const words = make(elsewhere)
    assert.equal(await words.get('1'), 'old')
    await written.set('1', 'new')
    await here.set('key', 'new')
    const token = await here.mark()
    const many = await elsewhere.getOrSetMany(['key'], async () => new Map(), { atLeast: token })
    assert.equal(many.get('key'), 'new')
    assert.equal(await words.get('1', { atLeast: token }), 'new')
    assert.equal((await words.getMany(['1'], { atLeast: token })).get('1'), 'new')
  })

  it('of a cluster stands for all its nodes', async () => {
    const nodes = scene.cluster.urls
    const [here, elsewhere] = await Promise.all([
      scene.open({ redis: { cluster: { nodes } } }),
      scene.open({ redis: { cluster: { nodes } } }),
    ])
    const keys = Array.from({ length: 30 }, (_, n) => `key:${n}`)
    for (const key of keys) await here.set(key, 'old')
    for (const key of keys) assert.equal(await elsewhere.get(key), 'old')
    await here.deleteMany(keys)
    const token = await here.mark()
    assert.equal(token.split('.').length, 4)
    const found = await Promise.all(keys.map((key) => elsewhere.get(key, { atLeast: token })))
    assert.deepEqual(new Set(found), new Set([undefined]))
  })

  it('is never proven where changes are not pushed, so Redis is asked', async () => {
    const here = await scene.open()
    await here.set('key', 'old')
    const elsewhere = await scene.open({ coherence: { mode: 'ttl' }, local: { ttl: '1h' } })
    assert.equal(await elsewhere.get('key'), 'old')
    await here.set('key', 'new')
    const token = await here.mark()
    assert.equal(await elsewhere.get('key'), 'old')
    assert.equal(await elsewhere.get('key', { atLeast: token }), 'new')
  })

  for (const [what, token] of [
    ['no token', 'nonsense'],
    ['the empty text', ''],
    ['of another server', '1.AAAAAAAAzzz'],
    ['of a later version', '2.AAAAAAAAzzz'],
    ['cut off', '1.AAAA'],
    ['far too long', `1.${'AAAAAAAAzzz.'.repeat(5_000)}`],
  ] as const) {
    it(`${what}: Redis is asked`, async () => {
      const cache = await scene.open()
      const source = new Source('value')
      await cache.getOrSet('key', source.load)
      assert.equal((await cache.getEntry('key', { atLeast: token }))?.tier, 'shared')
      assert.equal(await cache.getOrSet('key', source.load, { atLeast: token }), 'value')
      assert.equal(source.loads, 1)
    })
  }

  it('of a server that was restarted since: Redis is asked', async () => {
    const redis = await scene.server()
    const cache = scene.cache({ ...PATIENT, redis: redis.url, connectTimeout: '3s' })
    await cache.set('key', 'value')
    const token = await cache.mark()
    await redis.kill()
    await redis.restart()
    await waitUntil(async () => (await cache.set('key', 'later')) === true, { what: 'the connection' })
    assert.equal(await cache.get('key'), 'later')
    for (let attempts = 0; attempts < 3; attempts++) {
      assert.equal((await cache.getEntry('key', { atLeast: token }))?.tier, 'shared')
    }
  })

  it('without Redis there is none, and the loader is called', async () => {
    const redis = await scene.server()
    const cache = scene.cache({ ...PATIENT, redis: redis.url, commandTimeout: '250ms', connectTimeout: '1s' })
    await cache.set('key', 'value')
    await redis.kill()
    await waitUntil(async () => (await cache.mark()) === '', { what: 'the end of the connection' })
    assert.equal(await cache.getOrSet('key', async () => 'loaded', { atLeast: '' }), 'loaded')
  })

  it('what is no text is refused', async () => {
    const cache = createCache({ redis: false })
    scene.later(() => cache.shutdown())
    const refusal = { code: 'CACHE_INVALID_OPTIONS', message: /atLeast must be a token of mark\(\), not 7/ }
    await assert.rejects(cache.get('key', { atLeast: 7 as never }), refusal)
    await assert.rejects(cache.getEntry('key', { atLeast: 7 as never }), refusal)
    await assert.rejects(
      cache.getOrSet('key', () => 1, { atLeast: 7 as never }),
      refusal,
    )
  })

  it('in a process of its own, memory is always at least that', async () => {
    const cache = createCache({ redis: false })
    scene.later(() => cache.shutdown())
    await cache.set('key', 'value')
    await cache.get('key')
    assert.equal((await cache.getEntry('key', { atLeast: await cache.mark() }))?.tier, 'local')
  })
})
