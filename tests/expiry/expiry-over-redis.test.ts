import assert from 'node:assert/strict'
import type { Cache, CreateCacheOptions } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, it } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, elapsed, firstHitMs } from '../support/cache-states.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const WINDOWS: CreateCacheOptions = { ttl: '5m', staleWhileRevalidate: '1m', staleIfError: '5m' }
const TAGGED = { tags: ['tag'] }

const WAYS = [
  ['expire', (cache: Cache) => cache.expire('key')],
  ['expireTags', (cache: Cache) => cache.expireTags(['tag'])],
] as const

/** What a call is served, and how. */
async function answer(cache: Cache): Promise<readonly [unknown, string]> {
  const { status, value } = await cache.getOrSetEntry('key', async () => 'new', TAGGED)
  return [value, status]
}

describe('expiry over Redis', () => {
  const scene = useScene({
    cluster: { masters: 3, replicasPerMaster: 0 },
    caches: { prefix: 'p:', ...WINDOWS },
  })
  const cluster = () => ({
    cluster: { nodes: scene.cluster.urls },
  })

  const places: readonly (readonly [name: string, () => CreateCacheOptions])[] = [
    ['one server', () => ({})],
    ['a cluster', () => ({ redis: cluster() })],
    ['one server on the bus', () => ({ coherence: { mode: 'bus' } })],
    [
      'encrypted entries',
      () => ({ encryption: { keys: [{ id: 'k1', secret: Buffer.alloc(32, 7).toString('base64') }] } }),
    ],
    ['compressed entries', () => ({ compression: { algorithm: 'gzip', minBytes: 1 } })],
  ]
  for (const [place, options] of places) {
    for (const [name, expire] of WAYS) {
      it(`${name} makes the copies of all processes stale, on ${place}`, async () => {
        const [here, elsewhere] = await Promise.all([scene.open(options()), scene.open(options())])
        await here.set('key', 'old', TAGGED)
        for (const cache of [here, elsewhere]) assert.equal(await cache.get('key'), 'old')
        assert.equal(await expire(here), true)
        assert.equal(await here.get('key'), undefined)
        await waitUntil(() => elsewhere.peek('key') === undefined, { what: 'the push' })
        assert.deepEqual(await answer(elsewhere), ['old', 'stale'])
        await waitUntil(async () => (await here.get('key')) === 'new', { what: 'the refresh' })
      })
    }
  }

  for (const [name, expire] of WAYS) {
    it(`${name} makes an entry stale for a process that estimates the clock of the server badly`, async () => {
      // Half of a round trip is taken for the way back. All of it is here, so the estimate is 150 ms slow.
      const far = await scene.proxy({ latencyMs: 300 })
      const [here, elsewhere] = [await scene.open(), await scene.open({ redis: { url: far.url } })]
      far.replyPace.latencyMs = 0
      for (const age of [0, 400]) {
        await here.set('key', 'old', TAGGED)
        await elapsed(age)
        await expire(here)
        const { status, value } = await elsewhere.getOrSetEntry('key', async () => 'new', TAGGED)
        assert.deepEqual([value, status], ['old', 'stale'], `${age} ms old`)
        await waitUntil(async () => (await here.get('key')) === 'new', { what: 'the refresh' })
      }
    })
  }

  it('explain tells in another process who invalidated what, and when', async () => {
    const here = await scene.open({ processName: 'api-3' })
    const elsewhere = await scene.open()
    await here.set('key', 'old', TAGGED)
    await here.invalidateTags(['tag'], { by: 'order.paid' })
    const explained = await elsewhere.explain('key', TAGGED)
    const told = explained.shared.tags[0]
    assert.equal(told?.verdict, 'invalidated')
    assert.deepEqual({ ...told?.invalidation, ago: 0 }, { ago: 0, process: 'api-3', by: 'order.paid' })
    assert.match(String(explained), /'tag' INVALIDATED [\d.]+ (ms|s) ago by api-3 \(order\.paid\)/)
    assert.match(
      explained.next.reason,
      /was invalidated [\d.]+ (ms|s) ago by api-3 \(order\.paid\), after it was stored/,
    )

    await here.expireTags(['tag'], { by: 'nightly' })
    await here.delete('key', { by: 'user.left' })
    const gone = await elsewhere.explain('key', TAGGED)
    assert.deepEqual({ ...gone.invalidation, ago: 0 }, { ago: 0, process: 'api-3', by: 'user.left' })
    assert.match(String(gone), /deleted or expired [\d.]+ (ms|s) ago by api-3 \(user\.left\)/)
  })

  it('a cause is kept for an hour, costs nothing without `by`, and goes with the key space', async () => {
    const cache = await scene.open()
    await cache.delete('other')
    assert.equal(await scene.redis.ask('EXISTS', 'p:other\0by'), 0)
    await cache.delete('key', { by: 'user.left' })
    const leftMs = Number(await scene.redis.ask('PTTL', 'p:key\0by'))
    assert.ok(leftMs > 3_500_000 && leftMs <= 3_600_000, `${leftMs}`)
    const backend = new RedisCacheBackend({ url: scene.redis.url, prefix: 'p:' })
    scene.later(() => backend.shutdown())
    const listed: string[] = []
    for await (const key of backend.keys('*')) listed.push(key)
    assert.deepEqual(listed, [], 'it is no key of the cache')
  })

  it('a stranger may write what it likes where a cause is looked for', async () => {
    const cache = await scene.open()
    for (const bytes of ['text', Buffer.alloc(132, 0xff), Buffer.alloc(16)]) {
      await scene.redis.ask('SET', 'p:key\0by', bytes)
      assert.equal(typeof String(await cache.explain('key')), 'string')
    }
  })

  it('a full Redis that refuses an expiry of a tag invalidates instead', async () => {
    const small = await scene.server({ args: ['--maxmemory-policy', 'noeviction'] })
    const cache = await scene.open({ redis: small.url })
    await cache.set('key', 'old', TAGGED)
    await small.ask('CONFIG', 'SET', 'maxmemory', 1)
    assert.equal(await cache.expireTags(['tag']), true)
    await small.ask('CONFIG', 'SET', 'maxmemory', 0)
    assert.deepEqual(await answer(cache), ['new', 'miss'])
  })

  it('clear reclaims what an expired or invalidated namespace left', async () => {
    const cache = await scene.open()
    const users = cache.namespace('users')
    await users.set('1', 'value', TAGGED)
    await users.expireTags(['tag'])
    assert.equal(await users.clear({ by: 'import' }), true)
    await cache.idle()
    assert.equal(await scene.redis.ask('EXISTS', 'p:users:1'), 0)
    await users.set('1', 'later')
    assert.equal(await users.clear(), true)
    await users.set('2', 'kept')
    await cache.idle()
    assert.equal(await users.get('2'), 'kept')
  })
})

