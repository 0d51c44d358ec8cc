import { type Cache, createCache, type Namespace } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { heldLoader, Source } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

/** Where each read finds its value, by the events of the cache. */
function tiersOf(cache: Cache): string[] {
  const tiers: string[] = []
  cache.on('hit', ({ tier }) => tiers.push(tier))
  return tiers
}

async function readTwice(space: Pick<Namespace, 'getOrSet' | 'get'>, key = 'key'): Promise<void> {
  await space.getOrSet(key, () => 1)
  await space.get(key)
  await space.get(key)
}

describe('local: false of a namespace', () => {
  test('keeps nothing of it in this process, nor of what lies within', async () => {
    const cache = await scene.open()
    const bulk = cache.namespace('bulk', { local: false })
    const tiers = tiersOf(cache)
    for (const space of [bulk, bulk.namespace('in')]) {
      await readTwice(space)
      expect(space.peek('key')).toBeUndefined()
    }
    expect(tiers).toEqual(['shared', 'shared', 'shared', 'shared'])
    expect(cache.stats().local.entries).toBe(0)
    tiers.length = 0
    await readTwice(cache.namespace('other'))
    await readTwice(bulk.namespace('kept', { local: { maxEntries: 10 } }))
    expect(tiers).toEqual(['local', 'local', 'local', 'local'])
    await bulk.plain.set('plain', 1)
    await bulk.get('plain')
    expect(cache.stats().local.entries).toBe(2)
  })

  test('leaves single flight and leases as they are', async () => {
    const [mine, other] = [await scene.open(), await scene.open()].map((cache) =>
      cache.namespace('bulk', { local: false }),
    ) as [Namespace, Namespace]
    const held = heldLoader('loaded')
    const source = new Source('another')
    const first = mine.getOrSet('key', held.load)
    await held.begun
    const later = [mine.getOrSet('key', source.load), other.getOrSet('key', source.load)]
    held.release()
    expect(await Promise.all([first, ...later])).toEqual(['loaded', 'loaded', 'loaded'])
    expect(source.loads).toBe(0)
  })

  test('is no obstacle for stale windows', async () => {
    const clock = new ManualClock()
    const cache = createCache({
      redis: false,
      clock,
      ttl: '1m',
      staleWhileRevalidate: '1h',
      staleIfError: '1h',
    })
    const bulk = cache.namespace('bulk', { local: false })
    const source = new Source(1)
    await bulk.getOrSet('key', source.load)
    await clock.advance('90s')
    source.error = new Error('the source is away')
    expect(await bulk.getOrSet('key', source.load)).toBe(1)
    await cache.idle()
    source.error = undefined
    source.value = 2
    expect(await bulk.getOrSet('key', source.load)).toBe(1)
    await cache.idle()
    expect(await bulk.getOrSet('key', source.load)).toBe(2)
    await cache.shutdown()
  })
})

describe('bounds of a namespace', () => {
  test('are its own: neither evicts the entries of the other', async () => {
    const cache = await scene.open({ local: { maxEntries: 5 } })
    const bulk = cache.namespace('bulk', { local: { maxEntries: 3 } })
    const sessions = cache.namespace('sessions')
    await readTwice(sessions)
    for (let number = 0; number < 20; number++) await bulk.getOrSet(`${number}`, () => number)
    expect(sessions.peek('key')).toBe(1)
    expect(bulk.stats()).toMatchObject({ total: { evictions: 17 }, local: { entries: 3 } })
    expect(sessions.stats().total.evictions).toBe(0)
    expect(sessions.stats()).not.toHaveProperty('local')
    for (let number = 0; number < 20; number++) await sessions.getOrSet(`${number}`, () => number)
    expect(bulk.stats().local?.entries).toBe(3)
    const { local, total } = cache.stats()
    expect(local.entries).toBe(8)
    expect(local.bytes).toBeGreaterThan(bulk.stats().local?.bytes ?? Number.POSITIVE_INFINITY)
    expect(total.evictions).toBe(17 + 16)
  })

  test('hold for what lies within, which may have bounds of its own', async () => {
    const cache = await scene.open()
    const bulk = cache.namespace('bulk', { local: { maxBytes: 2_000 } })
    const [within, own] = [bulk.namespace('in'), bulk.namespace('own', { local: { maxEntries: 50 } })]
    for (let number = 0; number < 50; number++) {
      await within.getOrSet(`${number}`, () => 'x'.repeat(100))
      await own.getOrSet(`${number}`, () => number)
    }
    expect(own.stats()).toMatchObject({ total: { evictions: 0 }, local: { entries: 50 } })
    const { local, total } = bulk.stats()
    expect(local?.entries).toBeLessThan(10)
    expect(total.evictions).toBe(50 - (local?.entries ?? 0))
  })

  test('let a cache that keeps nothing keep one namespace', async () => {
    const cache = await scene.open({ local: false })
    const tiers = tiersOf(cache)
    await readTwice(cache)
    await readTwice(cache.namespace('kept', { local: { maxEntries: 1 } }))
    await readTwice(cache.namespace('briefly', { local: { ttl: '1m' } }))
    expect(tiers).toEqual(['shared', 'shared', 'local', 'local', 'local', 'local'])
  })

  test('are emptied at the end', async () => {
    const cache = await scene.open()
    await readTwice(cache.namespace('bulk', { local: { maxEntries: 3 } }))
    expect(cache.stats().local.entries).toBe(1)
    await cache.shutdown()
    expect(cache.stats().local).toEqual({ entries: 0, bytes: 0 })
  })

  test('make the least recently used go first', async () => {
    const clock = new ManualClock()
    const cache = createCache({ redis: false, clock, ttl: '1h' })
    const bulk = cache.namespace('bulk', { local: { maxEntries: 2 } })
    for (const key of ['a', 'b', 'a', 'c']) {
      await bulk.getOrSet(key, () => key)
      await clock.advance('20ms')
    }
    expect([bulk.peek('a'), bulk.peek('b'), bulk.peek('c')]).toEqual(['a', undefined, 'c'])
    await cache.shutdown()
  })
})

