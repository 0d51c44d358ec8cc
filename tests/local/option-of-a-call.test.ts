import { type Cache, type CreateCacheOptions, createCache } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { heldLoader, Source } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

const PAST = { local: false } as const

function tiersOf(cache: Cache): string[] {
  const tiers: string[] = []
  cache.on('hit', ({ tier }) => tiers.push(tier))
  return tiers
}

const schema = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value: value as number }) },
} as const

/** Each read of one key that takes the option, whatever its form. */
function readsOf(cache: Cache): Record<string, (local?: false | { ttl: '5s' }) => Promise<unknown>> {
  const numbers = cache.collection({ name: 'numbers', schema, load: () => 1 })
  const wrapped = cache.wrap(async () => 1, { name: 'wrapped' })
  const past = cache.namespace('other').wrap(async () => 1, { name: 'wrapped', local: false })
  return {
    get: (local) => cache.get('key', { local }),
    getMany: async (local) => (await cache.getMany(['key'], { local })).get('key'),
    getEntry: async (local) => (await cache.getEntry('key', { local }))?.value,
    getOrSet: (local) => cache.getOrSet('key', () => 1, { local }),
    getOrSetEntry: async (local) => (await cache.getOrSetEntry('key', () => 1, { local })).value,
    getOrSetMany: async (local) => (await cache.getOrSetMany(['key'], () => [1], { local })).get('key'),
    'each of getOrSetMany': async (local) =>
      (await cache.getOrSetMany(['key'], () => [1], { each: () => ({ local }) })).get('key'),
    'get of a collection': (local) => numbers.get('key', { local }),
    'getMany of a collection': async (local) => (await numbers.getMany(['key'], { local })).get('key'),
    'getEntry of a collection': async (local) => (await numbers.getEntry('key', { local })).value,
    wrap: (local) => (local === undefined ? wrapped() : past()),
  }
}

