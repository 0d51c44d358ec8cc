import assert from 'node:assert/strict'
import { type Cache, CacheError, type FillRefusal, type Slot } from 'cachewright'
import { describe, it } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const code = (expected: string) => (error: unknown) => error instanceof CacheError && error.code === expected

describe('the corners of a slot', () => {
  const scene = useScene()
  const refusals = (cache: Cache) => {
    const reasons: FillRefusal[] = []
    cache.on('fill-refused', ({ reason }) => reasons.push(reason))
    return reasons
  }
  const ask = (...command: readonly string[]) => scene.redis.ask(...command)

  for (const errors of ['absorb', 'throw'] as const) {
    it(`is filled or released once (errors: '${errors}')`, async () => {
      const cache = await scene.open({ errors })
      const endings: readonly ((slot: Slot<unknown>) => Promise<unknown>)[] = [
        (slot) => slot.fill('first'),
        (slot) => slot.release(),
        async (slot) => {
          await using _disposed = slot
        },
      ]
      for (const end of endings) {
        for (const wait of [true, false]) {
          await cache.delete('key')
          const slot = await cache.reserve('key', { wait })
          await end(slot)
          await assert.rejects(slot.fill('second'), code('CACHE_SLOT_CLOSED'))
          assert.notEqual(await cache.get('key'), 'second')
          await slot.release()
        }
      }
    })
  }

  it('of two fills at once refuses the second', async () => {
    const cache = await scene.open()
    const slot = await cache.reserve('key')
    const first = slot.fill('first')
    await assert.rejects(slot.fill('second'), code('CACHE_SLOT_CLOSED'))
    assert.equal(await first, true)
    assert.equal(await cache.get('key'), 'first')
  })

  it('stays open if a fill was called wrongly', async () => {
    const cache = await scene.open()
    const slot = await cache.reserve<unknown>('key')
    await assert.rejects(slot.fill(undefined), code('CACHE_INVALID_VALUE'))
    await assert.rejects(slot.fill(1, { ttl: -1 }), code('CACHE_INVALID_DURATION'))
    await assert.rejects(slot.fill(1, { tags: [''] }), code('CACHE_INVALID_KEY'))
    await assert.rejects(slot.fill(1, { tags: 'tag' } as never), code('CACHE_INVALID_ARGUMENT'))
    await assert.rejects(slot.fill(1, { tgas: [] } as never), code('CACHE_INVALID_OPTIONS'))
    assert.equal(await slot.fill(1), true)
  })

  it('refuses bad keys and options, before anything is sent', async () => {
    const cache = await scene.open()
    await assert.rejects(cache.reserve(''), code('CACHE_INVALID_KEY'))
    await assert.rejects(cache.reserve(7 as never), code('CACHE_INVALID_KEY'))
    await assert.rejects(cache.reserve('key', { tags: 'tag' } as never), code('CACHE_INVALID_ARGUMENT'))
    await assert.rejects(cache.reserve('key', { wiat: true } as never), code('CACHE_INVALID_OPTIONS'))
    await assert.rejects(cache.reserve('key', { signal: AbortSignal.abort(new Error('enough')) }), /enough/)
    assert.deepEqual(await ask('KEYS', '*key*'), [])
  })

  it('leaves a value that cannot be stored to its caller', async () => {
    const cache = await scene.open({ maxValueBytes: 100 })
    const slot = await cache.reserve('key')
    assert.equal(await slot.fill('x'.repeat(200)), false)
    await assert.rejects(
      (await cache.reserve('key')).fill(() => {}),
      code('CACHE_INVALID_VALUE'),
    )
    assert.equal(await cache.get('key'), undefined)
  })

  it("tells why nothing was stored with errors: 'throw': a value that is too large, a Redis that is silent", async () => {
    for (const wait of [true, false]) {
      const cache = await scene.open({
        ...IMPATIENT,
        redis: scene.redis.url,
        errors: 'throw',
        maxValueBytes: 100,
      })
      const reasons = refusals(cache)
      const large = await cache.reserve(`large ${wait}`, { wait })
      await assert.rejects(large.fill('x'.repeat(200)), code('CACHE_VALUE_TOO_LARGE'))
      const slot = await cache.reserve(`key ${wait}`, { wait })
      scene.redis.pause()
      await assert.rejects(slot.fill('late'), code('CACHE_TIMEOUT'))
      scene.redis.resume()
      assert.deepEqual(reasons, [])
    }
  })

  it('stores nothing that would be out of date at once, since the work took longer than its ttl', async () => {
    const cache = await scene.open()
    const reasons = refusals(cache)
    for (const wait of [true, false]) {
      const stale = await cache.reserve(`stale ${wait}`, { wait })
      const slot = await cache.reserve(`key ${wait}`, { wait })
      // A timer may be early by a millisecond, and both clocks count whole ones.
      await new Promise((resolve) => setTimeout(resolve, 80))
      assert.equal(await slot.fill('late', '50ms'), false)
      assert.equal(await stale.fill('stale', { ttl: '50ms', staleWhileRevalidate: '1m' }), true)
      assert.equal((await cache.reserve(`stale ${wait}`)).stale?.value, 'stale')
    }
    assert.deepEqual(reasons, ['expired', 'expired'])
  })

  it('gives its value to those who wait for it, also after shutdown()', async () => {
    const cache = await scene.open()
    const slot = await cache.reserve('key', { wait: true })
    const waiting = [
      cache.getOrSet('key', () => assert.fail('There is a loader')),
      cache.reserve('key', { wait: true }).then(({ value }) => value),
    ]
    await waitUntil(async () => (await cache.explain('key')).load.callers === 3, {
      what: 'the callers to join',
    })
    await cache.shutdown()
    assert.equal(await slot.fill('value'), false)
    assert.deepEqual(await Promise.all(waiting), ['value', 'value'])
    assert.equal(await ask('EXISTS', 'shop:key'), 0)
  })

  it("is of no use after shutdown(): a fill answers false, or rejects with errors: 'throw'", async () => {
    for (const wait of [true, false]) {
      const [absorbing, throwing] = [await scene.open(), await scene.open({ errors: 'throw' })]
      const slots = [await absorbing.reserve('a', { wait }), await throwing.reserve('b', { wait })] as const
      await Promise.all([absorbing.shutdown(), throwing.shutdown()])
      assert.equal(await slots[0].fill(1), false)
      await assert.rejects(slots[1].fill(1), code('CACHE_CLOSED'))
      assert.equal((await absorbing.reserve('a', { wait })).isHit, false)
      assert.equal(await (await absorbing.reserve('a', { wait })).fill(1), false)
      assert.deepEqual(await ask('KEYS', '*:a'), wait ? [] : ['shop:a'])
    }
  })

  it('that is never filled costs a placeholder, which expires', async () => {
    const cache = await scene.open({ lease: { longestLoad: '10s' } })
    await cache.reserve('key')
    assert.equal(await ask('STRLEN', 'shop:key'), 42)
    const ttlMs = Number(await ask('PTTL', 'shop:key'))
    assert.ok(ttlMs > 5_000 && ttlMs <= 10_000, String(ttlMs))
    assert.equal(await cache.plain.exists('key'), false)
    assert.equal(await cache.plain.getTtl('key'), undefined)
    assert.equal(await cache.delete('key'), false)
  })

  it('prolongs the placeholder of an earlier slot', async () => {
    const [first, second] = [
      await scene.open({ lease: { longestLoad: '1s' } }),
      await scene.open({ lease: { longestLoad: '30s' } }),
    ]
    await first.reserve('key')
    const slot = await second.reserve('key')
    assert.ok(Number(await ask('PTTL', 'shop:key')) > 20_000)
    assert.equal(await slot.fill('value'), true)
  })

  it('keeps the count of fruitless loads, so that nobody waits for a third one', async () => {
    const cache = await scene.open()
    await assert.rejects(cache.getOrSet('key', () => Promise.reject(new Error('down'))))
    await waitUntil(async () => (await ask('GETRANGE', 'shop:key', '27', '27')) === '\u0001', {
      what: 'the count of one',
    })
    const slot = await cache.reserve('key')
    assert.equal(await ask('GETRANGE', 'shop:key', '27', '27'), '\u0001')
    assert.equal(await slot.fill('value'), true)
  })

  it.each([
    ['redis-cli DEL', () => ask('DEL', 'shop:key')],
    ['redis-cli SET', () => ask('SET', 'shop:key', '"foreign"')],
    ['FLUSHALL', () => ask('FLUSHALL')],
    ['RENAME of another key', async () => [await ask('SET', 'x', '1'), await ask('RENAME', 'x', 'shop:key')]],
    ['expiry', () => ask('PEXPIRE', 'shop:key', '0')],
    ['removal of its tag', async () => ask('DEL', ...((await ask('KEYS', '*tag')) as string[]))],
  ])('P45 stores nothing after %s', async (_name, touch) => {
    const cache = await scene.open()
    for (const wait of [true, false]) {
      await ask('FLUSHALL')
      const slot = await cache.reserve('key', { tags: ['tag'], wait })
      await touch()
      assert.equal(await slot.fill('late'), false)
      assert.notEqual(await cache.get('key', { local: false }), 'late')
    }
  })

  it('T2 is void after its connection was replaced', async () => {
    for (const wait of [true, false]) {
      const proxy = await scene.proxy()
      const cache = await scene.open({ redis: proxy.url })
      const reasons = refusals(cache)
      const slot = await cache.reserve(`key ${wait}`, { wait })
      proxy.cutClients()
      await waitUntil(async () => (await cache.set('other', 1)) === true, { what: 'the next connection' })
      assert.equal(await slot.fill('late'), false)
      assert.equal(await cache.get(`key ${wait}`), undefined)
      assert.deepEqual(reasons, ['disconnected'])
    }
  })

  it('is open while Redis is away, and stores nothing', async () => {
    for (const wait of [true, false]) {
      const cache = scene.cache({ ...IMPATIENT, redis: 'redis://127.0.0.1:1' })
      const reasons = refusals(cache)
      const slot = await cache.reserve('key', { wait })
      assert.equal(slot.isHit, false)
      assert.equal(await slot.fill('late'), false)
      assert.deepEqual(reasons, ['unreserved'])
    }
  })

  it('never rejects because of Redis, also with errors: throw', async () => {
    const cache = scene.cache({ ...IMPATIENT, redis: 'redis://127.0.0.1:1', errors: 'throw' })
    const slot = await cache.reserve('key')
    assert.deepEqual([slot.isHit, await slot.fill('late')], [false, false])
  })

  it('P37 settles by the deadline when Redis freezes before the fill', async () => {
    for (const wait of [true, false]) {
      const cache = await scene.open({ ...IMPATIENT, redis: scene.redis.url })
      const slot = await cache.reserve(`key ${wait}`, { wait })
      scene.redis.pause()
      assert.equal(await slot.fill('late'), false)
      await slot.release()
      scene.redis.resume()
    }
  })

  it('counts and tells: a hit as a hit, an open slot as a miss', async () => {
    for (const wait of [true, false]) {
      const cache = await scene.open({ prefix: `${wait}:` })
      const events: string[] = []
      cache.on('hit', () => events.push('hit'))
      cache.on('miss', () => events.push('miss'))
      await (await cache.reserve('key', { wait })).fill(1)
      await cache.reserve('key', { wait })
      await cache.reserve('key', { wait })
      const { localHits, misses, sharedHits } = cache.stats().total
      assert.deepEqual(events, ['miss', 'hit', 'hit'])
      assert.deepEqual([localHits + sharedHits, misses], [2, 1])
    }
  })
})
