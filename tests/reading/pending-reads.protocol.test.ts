import assert from 'node:assert/strict'
import type { Cache } from 'cachewright'
import { describe, it } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const unwanted = () => Promise.reject(new Error('nothing is to be loaded'))

describe('reads that begin without a flight', () => {
  const scene = useScene()

  /** Keys that the server was asked for. */
  async function keysAsked(): Promise<number> {
    const stats = String(await scene.redis.ask('INFO', 'stats'))
    return Number(/keyspace_hits:(\d+)/.exec(stats)?.[1]) + Number(/keyspace_misses:(\d+)/.exec(stats)?.[1])
  }

  /** Whose generations are known, so that nothing has to be asked beside the key. */
  async function warmed(cache: Cache): Promise<Cache> {
    await cache.getOrSet('warm', () => 1)
    return cache
  }

  /** Runs with a cache whose replies can be held. */
  async function withHeld(work: (cache: Cache, proxy: TcpProxy) => Promise<void>): Promise<void> {
    const proxy = await startTcpProxy(scene.redis.port)
    try {
      await work(await warmed(await scene.open({ redis: proxy.url, coherence: { trust: '1m' } })), proxy)
    } finally {
      proxy.release()
      await proxy.stop()
    }
  }

  it('callers of one key share a read, even through different methods', async () => {
    const cache = await warmed(await scene.open())
    const other = await scene.open()
    await other.set('key', { name: 'Ada' })
    const before = await keysAsked()
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        index % 2 === 0 ? cache.getOrSet('key', unwanted) : cache.get('key'),
      ),
    )
    assert.equal((await keysAsked()) - before, 1)
    for (const answer of answers) assert.equal(answer, answers[0])
    assert.equal(cache.peek('key'), answers[0])
  })

  it('callers that share a read each get the entry only if it has their own tags', async () => {
    const cache = await warmed(await scene.open())
    const other = await scene.open()
    await cache.getOrSet('tagged', () => 1, { tags: ['users'] })
    await other.set('key', 'without')
    const [plain, tagged] = await Promise.all([
      cache.getOrSet('key', unwanted),
      cache.getOrSet('key', () => 'with', { tags: ['users'] }),
    ])
    assert.deepEqual([plain, tagged], ['without', 'with'])
    await other.invalidateTags(['users'])
    await waitUntil(() => cache.peek('key') === undefined, { what: 'the push of the tag' })
    assert.equal(await cache.getOrSet('key', () => 'anew', { tags: ['users'] }), 'anew')
  })

  it('L4 a caller after an own change does not join an earlier read', async () => {
    for (const change of [
      (cache: Cache) => cache.delete('key'),
      (cache: Cache) => cache.plain.getAndDelete('key'),
    ]) {
      const cache = await warmed(await scene.open())
      const other = await scene.open()
      await other.set('key', 'old')
      await change(cache) // The server knows the scripts from here on.
      await other.set('key', 'old')
      scene.redis.pause()
      const early = cache.getOrSet('key', unwanted)
      await new Promise((resolve) => setImmediate(resolve))
      const changed = change(cache)
      const late = cache.getOrSet('key', () => 'new')
      scene.redis.resume()
      assert.equal(await early, 'old')
      assert.ok(await changed)
      assert.equal(await late, 'new')
    }
  })

  it('L4 a caller after the push of a change does not join an earlier read', async () => {
    await withHeld(async (cache, proxy) => {
      const other = await scene.open()
      await other.set('key', 'old')
      await cache.get('key')
      await other.delete('key')
      await waitUntil(() => cache.peek('key') === undefined, { what: 'the first push' })
      await other.set('key', 'old')
      proxy.holdReplies()
      const early = cache.getOrSet('key', unwanted)
      await waitUntil(() => proxy.heldReplyBytes > 0, { what: 'the reply that is held' })
      await other.delete('key')
      const late = cache.get('key', { local: false })
      proxy.release()
      assert.equal(await early, 'old')
      assert.equal(await late, undefined)
      assert.equal(cache.peek('key'), undefined)
      assert.equal(await cache.getOrSet('key', () => 'new'), 'new')
    })
  })

  it('L4 a caller after a tag was invalidated does not get a value checked against an earlier generation', async () => {
    await withHeld(async (cache, proxy) => {
      const other = await scene.open()
      await other.set('key', 'old', { tags: ['tag'] })
      await cache.invalidateTags(['another tag']) // The server knows the script from here on.
      scene.redis.pause()
      const early = cache.getOrSet('key', unwanted)
      // The key has been asked for; what its tag is worth is yet to be asked, and will be held.
      await new Promise((resolve) => setTimeout(resolve, 20))
      proxy.holdRequests()
      scene.redis.resume()
      await waitUntil(() => proxy.heldRequestBytes > 0, { what: 'the question about the tag' })
      const late = cache.invalidateTags(['tag']).then(() => cache.getOrSet('key', () => 'new'))
      await new Promise((resolve) => setTimeout(resolve, 20))
      // Both are answered in one chunk.
      proxy.release()
      assert.equal(await early, 'old')
      assert.equal(await late, 'new')
    })
  })

  it('a read with local: false joins no other read, and so sees a change acknowledged elsewhere', async () => {
    await withHeld(async (cache, proxy) => {
      const other = await scene.open()
      await other.set('key', 'old')
      proxy.holdReplies()
      const early = cache.get('key')
      await waitUntil(() => proxy.heldReplyBytes > 0, { what: 'the reply that is held' })
      assert.equal(await other.delete('key'), true)
      const past = cache.get('key', { local: false })
      proxy.release()
      assert.deepEqual(await Promise.all([early, past]), ['old', undefined])
    })
  })

  it('P37 P38 callers that share an unanswered read wait for one timeout, and then load', async () => {
    const cache = await warmed(await scene.open({ commandTimeout: '300ms' }))
    const failures: string[] = []
    cache.on('error', ({ error }) => failures.push(error.code))
    let loads = 0
    scene.redis.pause()
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => cache.getOrSet('key', async () => ++loads)),
    )
    const [missed] = await Promise.all([cache.get('another')])
    scene.redis.resume()
    assert.deepEqual(new Set(answers), new Set([1]))
    assert.equal(missed, undefined)
    assert.deepEqual(failures, ['CACHE_TIMEOUT', 'CACHE_TIMEOUT'])
  })

  it('plain, broken and foreign values are all handled from one shared read', async () => {
    const cache = await warmed(await scene.open())
    const errors: string[] = []
    cache.on('error', ({ error }) => errors.push(error.code))
    await scene.redis.ask('SET', 'shop:plain', '"foreign"', 'EX', '100')
    await scene.redis.ask(
      'SET',
      'shop:broken',
      Buffer.from([1, 1, 1, 0, 0, 200, 0, 0, 0, 0, 0, 0]),
      'EX',
      '100',
    )
    await scene.redis.ask('LPUSH', 'shop:list', 'x')
    const before = Number(
      /cmdstat_mget:calls=(\d+)/.exec(String(await scene.redis.ask('INFO', 'commandstats')))?.[1],
    )
    const answers = await Promise.all([
      cache.getOrSet('plain', unwanted),
      cache.getOrSet('broken', () => 'loaded'),
      cache.getOrSet('list', () => 'loaded too'),
      cache.get('absent'),
    ])
    const after = Number(
      /cmdstat_mget:calls=(\d+)/.exec(String(await scene.redis.ask('INFO', 'commandstats')))?.[1],
    )
    assert.deepEqual(answers, ['foreign', 'loaded', 'loaded too', undefined])
    assert.equal(after - before, 1)
    assert.deepEqual(errors, ['CACHE_UNDECODABLE'])
  })
})