describe('local: false of a call', () => {
  const names = Object.keys(readsOf(createCache({ redis: false })))

  test.each(names)('%s asks Redis, whatever is kept here', async (name) => {
    const cache = await scene.open()
    const read = readsOf(cache)[name] as (local?: false) => Promise<unknown>
    await cache.getOrSet('key', () => 1)
    await read(false)
    await read()
    const tiers = tiersOf(cache)
    expect([await read(), await read(false), await read()]).toEqual([1, 1, 1])
    expect(tiers).toEqual(['local', 'shared', 'local'])
  })

  test.each(names)('%s keeps nothing here, loaded or found', async (name) => {
    const cache = await scene.open()
    const read = readsOf(cache)[name] as (local: false) => Promise<unknown>
    for (let reads = 0; reads < 3; reads++) await read(false)
    const other = await scene.open()
    await other.set('key', 1)
    await read(false)
    expect(cache.stats().local.entries).toBe(0)
  })

  test('keeps nothing of a plain value', async () => {
    const cache = await scene.open()
    await cache.plain.set('key', 1)
    for (let reads = 0; reads < 3; reads++) expect(await cache.get('key', PAST)).toBe(1)
    await cache.get('other', PAST)
    expect(cache.stats().local.entries).toBe(0)
  })

  // No news of a change arrives: only what is asked of Redis tells.
  const deaf: CreateCacheOptions = { coherence: { mode: 'ttl' }, local: { ttl: '10m' } }

  test.each([
    ['its key', (other: Cache) => other.delete('key')],
    ['its tag', (other: Cache) => other.invalidateTags(['tag'])],
    ['all', (other: Cache) => other.clear()],
  ])('joins no load that began before another process invalidated %s', async (_what, invalidate) => {
    const [cache, other] = [await scene.open(deaf), await scene.open()]
    const tags = ['tag']
    const old = heldLoader('old')
    const early = cache.getOrSet('key', old.load, { tags })
    await old.begun
    await invalidate(other)
    expect(await cache.getOrSet('key', () => 'new', { tags, ...PAST })).toBe('new')
    old.release()
    expect(await early).toBe('old')
    expect(await other.getOrSet('key', () => 'newer', { tags, ...PAST })).toBe('new')
  })

  test('joins no read that began before', async () => {
    const [cache, other] = [await scene.open(deaf), await scene.open()]
    await other.set('key', 'old')
    const early = cache.getOrSet('key', () => 'loaded')
    const calls = [cache.getOrSet('key', () => 'loaded', PAST), cache.getOrSet('key', () => 'loaded', PAST)]
    expect(await early).toBe('old')
    expect(await Promise.all(calls)).toEqual(['old', 'old'])
    expect(cache.stats().total).toMatchObject({ sharedHits: 3, loads: 0 })
  })

  test('sees no stale value that another process has invalidated', async () => {
    const policies = { ttl: '50ms', staleWhileRevalidate: '1h', staleIfError: '1h' } as const
    const [cache, other] = [await scene.open({ ...deaf, ...policies }), await scene.open(policies)]
    await cache.getOrSet('key', () => 'old')
    await waitUntil(() => cache.peek('key') === undefined, { what: 'the end of its time to live' })
    await other.delete('key')
    const failing = () => Promise.reject(new Error('the source is away'))
    await expect(cache.getOrSet('key', failing, PAST)).rejects.toThrow('the source is away')
    expect(await cache.getOrSet('key', () => 'new', PAST)).toBe('new')
  })

  test('shares one load with its like, in one process and in several', async () => {
    const caches = [await scene.open(), await scene.open()]
    const source = new Source(1)
    const calls = caches.flatMap((cache) =>
      Array.from({ length: 10 }, () => cache.getOrSet('key', source.load, PAST)),
    )
    expect(new Set(await Promise.all(calls))).toEqual(new Set([1]))
    expect(source.loads).toBe(1)
  })

  test('is joined by others', async () => {
    const cache = await scene.open()
    const held = heldLoader('loaded')
    const first = cache.getOrSet('key', held.load, PAST)
    await held.begun
    const second = cache.getOrSet('key', () => 'another')
    held.release()
    expect(await Promise.all([first, second])).toEqual(['loaded', 'loaded'])
  })

  test('begins no second read of what is kept by a read beside it', async () => {
    const cache = await scene.open()
    await cache.set('key', 1)
    await Promise.all([cache.get('key', PAST), cache.get('key')])
    expect(cache.peek('key')).toBe(1)
  })

  test('serves a stale value of Redis while another is loaded', async () => {
    const cache = await scene.open({ ttl: '50ms', staleWhileRevalidate: '1h' })
    await cache.getOrSet('key', () => 1, PAST)
    await waitUntil(async () => (await cache.get('key', PAST)) === undefined, { what: 'the end of its ttl' })
    expect(await cache.getOrSet('key', () => 2, PAST)).toBe(1)
    await cache.idle()
    expect(await cache.getOrSet('key', () => 3, { ...PAST, maxAge: '1h' })).toBeGreaterThan(1)
    expect(cache.stats().local.entries).toBe(0)
  })

  test('loads while Redis is away, and serves nothing that is kept', async () => {
    const cache = await scene.open({ commandTimeout: '200ms', staleIfError: '1h' })
    await cache.getOrSet('key', () => 'kept')
    scene.redis.pause()
    try {
      expect(await cache.getOrSet('key', () => 'loaded', PAST)).toBe('loaded')
      const failing = () => Promise.reject(new Error('the source is away'))
      await expect(cache.getOrSet('key', failing, PAST)).rejects.toThrow('the source is away')
    } finally {
      scene.redis.resume()
    }
  })

  test('is told by explain', async () => {
    const cache = await scene.open()
    await cache.getOrSet('key', () => 1)
    const { local, next } = await cache.explain('key', PAST)
    expect(local).toMatchObject({ state: 'kept', serves: 'nothing', refusals: ['passed-by'] })
    expect(next.step).toBe('serve-shared')
    const held = heldLoader(1)
    const loading = cache.getOrSet('other', held.load)
    await held.begun
    expect((await cache.explain('other')).next.step).toBe('join')
    expect((await cache.explain('other', PAST)).next.step).toBe('wait')
    held.release()
    await loading
  })
})

