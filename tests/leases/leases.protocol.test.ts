import assert from 'node:assert/strict'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, it } from 'vitest'
import { internalsOf } from '../../src/backend/assembly/backend-internals.ts'
import type { SharedTier } from '../../src/backend/seams/shared-tier.ts'
import { tokenAfter } from '../../src/codec/envelope/entry-meta.ts'
import { SYSTEM_CLOCK } from '../../src/foundation/time/clock.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { backendOf } from '../support/backend-of.ts'
import { deferred, heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

const KEY = 'shop:key'
/** The byte ranges of token and deadline in placeholders and entries. */
const TOKEN = [12, 27] as const
const DEADLINE = [28, 41] as const

describe('leases', () => {
  const scene = useScene()
  const ask = (...command: readonly (string | number | Buffer)[]) => scene.redis.ask(...command)
  const range = ([start, end]: readonly [number, number]) => ask('GETRANGE', KEY, start, end)

  it('T1 every attempt to acquire a lease has its own token', async () => {
    const cache = await scene.open()
    const tokens = new Set<unknown>()
    for (let load = 0; load < 200; load++) {
      await cache.getOrSet('key', async () => {
        tokens.add(await range(TOKEN))
        return load
      })
      await cache.delete('key')
    }
    assert.equal(tokens.size, 200)
  })

  it('T1 a new connection first kills the previous one, whose commands may still be pending', async () => {
    const proxy = await startTcpProxy(scene.redis.port)
    try {
      const cache = await scene.open({ redis: proxy.url, commandTimeout: '100ms' })
      await cache.get('key')
      const ids = async (): Promise<readonly string[]> =>
        String(await ask('CLIENT', 'LIST')).match(/\bid=\d+(?=.* cmd=(?!client))/g) ?? []
      const before = await ids()
      proxy.goSilent()
      proxy.healForNewConnections()
      await cache.get('key')
      await waitUntil(async () => (await cache.set('key', 1)) === true, { what: 'the next connection' })
      const after = await ids()
      assert.ok(before.length > 0 && before.every((id) => !after.includes(id)), 'the silent one was killed')
    } finally {
      await proxy.stop()
    }
  })

  it('T2 a token is void after the connection that acquired it is replaced', async () => {
    const cache = await scene.open()
    const held = heldLoader('loaded')
    const load = cache.getOrSet('key', held.load)
    await held.begun
    const epoch = deferred<string>()
    cache.on('epoch', ({ reason }) => reason.startsWith('connected') && epoch.resolve(reason))
    await ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await epoch.promise
    const lost = deferred<string>()
    cache.on('lease-lost', ({ key }) => lost.resolve(key))
    held.release()
    assert.equal(await load, 'loaded')
    assert.equal(await lost.promise, 'key')
    // Nothing is stored in place of the lease, and the lease is given back.
    await waitUntil(async () => (await ask('EXISTS', KEY)) === 0, { what: 'the lease to be given back' })
  })

  it('T3 the lease of an entry is written in place, and its content does not affect readers', async () => {
    const cache = await scene.open({ staleWhileRevalidate: '1m', local: false })
    await cache.set('key', { name: 'Ada' }, { ttl: '20ms' })
    await waitUntil(async () => (await cache.getTtl('key')) === undefined, { what: 'it is stale' })
    const held = heldLoader({ name: 'Grace' })
    assert.deepEqual(await cache.getOrSet('key', held.load), { name: 'Ada' })
    await held.begun
    assert.notEqual(await range(TOKEN), '\0'.repeat(16), 'the entry bears the token of its refresh')
    const reader = await scene.open({ staleWhileRevalidate: '1m' })
    assert.deepEqual(
      await reader.getOrSet('key', () => assert.fail()),
      { name: 'Ada' },
      'and is served meanwhile',
    )
    await ask('SETRANGE', KEY, TOKEN[0], Buffer.alloc(30, 0xff))
    assert.deepEqual(await reader.getOrSet('key', () => ({ name: 'Edsger' })), { name: 'Ada' })
    held.release()
  })

  it('T4 an entry that changes between its read and the acquire is read again', async () => {
    const cache = await scene.open()
    await cache.set('key', 'old', { tags: ['a'] })
    await ask('DEL', 'shop:\0tag:a')
    const writer = await scene.open()
    let loads = 0
    scene.redis.pause()
    const read = cache.getOrSet('key', () => `loaded ${++loads}`)
    await new Promise((resolve) => setImmediate(resolve))
    const written = writer.set('key', 'new')
    scene.redis.resume()
    await written
    const value = await read
    assert.ok(value === 'new' || (value === 'loaded 1' && loads === 1))
    assert.equal(await cache.getOrSet('key', () => 'never', {}), await writer.getOrSet('key', () => 'never'))
  })

  it('T4 an entry that vanishes between its read and the acquire is read again', async () => {
    const backends = [new MemoryCacheBackend(), new RedisCacheBackend({ url: scene.redis.url })]
    for (const backend of backends) {
      await using _opened = backend
      const tier = internalsOf(backend)?.share({
        ...{ coherence: 'ttl', prefix: 'cache:', localTtlMs: 1_000, trustMs: 1_000, clock: SYSTEM_CLOCK },
      }) as SharedTier
      await backend.initialize()
      const request = { token: tokenAfter('t'.repeat(16), 0), leaseMs: 5_000, longestLeaseMs: 60_000 }
      for (const purpose of ['refresh', 'replace'] as const) {
        const judged = await tier.acquire('gone', { ...request, purpose, stamp: 's'.repeat(8) })
        assert.equal(judged.status, 'changed')
      }
      const absent = await tier.acquire('gone', { ...request, purpose: 'replace', stamp: '' })
      assert.equal(absent.status, 'acquired')
      await tier.release('gone', request.token, false)
    }
  })

  it('T4 an invalidated entry is never served stale', async () => {
    const cache = await scene.open({ staleIfError: '1h', staleWhileRevalidate: '1h' })
    await cache.getOrSet('key', () => 'old', { tags: ['a'] })
    await cache.invalidateTags(['a'])
    const failing = () => Promise.reject(new Error('the source is away'))
    await assert.rejects(cache.getOrSet('key', failing, { tags: ['a'] }), /the source is away/)
    assert.equal(await cache.get('key'), undefined)
  })

  it('T5 a lease is renewed a few times only, and a woken waiter reads again', async () => {
    const owner = await scene.open({ lease: { ttl: '300ms' } })
    const waiter = await scene.open({ lease: { ttl: '300ms' } })
    const held = heldLoader('loaded')
    const load = owner.getOrSet('key', held.load)
    await held.begun
    const waiting = waiter.getOrSet('key', () => 'loaded by the waiter')
    await ask('CONFIG', 'RESETSTAT')
    const deadlines = new Set<unknown>()
    const startMs = performance.now()
    while (performance.now() - startMs < 1_200) {
      deadlines.add(await range(DEADLINE))
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.ok(deadlines.size >= 3 && deadlines.size <= 12, `renewed ${deadlines.size} times`)
    held.release()
    assert.equal(await load, 'loaded')
    assert.equal(await waiting, 'loaded')
  })

  it('T5 a value loaded under a renewed lease is kept in the local tier', async () => {
    const cache = await scene.open({ lease: { ttl: '400ms' } })
    const renewedAfterMs = [150, 300, 600]
    await Promise.all(
      renewedAfterMs.map(async (ms) => {
        await cache.getOrSet(`${ms} ms`, () => new Promise((resolve) => setTimeout(resolve, ms, 'loaded')))
        assert.equal(cache.peek(`${ms} ms`), 'loaded', `a load of ${ms} ms`)
      }),
    )
  })

  it('T6 a placeholder is absent for every reader and writer', async () => {
    const cache = await scene.open()
    const held = heldLoader('loaded')
    const load = cache.getOrSet('key', held.load)
    await held.begun
    const backend = backendOf(await scene.open())
    const other = await scene.open()
    assert.equal(await ask('EXISTS', KEY), 1)
    assert.deepEqual(
      await Promise.all([
        backend.get('key'),
        backend.exists('key'),
        backend.getTtl('key'),
        other.get('key'),
        other.has('key'),
        other.getTtl('key'),
      ]),
      [undefined, false, undefined, undefined, false, undefined],
    )
    assert.deepEqual([...(await backend.getMany(['key']))], [['key', undefined]])
    assert.equal(await other.invalidatePattern('k*'), 0)
    held.release()
    assert.equal(await load, 'loaded')
    const removals = [
      () => backend.delete('key'),
      () => backend.deleteMany(['key']),
      () => other.deleteMany(['key']),
    ]
    for (const remove of removals) {
      const again = heldLoader('loaded')
      const loadAgain = cache.getOrSet('key', again.load)
      await again.begun
      assert.equal(Number(await remove()), 0)
      again.release()
      await loadAgain
      assert.equal(await ask('EXISTS', KEY), 0, 'and yet the removal has defeated the load')
    }
    const counted = heldLoader('loaded')
    const loadCounted = cache.getOrSet('key', counted.load)
    await counted.begun
    assert.equal(await backend.incr('key', 5), 5)
    counted.release()
    await loadCounted
    assert.equal(await backend.get('key'), 5)
  })

  it('T6 a key that holds another type is loaded without caching', async () => {
    const cache = await scene.open()
    await cache.sets.addToSet('key', 'member')
    assert.equal(await cache.getOrSet('key', () => 1), 1)
    assert.equal(await cache.getOrSet('key', () => 2), 2)
    assert.deepEqual(await cache.sets.getSetMembers('key'), ['member'])
  })

  it('T7 a placeholder with a deadline beyond the longest lease counts as free', async () => {
    const cache = await scene.open({ lease: { ttl: '10s' } })
    const placeholder = Buffer.concat([
      Buffer.from([2, 1]),
      Buffer.alloc(10),
      Buffer.alloc(16, 7),
      Buffer.from(String(Date.now() + 3_600_000).padStart(14, '0')),
    ])
    await ask('SET', KEY, placeholder)
    assert.equal(await cache.getOrSet('key', () => 'loaded'), 'loaded')
    assert.equal(await cache.get('key', { local: false }), 'loaded')
  })

  it('T8 a lost placeholder costs only efficiency and emits an event', async () => {
    const cache = await scene.open()
    const lost: string[] = []
    cache.on('lease-lost', ({ key }) => lost.push(key))
    const held = heldLoader('loaded')
    const load = cache.getOrSet('key', held.load)
    await held.begun
    await ask('DEL', KEY)
    held.release()
    assert.equal(await load, 'loaded')
    assert.deepEqual(lost, ['key'])
    assert.equal(await ask('EXISTS', KEY), 0)
  })
})
