import assert from 'node:assert/strict'
import { type Cache, type CreateCacheOptions, createCache } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { KEY_1 } from '../codec/encrypted-codec.ts'
import { heldLoader } from '../support/loaders.ts'

const VALUE = 'value-nobody-may-read'
const LONG = 'k'.repeat(120)

describe('explain, on a manual clock', () => {
  let clock: ManualClock
  const caches: Cache[] = []
  const open = (options: CreateCacheOptions = {}) => {
    clock = new ManualClock()
    const cache = createCache({ clock, prefix: 'shop:', ttl: '1m', ...options })
    caches.push(cache)
    return cache
  }
  afterEach(() => Promise.all(caches.splice(0).map((cache) => cache.shutdown())))

  /** A loader that takes a second. */
  const slow = (value: unknown) => async () => {
    await new Promise<void>((resolve) => clock.after(1_000, resolve))
    return value
  }

  it('reports the age of a value and the rest of each window', async () => {
    const cache = open({ staleWhileRevalidate: '30s', staleIfError: '2m' })
    const load = cache.getOrSet('key', slow(VALUE), { tags: ['users'] })
    await clock.advance(1)
    await load
    await clock.advance(20)
    const { shared } = await cache.explain('key')
    assert.deepEqual(shared.times, {
      freshness: 'fresh',
      age: 21,
      ttl: 60,
      freshFor: 39,
      staleWhileRevalidateFor: 69,
      staleIfErrorFor: 159,
      loadDuration: 1,
    })
    const steps: unknown[] = []
    for (const by of [38, 1, 29, 1, 89, 1]) {
      await clock.advance(by)
      const { next, shared } = await cache.explain('key')
      steps.push([next.step, shared.times?.freshness])
    }
    assert.deepEqual(steps, [
      ['serve-local', 'fresh'],
      ['serve-stale', 'stale'],
      ['serve-stale', 'stale'],
      ['load', 'stale'],
      ['load', 'stale'],
      ['load', 'expired'],
    ])
  })

  it('reports the probability of an early refresh', async () => {
    const cache = open()
    const load = cache.getOrSet('key', slow(VALUE))
    await clock.advance(1)
    await load
    await clock.advance(54)
    const chance = async (beta: number) =>
      (await cache.explain('key', { earlyRefresh: { beta } })).next.earlyRefreshChance
    assert.equal(await chance(1), Math.exp(-5))
    assert.equal(await chance(2), Math.exp(-5 / 2))
    assert.equal((await cache.explain('key')).next.earlyRefreshChance, undefined)
    assert.equal(await chance(0.001), 0)
  })

  it('reports no end for an entry that never expires', async () => {
    const cache = open()
    await cache.set('key', VALUE, Number.POSITIVE_INFINITY)
    const { shared } = await cache.explain('key')
    assert.deepEqual([shared.times?.ttl, shared.times?.freshFor, shared.expiresIn], [null, null, null])
  })

  it('notes that a different TTL applies from the next load on', async () => {
    const cache = open()
    await cache.set('key', VALUE, '10s')
    const { notes } = await cache.explain('key', { ttl: '1h' })
    assert.deepEqual(notes, [
      'It was stored with a ttl of 10 s; the ttl of this call, 1 h, applies from the next load on',
    ])
  })

  it('changes no eviction order and emits no events', async () => {
    const cache = open({ local: { maxEntries: 2 } })
    await cache.getOrSet('first', () => 1)
    await cache.getOrSet('second', () => 2)
    const told: string[] = []
    for (const event of ['hit', 'miss', 'stale', 'load', 'error', 'epoch'] as const) {
      cache.on(event, () => told.push(event))
    }
    await cache.explain('first')
    await cache.explain('third')
    assert.deepEqual(told, [])
    await cache.getOrSet('third', () => 3)
    assert.deepEqual(
      ['first', 'second', 'third'].map((key) => cache.peek(key)),
      [undefined, 2, 3],
    )
  })

  it('keeps no value in the local tier', async () => {
    const cache = open()
    await cache.set('key', VALUE)
    await cache.explain('key')
    assert.equal(cache.peek('key'), undefined)
  })

  it('leaves a lease and a load unchanged', async () => {
    const cache = open()
    const held = heldLoader(VALUE)
    const load = cache.getOrSet('key', held.load)
    await held.begun
    const before = await cache.explain('key')
    assert.deepEqual(await cache.explain('key'), before)
    held.release()
    assert.equal(await load, VALUE)
    assert.equal((await cache.explain('key')).next.step, 'serve-local', 'it was stored')
  })

  it('P41 shows no value, no secret and no long name in full', async () => {
    const cache = open({ encryption: { keys: [KEY_1], unencrypted: 'read' } })
    const tags = [LONG, 'a\nnext     serve-local']
    await cache.getOrSet(LONG, () => ({ secret: VALUE }), { tags })
    assert.equal(await cache.plain.set('plain', VALUE), true)
    for (const key of [LONG, 'plain']) {
      const explanation = await cache.explain(key, { tags })
      for (const text of [String(explanation), JSON.stringify(explanation)]) {
        assert.ok(!text.includes(VALUE) && !text.includes(String(KEY_1.secret)))
        assert.ok(!text.includes(LONG) && !text.includes('\0') && !text.includes('\\u0000'))
      }
      const begun = String(explanation).match(/^next /gm)
      assert.equal(begun?.length, 1, 'a name cannot make up a line')
    }
  })

  it('returns plain data', async () => {
    const cache = open()
    await cache.getOrSet('key', () => VALUE, { tags: ['users'] })
    const explanation = await cache.explain('key')
    assert.deepEqual(JSON.parse(JSON.stringify(explanation)), { ...explanation })
    assert.equal(`${explanation}`, explanation.toString())
  })

  it('rejects what getOrSet would reject', async () => {
    const cache = open()
    await assert.rejects(cache.explain(''), { code: 'CACHE_INVALID_KEY' })
    await assert.rejects(cache.explain('key', { tags: [''] }), { code: 'CACHE_INVALID_KEY' })
    await assert.rejects(cache.explain('key', { ttl: -1 }), { code: 'CACHE_INVALID_DURATION' })
    await assert.rejects(cache.explain('key', { earlyRefresh: { beta: 0 } }), {
      code: 'CACHE_INVALID_OPTIONS',
    })
  })

  describe('as text', () => {
    it('describes a fresh value', async () => {
      const cache = open({ staleWhileRevalidate: '30s' })
      await cache.getOrSet('user:1', () => VALUE, { tags: ['users', 'team:7'] })
      await clock.advance(12)
      expect(String(await cache.explain('user:1'))).toMatchInlineSnapshot(`
        "key      user:1, in Redis shop:user:1
        next     serve-local: this process has a fresh copy
        here     kept, served for another 48 s (the same as in Redis)
        redis    an entry, fresh; 215 bytes, 23 of them json; removed in 78 s
        times    12 s old, ttl 60 s, ends in 48 s, took 0 ms to load
                 served stale while a new one is loaded: for another 78 s
        tags     'users' valid, 'team:7' valid
        within   'shop:' valid
        lease    nobody holds it
        loading  not in this process
        cache    coherence process; circuit closed; nothing undelivered; epoch 0"
      `)
    })

    it('describes an invalidated value', async () => {
      const cache = open()
      await cache.getOrSet('user:1', () => VALUE, { tags: ['users'] })
      await cache.invalidateTags(['users'])
      expect(String(await cache.explain('user:1', { tags: ['users', 'team:7'] }))).toMatchInlineSnapshot(`
        "key      user:1, in Redis shop:user:1
        next     load: the tag 'users' was invalidated 0 ms ago, after it was stored; it lacks the tag 'team:7', which this call asks for
        here     kept, not served: a tag or namespace was invalidated; it lacks a tag that this call asks for (invalidated in Redis)
        redis    an entry, not valid; 181 bytes, 23 of them json; removed in 60 s
        times    0 ms old, ttl 60 s, ends in 60 s, took 0 ms to load
        tags     'users' INVALIDATED 0 ms ago, 'team:7' LACKING, but this call asks for it
        within   'shop:' valid
        lease    nobody holds it
        loading  not in this process
        cache    coherence process; circuit closed; nothing undelivered; epoch 0"
      `)
    })

    it('describes a stale value', async () => {
      const cache = open({ staleWhileRevalidate: '30s', staleIfError: '1h' })
      await cache.getOrSet('user:1', () => VALUE)
      await clock.advance(65)
      expect(String(await cache.explain('user:1'))).toMatchInlineSnapshot(`
        "key      user:1, in Redis shop:user:1
        next     serve-stale: it is past its time to live, within staleWhileRevalidate; this call starts a load in the background
        here     kept, served as stale: it is past its time to live (the same as in Redis)
        redis    an entry, stale; 148 bytes, 23 of them json; removed in 59.9 min
        times    65 s old, ttl 60 s, ended 5 s ago, took 0 ms to load
                 served stale while a new one is loaded: for another 25 s
                 served stale if its loader fails: for another 59.9 min
        tags     none
        within   'shop:' valid
        lease    nobody holds it
        loading  not in this process
        cache    coherence process; circuit closed; nothing undelivered; epoch 0"
      `)
    })

    it('describes a value during its load', async () => {
      const cache = open()
      const held = heldLoader(VALUE)
      const load = cache.getOrSet('user:1', held.load)
      await held.begun
      expect(String(await cache.explain('user:1'))).toMatchInlineSnapshot(`
        "key      user:1, in Redis shop:user:1
        next     join: this process is already loading it
        here     not kept
        redis    nothing yet: its first value is being loaded
        lease    held by this process, 5 s left unless it is renewed
        loading  this process is loading it, 1 caller waits
        cache    coherence process; circuit closed; nothing undelivered; epoch 0"
      `)
      held.release()
      await load
    })

    it('describes a key that is reserved', async () => {
      const cache = open()
      await cache.reserve('user:1')
      expect(String(await cache.explain('user:1'))).toMatchInlineSnapshot(`
        "key      user:1, in Redis shop:user:1
        next     load: neither this process nor Redis has it
        here     not kept
        redis    nothing yet: somebody has reserved the key, or its last load brought no value
        lease    nobody holds it
        loading  not in this process
        cache    coherence process; circuit closed; nothing undelivered; epoch 0"
      `)
    })

    it('describes a set', async () => {
      const cache = open()
      await cache.initialize()
      await cache.sets.addToSet('user:1', 'member')
      expect(String(await cache.explain('user:1'))).toMatchInlineSnapshot(`
        "key      user:1, in Redis shop:user:1
        next     load-uncached: another program stores a value under this key that is not a string
        here     not kept
        redis    a list, a set or another type that is not a string; removed in 60 s
        lease    nobody holds it
        loading  not in this process
        cache    coherence process; circuit closed; nothing undelivered; epoch 0"
      `)
    })
  })
})