describe('ttl of local copies of a namespace', () => {
  test('ends them earlier than their entry, and never later', async () => {
    const clock = new ManualClock()
    const cache = createCache({ redis: false, clock, ttl: '1m' })
    const brief = cache.namespace('brief', { local: { ttl: '5s' } })
    const tiers = tiersOf(cache)
    for (const space of [brief, brief.namespace('in')]) {
      const source = new Source(1)
      tiers.length = 0
      await space.getOrSet('key', source.load)
      for (const seconds of [4, 2, 4, 2]) {
        await clock.advance(seconds)
        await space.getOrSet('key', source.load)
      }
      expect(tiers).toEqual(['local', 'shared', 'local', 'shared'])
      await clock.advance('49s')
      await space.getOrSet('key', source.load)
      expect(source.loads).toBe(2)
    }
    const endless = brief.namespace('endless', { local: { ttl: Number.POSITIVE_INFINITY } })
    await readTwice(endless)
    await clock.advance('30s')
    expect(endless.peek('key')).toBe(1)
    await cache.shutdown()
  })

  test('holds for plain values', async () => {
    const cache = await scene.open()
    const brief = cache.namespace('brief', { local: { ttl: '100ms' } })
    await brief.plain.set('key', 1, '1h')
    await brief.get('key')
    await waitUntil(() => brief.peek('key') === 1, { what: 'a local copy' })
    await waitUntil(() => brief.peek('key') === undefined, { what: 'the end of the copy' })
  })

  test('leaves a copy as it is for when the source fails', async () => {
    const clock = new ManualClock()
    const cache = createCache({ redis: false, clock, ttl: '1m', staleIfError: '1h' })
    const brief = cache.namespace('brief', { local: { ttl: '5s' } })
    await brief.getOrSet('key', () => 'kept')
    await clock.advance('70s')
    const failing = () => Promise.reject(new Error('the source is away'))
    expect(await brief.getOrSet('key', failing)).toBe('kept')
    await cache.shutdown()
  })
})

