import { CacheError, createCache, PartialLoadError } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { deferred } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

describe('a collection', () => {
  test('refresh reloads even a fresh entry', async () => {
    const cache = await scene.open()
    let loads = 0
    const numbers = cache.collection({ name: 'numbers', schema: z.number(), load: () => ++loads })
    expect(await numbers.get('a')).toBe(1)
    expect(await numbers.refresh('a')).toBe(2)
    expect(await numbers.get('a')).toBe(2)
    expect(await numbers.delete('a')).toBe(true)
    expect(await numbers.delete('a')).toBe(false)
    expect(await numbers.get('a')).toBe(3)
  })

  test('is invalidated by its tags through the cache', async () => {
    const cache = await scene.open()
    let loads = 0
    const common = { schema: z.number(), load: () => ++loads }
    const fixed = cache.collection({ name: 'fixed', tags: ['all'], ...common })
    const byId = cache.collection({ name: 'by-id', tags: (id: string) => ['all', `id:${id}`], ...common })
    expect(await Promise.all([fixed.get('a'), byId.get('a'), byId.get('b')])).toEqual([1, 2, 3])
    await cache.invalidateTags(['id:a'])
    expect([await fixed.get('a'), await byId.get('a'), await byId.get('b')]).toEqual([1, 4, 3])
    await cache.invalidateTags(['all'])
    expect([await fixed.get('a'), await byId.get('a'), await byId.get('b')]).toEqual([5, 6, 7])
    await byId.set('a', 0)
    await cache.invalidateTags(['id:a'])
    expect(await byId.get('a')).toBe(8)
  })

  test('applies its own policies over those of the cache', async () => {
    const clock = new ManualClock()
    const cache = createCache({ clock, ttl: '1h' })
    let loads = 0
    let isBroken = false
    const numbers = cache.collection({
      name: 'numbers',
      schema: z.number().transform((n) => 10 * n),
      load: () => {
        if (isBroken) throw new Error('broken')
        return ++loads
      },
      ttl: '10s',
      staleWhileRevalidate: '10s',
      staleIfError: '1m',
    })
    expect(await numbers.get('a')).toBe(10)
    expect(await cache.getTtl('numbers@0:a')).toBe(10)
    await clock.advance('15s')
    expect(await numbers.get('a')).toBe(10)
    await cache.idle()
    expect(await numbers.get('a')).toBe(20)
    await clock.advance('30s')
    isBroken = true
    expect(await numbers.get('a')).toBe(20)
    await clock.advance('1m')
    await expect(numbers.get('a')).rejects.toThrow('broken')
    await cache.shutdown()
  })

  test('refreshes early and rejects after its hard timeout', async () => {
    const clock = new ManualClock()
    const cache = createCache({ clock })
    let loads = 0
    const numbers = cache.collection({
      name: 'numbers',
      schema: z.number(),
      load: async () => {
        await new Promise<void>((resolve) => void clock.after(1_000, resolve))
        return ++loads
      },
      ttl: '10s',
      earlyRefresh: { beta: 1e12 },
      hardTimeout: '2s',
    })
    const first = numbers.get('a')
    await clock.advance('1s')
    expect(await first).toBe(1)
    expect(await numbers.get('a')).toBe(1)
    await clock.advance('1s')
    await cache.idle()
    expect(loads).toBe(2)

    const slow = cache.collection({
      name: 'slow',
      schema: z.number(),
      load: () => new Promise<number>(() => {}),
      hardTimeout: '2s',
    })
    const late = expect(slow.get('a')).rejects.toMatchObject({ code: 'CACHE_LOADER_TIMEOUT' })
    await clock.advance('2s')
    await late
    await cache.shutdown()
  })

  test('gives its loader the key and the stale value, and honours skip() and notModified()', async () => {
    const clock = new ManualClock()
    const cache = createCache({ clock, ttl: '10s', staleIfError: '1h' })
    const seen: unknown[] = []
    const numbers = cache.collection({
      name: 'numbers',
      schema: z.number().transform((n) => -n),
      load: (id, context) => {
        expect(context.key).toBe(id)
        seen.push(context.stale()?.value)
        if (id === 'unkept') context.skip()
        if (context.stale() !== undefined) return context.notModified()
        return seen.length
      },
    })
    expect(await numbers.get('a')).toBe(-1)
    await clock.advance('20s')
    expect(await numbers.get('a')).toBe(-1)
    expect(await numbers.get('a')).toBe(-1)
    expect(seen).toEqual([undefined, 1])
    expect(await numbers.get('unkept')).toBe(-3)
    expect(await numbers.get('unkept')).toBe(-4)
    await cache.shutdown()
  })

  test('does not freeze a skipped value', async () => {
    const cache = createCache()
    const own = { part: { n: 1 } }
    const things = cache.collection({
      name: 'things',
      schema: z.object({ part: z.any() }),
      load: (_id, context) => {
        context.skip()
        return own
      },
    })
    expect(await things.get('a')).toEqual(own)
    expect(Object.isFrozen(own.part)).toBe(false)
    await cache.shutdown()
  })

  test('rejects a caller whose signal aborts and continues the load for the others', async () => {
    const cache = createCache()
    const held = deferred<number>()
    const numbers = cache.collection({ name: 'numbers', schema: z.number(), load: () => held.promise })
    const controller = new AbortController()
    const { signal } = controller
    const gone = expect(numbers.get('a', { signal })).rejects.toThrow('gone')
    const goneToo = expect(numbers.getMany(['a', 'b'], { signal })).rejects.toThrow('gone')
    const staying = numbers.get('a')
    controller.abort(new Error('gone'))
    await gone
    await goneToo
    held.resolve(1)
    expect(await staying).toBe(1)
    await expect(numbers.get('a', { signal })).rejects.toThrow('gone')
    await expect(numbers.refresh('a', { signal })).rejects.toThrow('gone')
    await cache.shutdown()
  })

  test('loads when Redis is unreachable', async () => {
    const cache = createCache({ redis: 'redis://127.0.0.1:1', commandTimeout: '100ms' })
    const dates = cache.collection({ name: 'dates', schema: z.coerce.date(), load: () => '2000-01-02' })
    expect(await dates.get('a')).toEqual(new Date('2000-01-02'))
    expect(await dates.set('a', '2001-01-02')).toBe(false)
    expect(await dates.delete('a')).toBe(false)
    await cache.shutdown()
  })

  test('returns the key of an id and refuses ids that make no valid key', async () => {
    const cache = createCache()
    const schema = z.string()
    const load = (id: unknown) => String(id)
    const plain = cache.collection<typeof schema, string | number | bigint>({ name: 'plain', schema, load })
    expect([plain.key('a:b'), plain.key(1), plain.key(2n ** 64n)]).toEqual([
      'plain@0:a:b',
      'plain@0:1',
      'plain@0:18446744073709551616',
    ])
    const made = cache.collection({ name: 'made', schema, load, key: ({ n }: { n: number }) => `n${n}` })
    expect(made.key({ n: 1 })).toBe('made@0:n1')
    expect(await made.getMany([{ n: 1 }])).toEqual(new Map([[{ n: 1 }, '[object Object]']]))
    for (const id of ['', undefined, null, {}, Number.NaN, Symbol('s'), '\u0000', '\ud800']) {
      for (const call of [
        () => plain.get(id as string),
        () => plain.getMany([id as string]),
        () => plain.refresh(id as string),
        () => plain.set(id as string, 'a'),
        () => plain.delete(id as string),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: 'CACHE_INVALID_KEY' })
      }
    }
    for (const ids of [undefined, 'ann', 5])
      await expect(plain.getMany(ids as never)).rejects.toMatchObject({ code: 'CACHE_INVALID_ARGUMENT' })
    await cache.shutdown()
  })
})

