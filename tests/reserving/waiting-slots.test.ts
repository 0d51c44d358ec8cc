import assert from 'node:assert/strict'
import { type Cache, CacheError, type CreateCacheOptions, type Slot } from 'cachewright'
import { describe, it } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { heldLoader } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const WAIT = { wait: true } as const
const code = (expected: string) => (error: unknown) => error instanceof CacheError && error.code === expected
const isPending = async (promise: Promise<unknown>) => {
  const pending = Symbol('pending')
  return (await Promise.race([promise, new Promise((end) => setTimeout(end, 50, pending))])) === pending
}

describe.each<readonly [name: string, options: CreateCacheOptions]>([
  ['memory', { redis: false }],
  ['Redis', {}],
  ['Redis in bus mode', { coherence: { mode: 'bus' } }],
  ["Redis in mode 'ttl'", { coherence: { mode: 'ttl' } }],
])('a slot that is waited for, in %s', (tier, options) => {
  const scene = useScene()
  const open = (more: CreateCacheOptions = {}) => scene.open({ ...options, ...more })
  /** Two caches: two processes, except in memory. */
  const two = async (more: CreateCacheOptions = {}): Promise<readonly [Cache, Cache]> => {
    const first = await open(more)
    return [first, tier === 'memory' ? first : await open(more)]
  }

  it('P22 is held by one caller at a time: the others get its value', async () => {
    const [one, other] = await two()
    const slot = await one.reserve<string>('key', WAIT)
    assert.equal(slot.isHit, false)
    const others = Array.from({ length: 10 }, (_, index) => (index % 2 ? one : other).reserve('key', WAIT))
    assert.equal(await isPending(Promise.race(others)), true)
    assert.equal(await slot.fill('value'), true)
    for (const hit of await Promise.all(others)) assert.deepEqual([hit.isHit, hit.value], [true, 'value'])
  })

  it('P22 keeps loads waiting, which get its value', async () => {
    const [one, other] = await two()
    const slot = await one.reserve('key', { ...WAIT, tags: ['tag'] })
    const loads = [one, other].map((cache) =>
      cache.getOrSet('key', () => assert.fail('There is a loader'), { tags: ['tag'] }),
    )
    assert.equal(await isPending(Promise.race(loads)), true)
    assert.equal(await slot.fill('value', '1m'), true)
    assert.deepEqual(await Promise.all(loads), ['value', 'value'])
  })

  it('waits for a load, and has its value', async () => {
    const [one, other] = await two()
    const held = heldLoader('loaded')
    const load = one.getOrSet('key', held.load)
    await held.begun
    const slots = [one.reserve('key', WAIT), other.reserve('key', WAIT)]
    assert.equal(await isPending(Promise.race(slots)), true)
    held.release()
    await load
    for (const slot of await Promise.all(slots)) assert.deepEqual([slot.isHit, slot.value], [true, 'loaded'])
  })

  it('passes to the next caller when it is released, one after another', async () => {
    const [one, other] = await two()
    const first = await one.reserve('key', WAIT)
    const waiting = [one, other, one, other].map((cache) => cache.reserve<number>('key', WAIT))
    await first.release()
    const left = new Set(waiting)
    for (let turn = 1; left.size > 0; turn++) {
      const [slot, call] = await Promise.race([...left].map(async (next) => [await next, next] as const))
      left.delete(call)
      if (slot.isHit) continue
      if (left.size > 0) assert.equal(await isPending(Promise.race(left)), true)
      if (turn < 3) await slot.release()
      else assert.equal(await slot.fill(turn), true)
    }
    assert.equal(await one.get('key'), 3)
  })

  it('passes to a loader when it is released', async () => {
    const [one, other] = await two()
    const slot = await one.reserve('key', WAIT)
    const loads = [one, other].map((cache) => cache.getOrSet('key', async () => 'loaded'))
    assert.equal(await isPending(Promise.race(loads)), true)
    await slot.release()
    assert.deepEqual(await Promise.all(loads), ['loaded', 'loaded'])
  })

  it('passes to the caller after a load that failed or brought nothing', async () => {
    const [one, other] = await two()
    for (const fail of [true, false]) {
      const held = heldLoader(undefined)
      const load = one.getOrSet('key', held.load)
      load.catch(() => {})
      await held.begun
      const slots = [one.reserve('key', WAIT), other.reserve('key', WAIT)]
      assert.equal(await isPending(Promise.race(slots)), true)
      if (fail) held.fail(new Error('down'))
      else held.release()
      const first = await Promise.race(slots)
      assert.equal(first.isHit, false)
      await first.release()
      for (const slot of await Promise.all(slots)) await slot.release()
      await one.delete('key')
    }
  })

  it('is replaced by nobody while its holder works, since the lease is renewed', async () => {
    const [one, other] = await two({ lease: { ttl: '200ms' } })
    const slot = await one.reserve('key', WAIT)
    const waiting = other.reserve('key', WAIT)
    await new Promise((resolve) => setTimeout(resolve, 600))
    assert.equal(await isPending(waiting), true)
    assert.equal(await slot.fill('value'), true)
    assert.equal((await waiting).value, 'value')
  })

  it('is given back when it is older than longestLoad', async () => {
    const [one, other] = await two({ lease: { ttl: '200ms', longestLoad: '300ms' } })
    const slot = await one.reserve('key', WAIT)
    const next = await other.reserve<string>('key', WAIT)
    assert.equal(next.isHit, false)
    assert.equal(await next.fill('next'), true)
    assert.equal(await slot.fill('late'), false)
    assert.equal(await one.get('key'), 'next')
  })

  it('ends the wait with the signal of its caller, and goes on for others', async () => {
    const [one, other] = await two()
    const slot = await one.reserve<string>('key', WAIT)
    for (const cache of [one, other]) {
      const controller = new AbortController()
      const waiting = cache.reserve('key', { ...WAIT, signal: controller.signal })
      assert.equal(await isPending(waiting), true)
      controller.abort(new Error('enough'))
      await assert.rejects(waiting, /enough/)
    }
    assert.equal(await slot.fill('value'), true)
  })

  it.each([
    ['a load', (cache: Cache) => cache.getOrSet<unknown>('key', async () => 'loaded')],
    ['another slot', async (cache: Cache) => (await cache.reserve('key', WAIT)).release()],
  ] as const)('goes on for %s that has joined the wait of a caller who leaves', async (_name, join) => {
    const [one, other] = await two()
    const slot = await one.reserve('key', WAIT)
    const controller = new AbortController()
    const waiting = other.reserve('key', { ...WAIT, signal: controller.signal })
    assert.equal(await isPending(waiting), true)
    const joined = join(other)
    assert.equal(await isPending(joined), true)
    controller.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    await slot.release()
    await joined
  })

  it('counts the age of a value from the end of the wait, not from its beginning', async () => {
    const [one, other] = (await two()).map((cache) => cache.namespace('n', { hardTimeout: '1m' }))
    assert.ok(one !== undefined && other !== undefined)
    const slot = await one.reserve('key', WAIT)
    const waiting = other.reserve<string>('key', WAIT)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    assert.equal(await slot.fill('first'), true)
    const hit = await waiting
    assert.deepEqual([hit.isHit, await hit.fill('second', '1500ms')], [true, true])
    assert.equal(await other.get('key'), 'second')
  })

  it('ends the wait after the hardTimeout of its namespace, which does not bound its holder', async () => {
    const [one, other] = (await two()).map((cache) => cache.namespace('n', { hardTimeout: '700ms' }))
    assert.ok(one !== undefined && other !== undefined)
    const slot = await one.reserve<string>('key', WAIT)
    await Promise.all(
      [one, other].map((cache) => assert.rejects(cache.reserve('key', WAIT), code('CACHE_LOADER_TIMEOUT'))),
    )
    assert.equal(await slot.fill('value'), true)
  })

  it('has no use for the signal once it is held', async () => {
    const [one] = await two()
    const controller = new AbortController()
    const slot = await one.reserve<string>('key', { ...WAIT, signal: controller.signal })
    controller.abort(new Error('enough'))
    assert.equal(await slot.fill('value'), true)
  })

  it('P25 leaves a stale value to everyone but its holder', async () => {
    const [one, other] = await two({ staleWhileRevalidate: '1m' })
    await one.set('key', 'old', '30ms')
    await new Promise((resolve) => setTimeout(resolve, 50))
    const slot = await one.reserve<string>('key', WAIT)
    assert.deepEqual([slot.isHit, slot.stale?.value], [false, 'old'])
    for (const cache of [one, other]) {
      const stale = await cache.reserve('key', WAIT)
      assert.deepEqual([stale.isHit, stale.value], [true, 'old'])
      assert.equal(await cache.getOrSet('key', () => assert.fail('There is a loader')), 'old')
    }
    assert.equal(await slot.fill('new', '1m'), true)
    for (const cache of [one, other]) {
      await waitUntil(async () => (await cache.get('key')) === 'new', { what: 'the new value' })
    }
  })

  it('G3 binds tags that only the fill names to what was known when it was reserved', async () => {
    const [one] = await two()
    const unknown = await one.reserve('key', WAIT)
    assert.equal(await unknown.fill('unbound', { tags: ['late'] }), false)
    const slot: Slot<unknown> = await one.reserve('key', WAIT)
    assert.equal(await slot.fill('bound', { tags: ['late'] }), true)
    await one.invalidateTags(['late'])
    assert.equal(await one.get('key'), undefined)
  })

  it.each([
    ['a delete', (cache: Cache) => cache.delete('key')],
    ['a set', (cache: Cache) => cache.set('key', 'set')],
    ['an invalidation of its tag', (cache: Cache) => cache.invalidateTags(['tag'])],
    ['an invalidation by pattern', (cache: Cache) => cache.invalidatePattern('k*')],
    ['a clear', (cache: Cache) => cache.clear()],
    [
      'the fill of a slot that keeps nobody waiting',
      async (cache: Cache) => (await cache.reserve('key')).fill('x'),
    ],
  ] as const)('P45 stores nothing after %s', async (_name, touch) => {
    for (const index of [0, 1]) {
      const caches = await two()
      const slot = await caches[0].reserve('key', { ...WAIT, tags: ['tag'] })
      await touch(caches[index] as Cache)
      assert.equal(await slot.fill('late'), false)
      for (const cache of caches) assert.notEqual(await cache.get('key', { local: false }), 'late')
      await caches[0].delete('key')
    }
  })

  it('is held by one caller of the process at a time also while Redis is away', async () => {
    if (tier === 'memory') return
    const cache = scene.cache({ ...IMPATIENT, ...options, redis: 'redis://127.0.0.1:1' })
    const slot = await cache.reserve<string>('key', WAIT)
    const waiting = [cache.reserve('key', WAIT), cache.reserve('key', WAIT)]
    assert.equal(await isPending(Promise.race(waiting)), true)
    assert.equal(await slot.fill('value'), false)
    for (const hit of await Promise.all(waiting)) assert.deepEqual([hit.isHit, hit.value], [true, 'value'])
  })

  it('fails its own fill alone if the value cannot be stored', async () => {
    const [one] = await two()
    const slot = await one.reserve('key', WAIT)
    const waiting = one.reserve('key', WAIT)
    await assert.rejects(
      slot.fill(() => {}),
      code('CACHE_INVALID_VALUE'),
    )
    const next = await waiting
    assert.equal(next.isHit, false)
    await next.release()
  })
})