describe('what reaches the tier of the cache reaches that of a namespace', () => {
  const CHANGES: Record<string, (other: Namespace, whole: Cache) => Promise<unknown>> = {
    'a delete': (other) => other.delete('key'),
    'a set': (other) => other.set('key', 'new'),
    'a tag': (other) => other.invalidateTags(['tag']),
    'a pattern': (other) => other.invalidatePattern('k*'),
    'a pattern of the cache': (_other, whole) => whole.invalidatePattern('*'),
    'a clear': (other) => other.clear(),
    'a clear of the cache': (_other, whole) => whole.clear(),
    'another program': () => scene.redis.ask('DEL', 'shop:own:key'),
    'a flush': () => scene.redis.ask('FLUSHALL'),
    'the end of the connection': () => scene.redis.ask('CLIENT', 'KILL', 'TYPE', 'normal'),
  }

  test.each(Object.entries(CHANGES))('%s', async (_name, change) => {
    const options = { local: { maxEntries: 100 } }
    const [cache, other] = [await scene.open(), await scene.open()]
    const own = cache.namespace('own', options)
    await own.getOrSet('key', () => 'old', { tags: ['tag'] })
    expect(own.peek('key')).toBe('old')
    await change(other.namespace('own', options), other)
    await waitUntil(() => own.peek('key') === undefined, { what: 'the news of the change' })
  })

  test('and so does an own change, at once', async () => {
    const cache = await scene.open()
    const own = cache.namespace('own', { local: { maxEntries: 100 } })
    const changes = [
      () => own.delete('key'),
      () => own.invalidateTags(['tag']),
      () => own.invalidatePattern('k*'),
      () => cache.clear(),
    ]
    for (const change of changes) {
      await own.getOrSet('key', () => 'old', { tags: ['tag'] })
      expect(own.peek('key')).toBe('old')
      const changing = change()
      expect(own.peek('key')).toBeUndefined()
      await changing
    }
  })

  test('a change of the source goes past it, and ends its copies', async () => {
    const cache = await scene.open()
    const own = cache.namespace('own', { local: { maxEntries: 100 } })
    await own.getOrSet('key', () => 'old')
    await own.change({ keys: ['key'] }, async () => {
      expect(own.peek('key')).toBeUndefined()
      expect(await own.getOrSet('key', () => 'uncommitted')).toBe('uncommitted')
    })
    expect(await own.getOrSet('key', () => 'new')).toBe('new')
  })

  test('what its entries are made of is inherited', async () => {
    const cache = await scene.open()
    const parts = cache.namespace('parts', { local: { maxEntries: 100 } })
    const load = (part: string) =>
      cache.getOrSet(
        'page',
        async () => `page of ${await parts.getOrSet('part', () => part, { tags: ['parts'] })}`,
        { inherit: true },
      )
    await parts.getOrSet('part', () => 'one', { tags: ['parts'] })
    expect(parts.peek('part')).toBe('one')
    expect(await load('one')).toBe('page of one')
    expect(cache.peek('page')).toBe('page of one')
    await parts.invalidateTags(['parts'])
    expect(cache.peek('page')).toBeUndefined()
    expect(await load('two')).toBe('page of two')
  })
})

describe('local of a namespace belongs to its name', () => {
  test('another one is refused, and a call that names none has the first', async () => {
    const cache = await scene.open()
    const early = cache.namespace('bulk')
    await readTwice(early)
    expect(early.peek('key')).toBe(1)
    const bulk = cache.namespace('bulk', { local: false })
    expect(cache.namespace('bulk', { local: false })).toBe(bulk)
    expect(early.peek('key')).toBeUndefined()
    await readTwice(early)
    await readTwice(cache.namespace('bulk', { ttl: '1m' }), 'other')
    expect(cache.stats().local.entries).toBe(0)
    const refused = { code: 'CACHE_INVALID_OPTIONS', message: 'The namespace bulk has another local already' }
    for (const local of [{}, { maxEntries: 5 }, { ttl: '1s' }] as const) {
      expect(() => cache.namespace('bulk', { local })).toThrow(expect.objectContaining(refused))
    }
    cache.namespace('kept', { local: { maxEntries: 5, ttl: 60 } })
    cache.namespace('kept', { local: { maxEntries: 5, ttl: '1m' } })
    expect(() => cache.namespace('kept', { local: { maxEntries: 6, ttl: 60 } })).toThrow('another local')
  })

  test('a namespace that was made before finds the room that its name has got', async () => {
    const cache = await scene.open()
    const early = cache.namespace('own').namespace('in')
    await readTwice(early)
    cache.namespace('own', { local: { maxEntries: 5 } })
    expect(early.peek('key')).toBeUndefined()
    const tiers = tiersOf(cache)
    await readTwice(early)
    expect(tiers).toEqual(['shared', 'local', 'local'])
    expect(cache.namespace('own').stats().local?.entries).toBe(1)
  })

  test('what is set around later holds for what a namespace within leaves out', async () => {
    const cache = await scene.open()
    const inner = cache.namespace('outer').namespace('in', { local: { ttl: '1h' } })
    cache.namespace('outer', { local: { maxEntries: 2 } })
    for (const key of ['a', 'b', 'c']) await readTwice(inner, key)
    expect(cache.namespace('outer').stats()).toMatchObject({ local: { entries: 2 }, total: { evictions: 1 } })
  })

  test('a key that is named from outside is kept in the same place', async () => {
    const cache = await scene.open()
    const own = cache.namespace('own', { local: { maxEntries: 5 } })
    await own.getOrSet('key', () => 1)
    expect(cache.peek('own:key')).toBe(1)
    expect(await cache.delete('own:key')).toBe(true)
    expect(own.peek('key')).toBeUndefined()
  })

  test('isolate and local that are given together are both refused, or neither', async () => {
    const cache = await scene.open()
    cache.namespace('own', { isolate: 'share' })
    expect(() => cache.namespace('own', { isolate: 'clone', local: false })).toThrow('another isolate')
    await readTwice(cache.namespace('own'))
    expect(cache.stats().local.entries).toBe(1)
  })

  test('what makes no sense is refused by name', () => {
    const cache = createCache({ redis: false })
    const refused = (local: unknown) => {
      try {
        cache.namespace('own', { local } as never)
      } catch (error) {
        return [(error as { code?: string }).code, (error as Error).message]
      }
      return 'accepted'
    }
    expect(refused({ maxEntries: 0 })).toEqual([
      'CACHE_INVALID_OPTIONS',
      'local.maxEntries must be a positive whole number, not 0',
    ])
    expect(refused({ maxBytes: -1 })).toContain('CACHE_INVALID_OPTIONS')
    expect(refused({ maxBytes: 1.5 })).toContain('CACHE_INVALID_OPTIONS')
    expect(refused({ ttl: '-1s' })).toContain('CACHE_INVALID_DURATION')
    expect(refused({ ttl: 0 })).toContain('CACHE_INVALID_DURATION')
    expect(refused({ max: 5 })).toEqual([
      'CACHE_INVALID_OPTIONS',
      "Unknown option 'max' of local: its name here is 'maxEntries'",
    ])
    expect(refused({ maxEntry: 5 })).toContain('CACHE_INVALID_OPTIONS')
    for (const wrong of [true, 5, 'none', null, []]) expect(refused(wrong)).toContain('CACHE_INVALID_OPTIONS')
    expect(cache.stats().local.entries).toBe(0)
  })
})