describe('local: { ttl } of a call', () => {
  test('passes by a copy that was read longer ago, for this caller alone', async () => {
    const clock = new ManualClock()
    const cache = createCache({ redis: false, clock, ttl: '1h' })
    for (const [name, read] of Object.entries(readsOf(cache))) {
      if (name === 'wrap') continue
      await cache.getOrSet('key', () => 1)
      await read()
      await clock.advance('6s')
      const tiers = tiersOf(cache)
      expect([await read(), await read({ ttl: '5s' })]).toEqual([1, 1])
      // The copy is as young as the last read.
      await clock.advance('4s')
      await read({ ttl: '5s' })
      expect([name, tiers.slice(0, 3)]).toEqual([name, ['local', 'shared', 'local']])
    }
    await cache.shutdown()
  })

  test('counts from the read of this process, and not from the load', async () => {
    const clock = new ManualClock()
    const cache = createCache({ redis: false, clock, ttl: '1h' })
    await cache.getOrSet('key', () => 1, PAST)
    await clock.advance('1m')
    await cache.get('key')
    const tiers = tiersOf(cache)
    await clock.advance('4s')
    await cache.get('key', { local: { ttl: '5s' } })
    expect(tiers).toEqual(['local'])
    const { local } = await cache.explain('key', { local: { ttl: '3s' } })
    expect(local).toMatchObject({ serves: 'nothing', refusals: ['passed-by'] })
    await cache.shutdown()
  })

  test('sees what news have not told yet', async () => {
    const [cache, other] = [
      await scene.open({ coherence: { mode: 'ttl' }, local: { ttl: '10m' } }),
      await scene.open(),
    ]
    await cache.getOrSet('key', () => 'old')
    await other.set('key', 'new')
    expect(await cache.getOrSet('key', () => 'loaded')).toBe('old')
    const brief = { local: { ttl: '1ms' } } as const
    await waitUntil(async () => (await cache.getOrSet('key', () => 'loaded', brief)) === 'new', {
      what: 'the copy to be too old for this caller',
    })
    expect(cache.peek('key')).toBe('new')
  })
})

describe('local of a call', () => {
  test('true is the default', async () => {
    const cache = await scene.open()
    const tiers = tiersOf(cache)
    await cache.getOrSet('key', () => 1, { local: true })
    await cache.getOrSet('key', () => 1, { local: true })
    await cache.get('key', { local: { ttl: Number.POSITIVE_INFINITY } })
    expect(tiers).toEqual(['local', 'local'])
  })

  test('refuses what makes no sense, also beside a local hit', async () => {
    const cache = await scene.open()
    await cache.getOrSet('key', () => 1)
    const wrong: [unknown, string][] = [
      [{ ttl: 0 }, 'CACHE_INVALID_DURATION'],
      [{ ttl: '-1s' }, 'CACHE_INVALID_DURATION'],
      [{}, 'CACHE_INVALID_DURATION'],
      [{ maxEntries: 5 }, 'CACHE_INVALID_OPTIONS'],
      [5, 'CACHE_INVALID_OPTIONS'],
      [null, 'CACHE_INVALID_OPTIONS'],
    ]
    const numbers = cache.collection({ name: 'numbers', schema, load: () => 1 })
    for (const [local, code] of wrong) {
      const options = { local } as never
      const calls = [
        cache.get('key', options),
        cache.getMany(['key'], options),
        cache.getEntry('key', options),
        cache.getOrSet('key', () => 1, options),
        cache.getOrSetEntry('key', () => 1, options),
        cache.getOrSetMany(['key'], () => [1], options),
        cache.explain('key', options),
        numbers.get('key', options),
      ]
      for (const call of calls) await expect(call).rejects.toMatchObject({ code })
    }
  })
})
