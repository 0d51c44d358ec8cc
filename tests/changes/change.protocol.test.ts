import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Cache, CreateCacheOptions } from 'cachewright'
import { describe, it } from 'vitest'
import { MEMORY, refusals, TIERS } from '../reserving/slot-tiers.ts'
import { deferred, heldLoader, Source } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const TAGGED = { tags: ['tag'] }
/** What a change may hold, so that an entry `key` with the tag `tag` is held. */
const HELD = [
  ['its key', { keys: ['key'], hold: '30s' }],
  ['its tag', { tags: ['tag'], hold: '30s' }],
  ['both', { keys: ['key'], tags: ['tag'], hold: '30s' }],
] as const

describe.each(TIERS)('a change in %s', (tier, optionsOf) => {
  const scene = useScene({ cluster: { replicasPerMaster: 0 } })
  const open = (more: CreateCacheOptions = {}) => scene.open({ ...optionsOf(scene), ...more })
  /** Another process; in memory there is none. */
  const beside = (cache: Cache) => (tier === MEMORY ? cache : open())

  it('sends what was called within it when it has succeeded', async () => {
    const cache = await open()
    const other = await beside(cache)
    for (const key of ['deleted', 'many', 'tagged', 'matching', 'key'])
      await cache.set(key, 'old', { tags: [key] })
    const answers = await cache.change({ keys: ['key'] }, async () => {
      const called = [
        await cache.delete('deleted'),
        await cache.deleteMany(['many', 'none']),
        await cache.invalidateTags(['tagged']),
        await cache.invalidatePattern('match*'),
        await cache.set('set', 'new', '1m'),
        await cache.setMany({ one: 1, two: 2 }, '1m'),
      ]
      for (const key of ['deleted', 'many', 'tagged', 'matching', 'key'])
        assert.equal(await other.get(key, { local: false }), tier === MEMORY ? undefined : 'old', key)
      return called
    })
    assert.deepEqual(answers, [true, 2, true, 0, true, true])
    for (const one of [cache, other]) {
      for (const key of ['deleted', 'many', 'tagged', 'matching', 'key'])
        assert.equal(await one.get(key, { local: false }), undefined, key)
      assert.equal(await one.get('set', { local: false }), 'new')
      assert.equal(await one.get('two', { local: false }), 2)
    }
  })

  it('drops what was called within it when it throws', async () => {
    const cache = await open()
    await cache.set('kept', 'old', { tags: ['kept'] })
    const failure = new Error('rolled back')
    const failing = cache.change({ keys: ['kept'], tags: ['kept'] }, async () => {
      await cache.delete('kept')
      await cache.set('new', 1)
      throw failure
    })
    await assert.rejects(failing, failure)
    assert.equal(await cache.get('kept'), 'old')
    assert.equal(await cache.get('new'), undefined)
  })

  it('reads past the cache, and stores nothing that it reads', async () => {
    const cache = await open()
    const other = await beside(cache)
    await cache.set('key', 'cached')
    const source = new Source('uncommitted')
    await cache.change({}, async () => {
      assert.equal(cache.peek('key'), undefined)
      assert.equal(await cache.get('key'), undefined)
      assert.equal(await cache.has('key'), false)
      assert.equal(await cache.getTtl('key'), undefined)
      assert.deepEqual(
        [...(await cache.getMany(['key', 'none']))],
        [
          ['key', undefined],
          ['none', undefined],
        ],
      )
      assert.equal(await cache.getOrSet('key', source.load), 'uncommitted')
      assert.equal(await cache.getOrSet('key', source.load), 'uncommitted')
      assert.equal(await cache.refresh('key', source.load), 'uncommitted')
      assert.equal(await cache.getEntry('key', { stale: true }), undefined)
      const entry = await cache.getOrSetEntry('key', source.load)
      assert.deepEqual([entry.status, entry.value, entry.stamp], ['skipped', 'uncommitted', undefined])
      const many = await cache.getOrSetMany(['key', 'none'], (keys) => keys.map(() => 'uncommitted'))
      assert.deepEqual([...many.values()], ['uncommitted', 'uncommitted'])
      const slot = await cache.reserve('key')
      assert.equal(slot.isHit, false)
      assert.equal(await slot.fill('uncommitted'), false)
    })
    assert.equal(source.loads, 4)
    for (const one of [cache, other]) {
      assert.equal(await one.get('key', { local: false }), 'cached')
      assert.equal(await one.get('none', { local: false }), undefined)
    }
  })

  it('leaves other callers alone', async () => {
    const cache = await open()
    await cache.set('key', 'cached')
    const within = deferred()
    const mayEnd = deferred()
    const changing = cache.change({}, async () => {
      within.resolve()
      await mayEnd.promise
      await cache.set('late', 1)
    })
    await within.promise
    assert.equal(await cache.get('key'), 'cached')
    assert.equal(await cache.getOrSet('other', async () => 'loaded'), 'loaded')
    assert.equal(await cache.delete('key'), true)
    assert.equal(await cache.get('other'), 'loaded')
    mayEnd.resolve()
    await changing
    assert.equal(await cache.get('late'), 1)
  })

  for (const [what, options] of HELD) {
    it(`stores nothing that is loaded while it holds ${what}`, async () => {
      const cache = await open()
      const other = await beside(cache)
      await cache.set('key', 'cached', TAGGED)
      const within = deferred()
      const mayEnd = deferred()
      const changing = cache.change(options, async () => {
        within.resolve()
        await mayEnd.promise
      })
      await within.promise
      const source = new Source('old')
      for (const one of [cache, other]) {
        assert.equal(await one.getOrSet('key', source.load, TAGGED), 'old')
        assert.equal(await one.get('key', { local: false }), undefined)
        const slot = await one.reserve('key', TAGGED)
        const reasons = refusals(one)
        assert.equal(slot.isHit, false)
        assert.equal(await slot.fill('old', TAGGED), false)
        assert.deepEqual(reasons, ['changing'])
        assert.equal(one.stats().total.heldBack, 1)
        if (one === other) break
      }
      // A load that lasts until the change has ended began before the commit.
      const late = heldLoader('old')
      const loading = other.getOrSet('key', late.load, TAGGED)
      await late.begun
      mayEnd.resolve()
      await changing
      late.release()
      assert.equal(await loading, 'old')
      source.value = 'new'
      for (const one of [other, cache]) {
        assert.equal(await one.getOrSet('key', source.load, TAGGED), 'new')
        assert.equal(await one.get('key', { local: false }), 'new')
      }
    })

    it(`beats a load that began before it held ${what}`, async () => {
      const cache = await open()
      const other = await beside(cache)
      const early = heldLoader('old')
      const loading = other.getOrSet('key', early.load, TAGGED)
      await early.begun
      await cache.change(options, () => {})
      early.release()
      assert.equal(await loading, 'old')
      for (const one of [cache, other]) assert.equal(await one.get('key', { local: false }), undefined)
    })

    it(`stores nothing after deletes and invalidations by others while it holds ${what}`, async () => {
      const cache = await open()
      const other = await beside(cache)
      await cache.change(options, async () => {
        const loading = outside(async () => {
          await other.delete('key')
          await other.invalidateTags(['tag'])
          await other.invalidatePattern('k*')
          await other.getOrSet('key', async () => 'old', TAGGED)
          return other.get('key', { local: false })
        })
        assert.equal(await loading, undefined)
      })
      assert.equal(await other.getOrSet('key', async () => 'new', TAGGED), 'new')
      assert.equal(await other.get('key', { local: false }), 'new')
    })

    it(`holds ${what} until the last of overlapping changes has ended`, async () => {
      const first = await open()
      const caches = [first, await beside(first)] as const
      const ends = [deferred(), deferred(), deferred()] as const
      const began = [deferred(), deferred(), deferred()] as const
      const changing = ends.map((end, index) =>
        caches[index % 2 === 0 ? 0 : 1].change(options, async () => {
          began[index]?.resolve()
          await end.promise
        }),
      )
      await Promise.all(began.map(({ promise }) => promise))
      for (const index of [1, 0, 2] as const) {
        await caches[0].getOrSet('key', async () => 'old', TAGGED)
        assert.equal(await caches[1].get('key', { local: false }), undefined)
        ends[index].resolve()
        await changing[index]
      }
      assert.equal(await caches[0].getOrSet('key', async () => 'new', TAGGED), 'new')
      assert.equal(await caches[1].get('key', { local: false }), 'new')
    })

    it(`invalidates ${what} also when it throws, if it was held`, async () => {
      const cache = await open()
      const other = await beside(cache)
      await cache.set('key', 'old', TAGGED)
      await assert.rejects(
        cache.change(options, () => Promise.reject(new Error('who knows'))),
        /who knows/,
      )
      for (const one of [cache, other]) assert.equal(await one.get('key', { local: false }), undefined)
      assert.equal(await cache.getOrSet('key', async () => 'new', TAGGED), 'new')
      assert.equal(await other.get('key', { local: false }), 'new')
    })
  }
})

/** Runs work as somebody else, who is not part of the change. */
const outside = AsyncLocalStorage.snapshot()