describe('local of a collection', () => {
  const schema = {
    '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value: value as number }) },
  } as const

  test('keeps its values apart, or not at all', async () => {
    const cache = await scene.open()
    const load = (id: string) => Number(id)
    const few = cache.collection({ name: 'few', schema, load, local: { maxEntries: 2 } })
    const none = cache.collection({ name: 'none', schema, load, local: false })
    await few.getMany(['1', '2', '3'])
    await few.getMany(['1', '2', '3'])
    await none.getMany(['1', '2', '3'])
    expect(few.stats()).toMatchObject({ local: { entries: 2 } })
    expect(none.peek('1')).toBeUndefined()
    expect(cache.stats().local.entries).toBe(2)
    expect(() => cache.collection({ name: 'bad', schema, load, local: { ttl: 0 } })).toThrow('local.ttl')
  })

  test('is not changed by a second collection of its name, which is refused', async () => {
    const cache = await scene.open()
    const load = (id: string) => Number(id)
    const numbers = cache.collection({ name: 'numbers', schema, load })
    expect(() => cache.collection({ name: 'numbers', schema, load, local: false })).toThrow('already')
    await numbers.get('1')
    expect(numbers.peek('1')).toBe(1)
  })
})

describe('explain', () => {
  test('tells what a namespace keeps', async () => {
    const cache = await scene.open()
    const none = cache.namespace('none', { local: false })
    await none.getOrSet('key', () => 1)
    const off = await none.explain('key')
    expect(off.local).toMatchObject({ state: 'off', serves: 'nothing' })
    expect(off.next.step).toBe('serve-shared')
    expect(String(off)).toContain('nothing is kept in this process')
    const own = cache.namespace('own', { local: { maxEntries: 5 } })
    await own.getOrSet('key', () => 1)
    expect((await own.explain('key')).local).toMatchObject({
      state: 'kept',
      serves: 'fresh',
      inShared: 'same',
    })
  })

  test('tells of a copy whose time is over', async () => {
    const clock = new ManualClock()
    const cache = createCache({ redis: false, clock, ttl: '1m' })
    const brief = cache.namespace('brief', { local: { ttl: '5s' } })
    await brief.getOrSet('key', () => 1)
    expect((await brief.explain('key')).local).toMatchObject({ serves: 'fresh', servableFor: 5 })
    await clock.advance('6s')
    const { local, next } = await brief.explain('key')
    expect(local).toMatchObject({ serves: 'nothing', refusals: ['copy-expired'] })
    expect(next.step).toBe('serve-shared')
    await cache.shutdown()
  })
})
