import assert from 'node:assert/strict'
import type { CreateCacheOptions } from 'cachewright'
import { describe, it } from 'vitest'
import { useScene } from '../support/scene.ts'
import { MEMORY, refusals, TIERS, TOUCHES } from './slot-tiers.ts'

describe.each(TIERS)('a slot in %s', (tier, optionsOf) => {
  const scene = useScene({ cluster: { replicasPerMaster: 0 } })
  const open = (more: CreateCacheOptions = {}) => scene.open({ ...optionsOf(scene), ...more })

  it('has the value, or stores one', async () => {
    const cache = await open()
    const slot = await cache.reserve<string>('key', { tags: ['tag'] })
    assert.deepEqual([slot.isHit, slot.value, slot.stale, slot.key], [false, undefined, undefined, 'key'])
    assert.equal(await cache.get('key'), undefined)
    assert.equal(await slot.fill('value', { ttl: '1m' }), true)
    assert.equal(await cache.get('key'), 'value')
    for (let reads = 0; reads < 2; reads++) {
      const hit = await cache.reserve<string>('key', { tags: ['tag'] })
      assert.deepEqual([hit.isHit, hit.value], [true, 'value'])
    }
    await cache.invalidateTags(['tag'])
    assert.equal((await cache.reserve('key', { tags: ['tag'] })).isHit, false)
  })

  it('has the options of its fill, else those of its namespace', async () => {
    const cache = (await open()).namespace('n', { ttl: '10m' })
    assert.equal(await (await cache.reserve('key')).fill(1), true)
    assert.equal(Math.round((await cache.getTtl('key')) ?? 0), 600)
    assert.equal(await (await cache.reserve('key')).fill(2, '1m'), true)
    assert.equal(Math.round((await cache.getTtl('key')) ?? 0), 60)
    assert.equal(await cache.get('key'), 2)
  })

  for (const [name, touch] of TOUCHES) {
    it(`P45 stores nothing after ${name}, and says so`, async () => {
      const cache = await open()
      const reasons = refusals(cache)
      const slot = await cache.reserve('key', { tags: ['tag'] })
      await touch(cache)
      const meanwhile = await cache.get('key')
      assert.equal(await slot.fill('late'), false)
      assert.equal(await cache.get('key'), meanwhile)
      assert.equal(reasons.length, 1)
    })

    it(`P45 a hit is not replaced after ${name}`, async () => {
      const cache = await open()
      await cache.set('key', 'first', { tags: ['tag'] })
      const slot = await cache.reserve('key', { tags: ['tag'] })
      assert.equal(slot.isHit, true)
      await touch(cache)
      const meanwhile = await cache.get('key')
      assert.equal(await slot.fill('late', { tags: ['tag'] }), false)
      assert.equal(await cache.get('key'), meanwhile)
    })

    if (tier === MEMORY) continue
    it(`P45 stores nothing after ${name} by another process`, async () => {
      const [cache, other] = [await open(), await open()]
      const slot = await cache.reserve('key', { tags: ['tag'] })
      await touch(other)
      const meanwhile = await cache.get('key', { local: false })
      assert.equal(await slot.fill('late'), false)
      assert.equal(await cache.get('key', { local: false }), meanwhile)
      assert.equal(await other.get('key', { local: false }), meanwhile)
    })
  }

  it('P45 stores nothing after a clear of a namespace around it', async () => {
    const cache = await open()
    const inner = cache.namespace('a').namespace('b')
    const slot = await inner.reserve('key')
    await cache.namespace('a').clear()
    assert.equal(await slot.fill('late'), false)
    assert.equal(await inner.get('key'), undefined)
  })

  it('is filled whatever happens to other keys, tags and namespaces, and whoever reads', async () => {
    const cache = await open()
    const slot = await cache.reserve<string>('key', { tags: ['tag'] })
    await cache.namespace('n').clear()
    await cache.invalidateTags(['other'])
    await cache.delete('other')
    await cache.invalidatePattern('x*')
    await Promise.all([cache.get('key'), cache.has('key'), cache.getTtl('key'), cache.plain.exists('key')])
    assert.equal(await slot.fill('value'), true)
    assert.equal(await cache.get('key'), 'value')
  })

  it('shares its key with other slots: the first fill wins', async () => {
    const cache = await open()
    const slots = await Promise.all(Array.from({ length: 20 }, () => cache.reserve('key')))
    const stored = await Promise.all(slots.map((slot, index) => slot.fill(index)))
    assert.equal(stored.filter(Boolean).length, 1)
    assert.equal(await cache.get('key'), stored.indexOf(true))
  })

  it('keeps no load waiting, which takes the key over', async () => {
    const cache = await open()
    const reasons = refusals(cache)
    const slot = await cache.reserve('key')
    assert.equal(await cache.getOrSet('key', async () => 'loaded'), 'loaded')
    assert.equal(await slot.fill('late'), false)
    assert.deepEqual(reasons, ['changed'])
    assert.equal(await cache.get('key'), 'loaded')
  })

  it('may overtake a load that is under way, whose value is not stored then', async () => {
    const cache = await open()
    let slotStored = false
    const loaded = await cache.getOrSet('key', async () => {
      slotStored = await (await cache.reserve('key')).fill('filled')
      return 'loaded'
    })
    assert.deepEqual([loaded, slotStored, await cache.get('key')], ['loaded', true, 'filled'])
  })

  it('takes the place of an entry that was invalidated', async () => {
    const cache = await open()
    await cache.set('key', 'old', { tags: ['tag'] })
    await cache.invalidateTags(['tag'])
    const slot = await cache.reserve<string>('key', { tags: ['tag'] })
    assert.deepEqual([slot.isHit, slot.stale], [false, undefined])
    assert.equal(await slot.fill('new'), true)
    assert.equal(await cache.get('key'), 'new')
  })

  it('G3 binds tags that only the fill names to what was known when it was reserved', async () => {
    const cache = await open()
    const reasons = refusals(cache)
    assert.equal(await (await cache.reserve('key')).fill('unbound', { tags: ['late'] }), false)
    assert.deepEqual(reasons, ['unknown-tag'])
    const slot = await cache.reserve('key')
    assert.equal(await slot.fill('bound', { tags: ['late'] }), true)
    assert.equal(await cache.get('key'), 'bound')
    await cache.invalidateTags(['late'])
    assert.equal(await cache.get('key'), undefined)
  })

  for (const [name, ttl] of [
    ['a hit', '1m'],
    ['a stale value', '1ms'],
  ] as const) {
    it(`G3 binds tags that only an earlier fill of ${name} has named`, async () => {
      const cache = await open({ staleWhileRevalidate: '1m' })
      const reasons = refusals(cache)
      const reserve = async () => {
        await cache.set('key', 'old', { ttl })
        await new Promise((resolve) => setTimeout(resolve, 10))
        const slot = await cache.reserve('key')
        assert.equal(slot.isHit, ttl === '1m')
        return slot
      }
      assert.equal(await (await reserve()).fill('unbound', { tags: ['late'] }), false)
      assert.deepEqual(reasons, ['unknown-tag'])
      const late = await reserve()
      await cache.invalidateTags(['late'])
      assert.equal(await late.fill('late', { tags: ['late'] }), false)
      assert.equal(await (await reserve()).fill('bound', { ttl: '1m', tags: ['late'] }), true)
      assert.equal(await cache.get('key'), 'bound')
      await cache.invalidateTags(['late'])
      assert.equal(await cache.get('key'), undefined)
    })
  }

  it('G3 stores nothing if a tag that only the fill names was invalidated meanwhile', async () => {
    const cache = await open()
    await cache.set('other', 1, { tags: ['late'] })
    await cache.get('other')
    const slot = await cache.reserve('key')
    await cache.invalidateTags(['late'])
    assert.equal(await slot.fill('late', { tags: ['late'] }), false)
    assert.equal(await cache.get('key'), undefined)
  })

  it('G3 does not bind to a generation that was learned after it was reserved', async () => {
    const cache = await open()
    const reasons = refusals(cache)
    await cache.set('other', 1, { tags: ['late'] })
    const slot = await cache.reserve('key')
    await cache.invalidateTags(['late'])
    // This process knows the new generation from now on.
    await cache.set('other', 2, { tags: ['late'] })
    await cache.get('other')
    assert.equal(await slot.fill('late', { tags: ['late'] }), false)
    assert.deepEqual(reasons, ['unknown-tag'])
    assert.equal(await cache.get('key'), undefined)
  })

  it('leaves no local copy of an entry that it takes the place of', async () => {
    const cache = await open()
    await cache.set('key', 'untagged')
    await cache.get('key')
    await cache.reserve('key', { tags: ['tag'] })
    assert.equal(await cache.get('key'), undefined)
    const slot = await cache.reserve('key')
    assert.deepEqual([slot.isHit, await slot.fill('new')], [false, true])
  })

  it('leaves no local copy of an entry that its fill has not found', async () => {
    const cache = await open()
    await cache.set('key', 'first')
    await cache.get('key')
    const slot = await cache.reserve('key')
    // On the bus, nobody hears of it.
    if (tier === MEMORY) await cache.delete('key')
    else if (tier === 'a cluster') {
      await Promise.any(scene.cluster.nodes.map((node) => node.ask('DEL', 'shop:key')))
    } else await scene.redis.ask('DEL', 'shop:key')
    assert.equal(await slot.fill('late'), false)
    assert.equal(await cache.get('key'), undefined)
  })

  it('keeps the local copy of an entry that has come after the one it was to replace', async () => {
    const cache = await open()
    await cache.set('key', 'first')
    const slot = await cache.reserve('key')
    await cache.set('key', 'second')
    await cache.get('key')
    assert.equal(await slot.fill('late'), false)
    assert.equal(await cache.get('key'), 'second')
  })

  it('offers a stale value, which its fill replaces', async () => {
    const cache = await open({ staleWhileRevalidate: '1m' })
    await cache.set('key', 'old', { ttl: '50ms', tags: ['tag'] })
    await new Promise((resolve) => setTimeout(resolve, 60))
    const slot = await cache.reserve<string>('key', { tags: ['tag'] })
    assert.deepEqual([slot.isHit, slot.stale?.value, slot.stale?.tags], [false, 'old', ['tag']])
    assert.equal(await slot.fill('new', { ttl: '1m' }), true)
    assert.equal(await cache.get('key'), 'new')
  })

  it('P45 a stale value is not replaced after it was deleted', async () => {
    const cache = await open({ staleWhileRevalidate: '1m' })
    await cache.set('key', 'old', { ttl: '50ms' })
    await new Promise((resolve) => setTimeout(resolve, 60))
    const slot = await cache.reserve<string>('key')
    await cache.delete('key')
    assert.equal(await slot.fill('late'), false)
    assert.equal(await cache.get('key'), undefined)
  })

  it('is seen by reads that are called after its fill, awaited or not', async () => {
    const cache = await open()
    const slot = await cache.reserve('key')
    const filling = slot.fill('first')
    assert.equal(await cache.get('key'), 'first')
    assert.equal(await filling, true)
    const hit = await cache.reserve('key')
    assert.equal(await hit.fill('second'), true)
    assert.equal(await cache.get('key'), 'second')
  })

  it('yields to a set that was called before its fill, awaited or not', async () => {
    const cache = await open()
    const slot = await cache.reserve('key', { tags: ['tag'] })
    const setting = cache.set('key', 'set', { tags: ['a', 'b', 'tag'] })
    assert.equal(await slot.fill('late'), false)
    assert.equal(await setting, true)
    assert.equal(await cache.get('key'), 'set')
  })

  it('yields to invalidations that were called before its fill, awaited or not', async () => {
    const cache = await open()
    for (const touch of [() => cache.delete('key'), () => cache.invalidateTags(['tag'])]) {
      const slot = await cache.reserve('key', { tags: ['tag'] })
      const touching = touch()
      assert.equal(await slot.fill('late'), false)
      await touching
      assert.equal(await cache.get('key'), undefined)
    }
  })

  it('stores nothing when it is older than longestLoad', async () => {
    const cache = await open({ lease: { longestLoad: '100ms' } })
    const reasons = refusals(cache)
    const slot = await cache.reserve('key')
    await new Promise((resolve) => setTimeout(resolve, 120))
    assert.equal(await slot.fill('late'), false)
    assert.deepEqual(reasons, ['expired'])
    assert.equal(await cache.get('key'), undefined)
  })
})