describe('the options of a collection', () => {
  const schema = z.string()
  const load = () => 'a'
  const good = { name: 'good', schema, load }

  test('version 0 is the one of a collection without a version', () => {
    const collection = createCache().collection({ ...good, version: 0 })
    expect(collection.key('ann')).toBe(createCache().collection(good).key('ann'))
  })

  test.each([
    ['no name', { name: undefined }, 'CACHE_INVALID_KEY'],
    ['an empty name', { name: '' }, 'CACHE_INVALID_KEY'],
    ['a name with a colon', { name: 'a:b' }, 'CACHE_INVALID_OPTIONS'],
    ['a name with an at sign', { name: 'a@2' }, 'CACHE_INVALID_OPTIONS'],
    ['a negative version', { version: -1 }, 'CACHE_INVALID_OPTIONS'],
    ['version 1.5', { version: 1.5 }, 'CACHE_INVALID_OPTIONS'],
    ['a version in text', { version: '1' }, 'CACHE_INVALID_OPTIONS'],
    ['no schema', { schema: undefined }, 'CACHE_INVALID_OPTIONS'],
    ['a schema that is no Standard Schema', { schema: { parse: () => 1 } }, 'CACHE_INVALID_OPTIONS'],
    [
      'a Standard Schema of another version',
      { schema: { '~standard': { version: 2 } } },
      'CACHE_INVALID_OPTIONS',
    ],
    ['no loader', { load: undefined }, 'CACHE_INVALID_OPTIONS'],
    ['two loaders', { loadMany: () => [] }, 'CACHE_INVALID_OPTIONS'],
    ['a loader that is none', { load: 'a' }, 'CACHE_INVALID_OPTIONS'],
    ['a key that is no function', { key: 'id' }, 'CACHE_INVALID_OPTIONS'],
    ['tags that are no list', { tags: 'a' }, 'CACHE_INVALID_ARGUMENT'],
    ['tags that are no text', { tags: [1] }, 'CACHE_INVALID_KEY'],
    ['a bad duration', { ttl: '5 minutes' }, 'CACHE_INVALID_DURATION'],
    ['a bad policy', { jitter: 2 }, 'CACHE_INVALID_OPTIONS'],
  ])('%s is refused', (_what, wrong, code) => {
    const cache = createCache()
    expect(() => cache.collection({ ...good, ...(wrong as object) })).toThrow(
      expect.objectContaining({ code, constructor: CacheError }),
    )
    expect(() => cache.collection(good)).not.toThrow()
  })

  test('a name can be used once per version in each cache or namespace', () => {
    const cache = createCache()
    cache.collection(good)
    expect(() => cache.collection(good)).toThrow(expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS' }))
    cache.collection({ ...good, version: 1 })
    cache.namespace('other').collection(good)
    cache.wrap(load, { name: 'good' })
    createCache().collection(good)
  })
})

test('getMany rejects with values and errors by id, of any type', async () => {
  const cache = createCache()
  const places = cache.collection({
    name: 'places',
    schema: z.string(),
    key: ({ city }: { city: string }) => city,
    load: ({ city }) => (city === 'none' ? Promise.reject(new Error('no city')) : city),
  })
  const [paris, none] = [{ city: 'paris' }, { city: 'none' }]
  const failure = await places.getMany([paris, none]).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(PartialLoadError)
  const { errors, values } = failure as PartialLoadError<string, { city: string }>
  expect(values.get(paris)).toBe('paris')
  expect(errors.get(none)).toMatchObject({ message: 'no city' })
  expect([values.size, errors.size]).toEqual([1, 1])
  await cache.shutdown()
})