describe('an expiry that Redis does not acknowledge', () => {
  const scene = useScene({ redis: false, caches: { ...IMPATIENT, ...WINDOWS } })

  /** A cache with entries, whose server was killed, and will have them again when it is restarted. */
  async function cutOff() {
    const redis = await scene.server({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
    const cache = scene.cache({ redis: redis.url })
    await cache.getOrSet('key', async () => 'old', TAGGED)
    await cache.getOrSet('kept', async () => 'kept')
    await redis.kill()
    await dropped(cache, 'kept')
    return { cache, redis }
  }

  for (const [name, expire] of WAYS) {
    it(`is delivered before ${name === 'expire' ? 'the key' : 'what has the tag'} is read again`, async () => {
      const { cache, redis } = await cutOff()
      assert.equal(await expire(cache), false)
      assert.ok(cache.stats().undelivered >= 1)
      await redis.restart()
      await firstHitMs(cache)
      assert.equal(await cache.get('key'), undefined)
      const other = scene.cache({ redis: redis.url })
      assert.equal(await other.get('key'), undefined)
      // A tag is made stale as it was wanted; a key is deleted.
      const status = name === 'expire' ? ['new', 'miss'] : ['old', 'stale']
      assert.deepEqual(await answer(other), status)
    })
  }

  it('does not take the place of an invalidation that waits', async () => {
    const { cache, redis } = await cutOff()
    assert.equal(await cache.invalidateTags(['tag']), false)
    assert.equal(await cache.expireTags(['tag']), false)
    await redis.restart()
    await firstHitMs(cache)
    assert.deepEqual(await answer(cache), ['new', 'miss'])
  })

  it('nor of one that a restarted server has forgotten', async () => {
    const redis = await scene.server()
    const cache = scene.cache({ redis: redis.url })
    await cache.getOrSet('key', async () => 'old', TAGGED)
    await cache.getOrSet('kept', async () => 'kept')
    await redis.ask('SAVE')
    assert.equal(await cache.invalidateTags(['tag']), true)
    assert.equal(await cache.expireTags(['tag']), true)
    await redis.kill()
    await dropped(cache, 'kept')
    await redis.restart()
    await firstHitMs(cache)
    assert.equal(await cache.get('key'), undefined)
    assert.deepEqual(await answer(scene.cache({ redis: redis.url })), ['new', 'miss'])
  })
})
