import assert from 'node:assert/strict'
import type { Cache } from 'cachewright'
import { describe, it } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { deferred, heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'
import { explained } from './explained-calls.ts'

const LONG_AGO = { ttl: '20ms', tags: ['users'] } as const

async function untilStale(cache: Cache, key = 'key'): Promise<void> {
  await waitUntil(async () => (await cache.explain(key)).shared.times?.freshness !== 'fresh', {
    what: 'it is stale',
  })
}

describe('explain, over Redis', () => {
  const scene = useScene()
  const ask = (...command: readonly (string | number | Buffer)[]) => scene.redis.ask(...command)

  it('an absent key: it is loaded', async () => {
    const { lease, local, next, shared } = await explained(await scene.open(), 'key')
    assert.deepEqual(
      [next.step, local.state, shared.state, lease.holder],
      ['load', 'absent', 'absent', 'nobody'],
    )
  })

  it('a key or a tag that a change holds: what is loaded is not stored', async () => {
    const [cache, other] = [await scene.open(), await scene.open()]
    const options = { tags: ['users'] }
    await cache.set('key', 1, options)
    await other.change({ keys: ['key'], hold: '30s' }, async () => {
      const { lease, next, shared } = await explained(cache, 'key', options)
      assert.deepEqual([next.step, shared.state, lease.holder], ['load-uncached', 'changing', 'nobody'])
      assert.ok(Number(shared.expiresIn) > 20 && Number(shared.expiresIn) <= 30)
      assert.match(
        String(await cache.explain('key')),
        /^redis +nothing: a change holds the key, for 30 s at most$/m,
      )
    })
    await cache.set('key', 1, options)
    await other.change({ tags: ['users'], hold: '30s' }, async () => {
      const explanation = await explained(cache, 'key', options)
      assert.equal(explanation.next.step, 'load-uncached')
      assert.match(explanation.next.reason, /a change holds the tag 'users'/)
      assert.equal(explanation.shared.tags[0]?.verdict, 'changing')
      assert.match(String(explanation), /^tags +'users' CHANGING: a change holds it$/m)
      const absent = await explained(cache, 'absent', options)
      assert.equal(absent.next.step, 'load-uncached')
    })
    assert.equal((await explained(cache, 'key', options)).next.step, 'load')
  })

  it('fresh in both tiers: it is served without a round trip', async () => {
    const cache = await scene.open()
    await cache.getOrSet('key', () => ({ name: 'Ada' }), { tags: ['users'] })
    const { local, next, shared } = await explained(cache, 'key', { tags: ['users'] })
    assert.equal(next.step, 'serve-local')
    assert.deepEqual([local.serves, local.refusals, local.inShared], ['fresh', [], 'same'])
    assert.deepEqual(shared.tags, [{ name: 'users', verdict: 'valid', isBelieved: true }])
    assert.deepEqual(shared.namespaces, [{ name: 'shop:', verdict: 'valid', isBelieved: true }])
    const { bytes, compression, payloadBytes, serializer, state } = shared
    assert.deepEqual(
      { bytes, compression, payloadBytes, serializer, state },
      {
        bytes: await ask('STRLEN', 'shop:key'),
        compression: 'none',
        payloadBytes: 14,
        serializer: 'json',
        state: 'entry',
      },
    )
    assert.equal(shared.times?.ttl, 300)
    assert.ok(Number(shared.times.freshFor) > 290 && Number(shared.expiresIn) > 290)
  })

  it('fresh in Redis only: it is served from the shared tier', async () => {
    const [writer, cache] = [await scene.open(), await scene.open()]
    await writer.set('key', 1)
    const { local, next } = await explained(cache, 'key')
    assert.deepEqual([next.step, local.state], ['serve-shared', 'absent'])
  })

  it('a cache without a local tier: the local tier is off', async () => {
    const cache = await scene.open({ local: false })
    await cache.set('key', 1)
    const { local, next } = await explained(cache, 'key')
    assert.deepEqual([next.step, local.state], ['serve-shared', 'off'])
  })

  it('stale within staleWhileRevalidate: it is served, and this call begins a refresh', async () => {
    const cache = await scene.open({ staleWhileRevalidate: '1m' })
    await cache.set('key', 1, LONG_AGO)
    await untilStale(cache)
    const { next, shared } = await explained(cache, 'key')
    assert.deepEqual([next.step, next.refresh], ['serve-stale', 'begins'])
    assert.equal(shared.times?.freshness, 'stale')
    assert.ok(Number(shared.times.staleWhileRevalidateFor) > 50 && Number(shared.times.freshFor) <= 0)
  })

  it('stale beyond staleWhileRevalidate: it is loaded', async () => {
    const cache = await scene.open({ staleIfError: '1m' })
    await cache.getOrSet('key', () => 1, LONG_AGO)
    await untilStale(cache)
    const { local, next, shared } = await explained(cache, 'key')
    assert.equal(next.step, 'load')
    assert.equal(shared.times?.freshness, 'stale')
    assert.ok(local.refusals.includes('expired') && local.serves === 'nothing')
  })

  it('while another process refreshes it: the stale value is served without a second load', async () => {
    const [refreshing, cache] = [await scene.open({ staleWhileRevalidate: '1m' }), await scene.open()]
    await refreshing.set('key', 1, LONG_AGO)
    await untilStale(cache)
    const held = heldLoader(2)
    await refreshing.getOrSet('key', held.load)
    await held.begun
    const { lease, next } = await explained(cache, 'key')
    assert.deepEqual([next.step, next.refresh, lease.holder], ['serve-stale', 'elsewhere', 'another-process'])
    assert.ok(Number(lease.remaining) > 0)
    held.release()
  })

  it('while this process refreshes it: callers get the old value', async () => {
    const cache = await scene.open({ staleWhileRevalidate: '1m' })
    await cache.set('stale', 1, LONG_AGO)
    await cache.set('fresh', 1)
    await untilStale(cache, 'stale')
    const held = heldLoader(2)
    await cache.getOrSet('stale', held.load)
    await held.begun
    const { lease, load, next } = await explained(cache, 'stale')
    assert.deepEqual([next.step, next.refresh, lease.holder], ['serve-stale', 'here', 'this-process'])
    assert.deepEqual(load, { state: 'loading', callers: 1 })
    const renewed = heldLoader(2)
    const renewal = cache.refresh('fresh', renewed.load)
    await renewed.begun
    assert.equal((await explained(cache, 'fresh')).next.step, 'serve-shared')
    held.release()
    renewed.release()
    await renewal
  })

  it('during a first load by another process: the call waits', async () => {
    const [loading, cache] = [await scene.open(), await scene.open()]
    const held = heldLoader(1)
    const load = loading.getOrSet('key', held.load)
    await held.begun
    const { lease, next, shared } = await explained(cache, 'key')
    assert.deepEqual([next.step, shared.state, lease.holder], ['wait', 'placeholder', 'another-process'])
    held.release()
    await load
  })

  it('during a load by this process: the call joins the flight', async () => {
    const cache = await scene.open()
    const held = heldLoader(1)
    const calls = [1, 2, 3].map(() => cache.getOrSet('key', held.load))
    await held.begun
    const { lease, load, next } = await explained(cache, 'key')
    assert.deepEqual(
      [next.step, lease.holder, load],
      ['join', 'this-process', { state: 'loading', callers: 3 }],
    )
    const other = await explained(cache, 'key', { tags: ['not of that load'] })
    assert.deepEqual([other.next.step, other.load.callers], ['wait', 4])
    held.release()
    await Promise.all(calls)
  })

  it('after a lost connection: local entries of the older epoch are not served', async () => {
    const cache = await scene.open()
    await cache.getOrSet('key', () => 1)
    const { cache: before } = await cache.explain('key')
    const epoch = deferred()
    cache.on('epoch', ({ reason }) => reason.startsWith('connected') && epoch.resolve())
    await ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await epoch.promise
    const { cache: state, local, next } = await explained(cache, 'key')
    assert.deepEqual([next.step, local.state, local.refusals], ['serve-shared', 'kept', ['older-epoch']])
    assert.ok(state.epoch > before.epoch)
  })

  it('a local entry that lags behind Redis: the notes say that it differs', async () => {
    const cache = await scene.open({ coherence: { mode: 'ttl' }, local: { ttl: '1m' } })
    const writer = await scene.open()
    for (const key of ['changed', 'deleted', 'tagged']) {
      await cache.getOrSet(key, () => 'old', { tags: ['users'] })
    }
    await writer.set('changed', 'new', { tags: ['users'] })
    await writer.delete('deleted')
    for (const [key, inShared] of [
      ['changed', 'replaced'],
      ['deleted', 'gone'],
    ] as const) {
      const { local, next, notes } = await explained(cache, key)
      assert.deepEqual([next.step, local.inShared], ['serve-local', inShared])
      assert.match(notes.join(), /The copy in this process differs from Redis/)
    }
    await writer.invalidateTags(['users'])
    const { local, notes, shared } = await explained(cache, 'tagged')
    assert.equal(local.inShared, 'invalidated')
    assert.ok(Number(local.servableFor) <= 60, 'a copy lives for its own short time alone')
    const [tag] = shared.tags
    assert.ok(Number(tag?.invalidation?.ago) >= 0)
    assert.deepEqual(shared.tags, [{ ...tag, name: 'users', verdict: 'invalidated', isBelieved: true }])
    assert.match(notes.join(), /changes are not announced in this mode/)
  })

  it('P37 while Redis hangs: explain returns within the deadline, and trusted local entries are served', async () => {
    const cache = await scene.open({ commandTimeout: '200ms', coherence: { trust: '1s' } })
    await cache.getOrSet('kept', () => 1)
    scene.redis.pause()
    const { next, shared } = await explained(cache, 'kept')
    assert.deepEqual([next.step, shared.error?.code], ['serve-local', 'CACHE_TIMEOUT'])
    const unknown = await explained(cache, 'key')
    assert.deepEqual([unknown.next.step, unknown.shared.state], ['load-uncached', 'unavailable'])
    await waitUntil(async () => (await cache.explain('kept')).local.refusals.includes('untrusted'), {
      what: 'nothing local is trusted',
    })
  })

  it('while the circuit is open: it is loaded and not cached', async () => {
    const cache = await scene.open({ commandTimeout: '100ms' })
    scene.redis.pause()
    await waitUntil(async () => (await cache.get('key')) === undefined && cache.circuit === 'open', {
      what: 'the circuit is open',
    })
    const { cache: state, next } = await explained(cache, 'key')
    assert.deepEqual([next.step, state.circuit], ['load-uncached', 'open'])
    assert.equal(cache.circuit, 'open', 'it was not tried on its behalf')
  })

  it('an undelivered invalidation: it is delivered before the load', async () => {
    const cache = await scene.open({ commandTimeout: '200ms' })
    await cache.set('key', 1)
    scene.redis.pause()
    assert.equal(await cache.delete('key'), false)
    scene.redis.resume()
    const { cache: state, next, notes } = await explained(cache, 'key')
    assert.deepEqual([next.step, state.undelivered], ['load', 1])
    assert.match(notes.join(), /has not reached Redis yet/)
  })

  it('an undelivered invalidation of a held key: it does not end the hold', async () => {
    const [cache, other] = [await scene.open({ commandTimeout: '200ms' }), await scene.open()]
    await other.change({ keys: ['key'], hold: '30s' }, async () => {
      scene.redis.pause()
      await cache.delete('key')
      scene.redis.resume()
      const { cache: state, next, shared } = await explained(cache, 'key')
      assert.deepEqual([next.step, state.undelivered, shared.state], ['load-uncached', 1, 'changing'])
    })
  })

  it('after shutdown(): it is loaded and not cached', async () => {
    const cache = await scene.open()
    await cache.shutdown()
    const { next, shared } = await explained(cache, 'key')
    assert.deepEqual([next.step, shared.error?.code], ['load-uncached', 'CACHE_CLOSED'])
  })

  it('explain takes at most two reads and writes nothing', async () => {
    const [writer, cache] = [await scene.open(), await scene.open()]
    await writer.set('key', 1, { tags: ['users'] })
    await cache.explain('key')
    await ask('CONFIG', 'RESETSTAT')
    await cache.explain('key')
    const calls = String(await ask('INFO', 'commandstats'))
    const sent = [...calls.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name, count]) => [
      name,
      Number(count),
    ])
    const { mget, evalsha, ...others } = Object.fromEntries(sent)
    assert.deepEqual([mget, evalsha], [2, 1])
    const allowed = ['getrange', 'pttl', 'time', 'config|resetstat', 'info', 'exists', 'pubsub|numsub']
    assert.deepEqual(
      Object.keys(others).filter((name) => !allowed.includes(name)),
      [],
    )
  })
})
