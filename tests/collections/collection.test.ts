import { type as ark } from 'arktype'
import { CacheError, createCache, type StandardSchema } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { deferred } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

interface Row {
  name: string
  born: string
}

interface Person {
  name: string
  born: Date
}

const ANN: Row = { name: 'Ann', born: '2000-01-02T00:00:00.000Z' }
const READ: Person = { name: 'Ann', born: new Date('2000-01-02') }

/** The same in each library: text is stored, and a date is read. */
const SCHEMAS: Record<string, StandardSchema<Row, Person>> = {
  zod: z.object({ name: z.string(), born: z.string().transform((day) => new Date(day)) }),
  valibot: v.object({
    name: v.string(),
    born: v.pipe(
      v.string(),
      v.transform((day) => new Date(day)),
    ),
  }),
  arktype: ark({ name: 'string', born: ark('string').pipe((day) => new Date(day)) }),
  'zod, async': z.object({ name: z.string(), born: z.string().transform(async (day) => new Date(day)) }),
  'valibot, async': v.objectAsync({
    name: v.string(),
    born: v.pipeAsync(
      v.string(),
      v.transformAsync(async (day) => new Date(day)),
    ),
  }),
}

const scene = useScene()

describe.each(Object.entries(SCHEMAS))('a collection with a schema of %s', (_library, schema) => {
  test('stores what the schema takes, and gives what it gives', async () => {
    const [cache, other] = [await scene.open(), await scene.open()]
    let loads = 0
    const load = (id: string) => {
      loads++
      return id === 'ann' ? ANN : undefined
    }
    const people = cache.collection({ name: 'people', schema, load })
    const elsewhere = other.collection({ name: 'people', schema, load })
    for (const collection of [people, people, elsewhere, elsewhere]) {
      const person = await collection.get('ann')
      expect(person).toEqual(READ)
      expect(person?.born).toBeInstanceOf(Date)
    }
    expect(loads).toBe(1)
    expect(await cache.backend.get('people:ann')).toEqual(ANN)

    expect(await people.set('bob', { ...ANN, name: 'Bob' })).toBe(true)
    expect(await cache.backend.get('people:bob')).toEqual({ ...ANN, name: 'Bob' })
    expect(await elsewhere.get('bob')).toEqual({ ...READ, name: 'Bob' })
    expect(loads).toBe(1)
  })

  test('P10 a caller cannot change what another gets', async () => {
    for (const isolate of ['freeze', 'clone'] as const) {
      const cache = createCache({ isolate })
      const people = cache.collection({ name: 'people', schema, load: () => ({ ...ANN }) })
      for (let call = 0; call < 4; call++) {
        const person = (await people.get('ann')) as Person
        expect(person).toEqual(READ)
        // A date cannot be frozen, so each caller has a person of its own.
        person.born.setTime(0)
        expect(Reflect.set(person, 'name', 'Eve')).toBe(true)
      }
      await cache.shutdown()
    }
  })

  test('what a loader returns and a set is given is validated before it is stored', async () => {
    const cache = createCache()
    const wrong = { name: 'Ann', born: 4 } as unknown as Row
    const people = cache.collection({ name: 'people', schema, load: () => wrong })
    const mismatch = { name: 'SchemaMismatchError', code: 'CACHE_SCHEMA_MISMATCH', key: 'people:ann' }
    await expect(people.get('ann')).rejects.toMatchObject({ ...mismatch, operation: 'get' })
    await expect(people.set('ann', wrong)).rejects.toMatchObject({ ...mismatch, operation: 'set' })
    await expect(people.refresh('ann')).rejects.toMatchObject(mismatch)
    expect(await cache.get('people:ann')).toBeUndefined()
    await cache.shutdown()
  })

  test('a stored value that does not fit is loaded anew and replaced', async () => {
    const cache = await scene.open()
    await cache.set('people:ann', { name: 'Ann' })
    let loads = 0
    const people = cache.collection({
      name: 'people',
      schema,
      load: () => {
        loads++
        return ANN
      },
    })
    expect(await people.get('ann')).toEqual(READ)
    expect(await cache.backend.get('people:ann')).toEqual(ANN)
    expect(await people.get('ann')).toEqual(READ)
    expect(loads).toBe(1)
  })

  test('so is one that is kept locally already', async () => {
    for (const cache of [await scene.open(), createCache()]) {
      await cache.getOrSet('people:ann', () => ({ name: 'Ann' }))
      expect(cache.peek('people:ann')).toEqual({ name: 'Ann' })
      const people = cache.collection({ name: 'people', schema, load: () => ANN })
      expect(await people.get('ann')).toEqual(READ)
      expect(await cache.get('people:ann')).toEqual(ANN)
      await cache.shutdown()
    }
  })

  test('who joins a load that knows nothing of the schema loads by its own where that does not fit', async () => {
    const cache = createCache()
    const people = cache.collection({ name: 'people', schema, load: () => ANN })
    const plain = cache.getOrSet('people:ann', async () => ({ name: 'Ann' }))
    const [person] = await Promise.all([people.get('ann'), plain])
    expect(person).toEqual(READ)
    await cache.shutdown()
  })
})

describe('a collection', () => {
  test('caches null where the schema takes it, and never undefined', async () => {
    const cache = createCache()
    const loaded: string[] = []
    const schema = z.object({ name: z.string() }).nullable()
    const people = cache.collection({
      name: 'people',
      schema,
      load: (id) => {
        loaded.push(id)
        return id === 'nobody' ? null : undefined
      },
    })
    for (let call = 0; call < 2; call++) {
      expect(await people.get('nobody')).toBeNull()
      expect(await people.get('unknown')).toBeUndefined()
    }
    expect(loaded).toEqual(['nobody', 'unknown', 'unknown'])
    const strict = cache.collection({ name: 'strict', schema: z.string(), load: () => null as never })
    await expect(strict.get('nobody')).rejects.toMatchObject({ code: 'CACHE_SCHEMA_MISMATCH' })
    await cache.shutdown()
  })

  test('is not served what does not fit while that is loaded anew by others', async () => {
    const clock = new ManualClock()
    const cache = createCache({ clock })
    const held = deferred<string>()
    await cache.getOrSet('numbers:a', () => 'text')
    const numbers = cache.collection({ name: 'numbers', schema: z.number(), load: () => 1 })
    const refreshing = cache.refresh('numbers:a', () => held.promise)
    await clock.settle()
    const reading = numbers.get('a')
    await clock.settle()
    held.resolve('text still')
    expect(await refreshing).toBe('text still')
    expect(await reading).toBe(1)
    await cache.shutdown()
  })

  test('works out the output of a value that is kept locally once', async () => {
    for (const isolate of ['freeze', 'clone', 'share'] as const) {
      const cache = createCache({ isolate })
      let validated = 0
      const counting = z.any().transform((value) => {
        validated++
        return { doubled: typeof value === 'number' ? 2 * value : 2 * value.n }
      })
      const numbers = cache.collection({
        name: 'numbers',
        schema: counting,
        load: (id) => (id === 'plain' ? 1 : { n: 1 }),
      })
      for (const id of ['plain', 'object']) {
        await numbers.get(id)
        await numbers.get(id)
        const before = validated
        for (let call = 0; call < 5; call++) expect(await numbers.get(id)).toEqual({ doubled: 2 })
        expect(validated, isolate).toBe(before)
      }
      const [one, another] = [await numbers.get('object'), await numbers.get('object')]
      expect(Object.isFrozen(one)).toBe(isolate === 'freeze')
      expect(one === another).toBe(isolate !== 'clone')
      await cache.shutdown()
    }
  })

  test('P10 an output that is frozen at its surface alone is copied for each caller', async () => {
    const cache = createCache()
    const schema = z.object({ at: z.coerce.date() }).readonly()
    const events = cache.collection({ name: 'events', schema, load: () => ({ at: '2000-01-02' }) })
    for (let call = 0; call < 3; call++) {
      const event = await events.get('1')
      expect(event?.at.getUTCFullYear()).toBe(2000)
      event?.at.setTime(0)
    }
    await cache.shutdown()
  })

  test('P10 an instance of a class is made for each caller', async () => {
    class Money {
      cents: number

      constructor(cents: number) {
        this.cents = cents
      }

      get euros() {
        return this.cents / 100
      }
    }
    const schema = z.object({ price: z.number().transform((cents) => new Money(cents)) })
    for (const isolate of ['freeze', 'clone'] as const) {
      const cache = createCache({ isolate })
      const goods = cache.collection({ name: 'goods', schema, load: () => ({ price: 250 }) })
      for (let call = 0; call < 4; call++) {
        const ware = await goods.get('tea')
        expect(ware?.price).toBeInstanceOf(Money)
        expect(ware?.price.euros).toBe(2.5)
        if (ware !== undefined) ware.price.cents = 0
      }
      await cache.shutdown()
    }
  })

  test('does not apply a transform twice', async () => {
    const [cache, other] = [await scene.open(), await scene.open()]
    const schema = z.number().transform((n) => n + 1)
    const load = () => 1
    for (const one of [cache, other]) {
      const numbers = one.collection({ name: 'numbers', schema, load })
      for (let call = 0; call < 3; call++) expect(await numbers.get('a')).toBe(2)
      expect(await numbers.refresh('a')).toBe(2)
      await numbers.set('b', 1)
      expect(await numbers.get('b')).toBe(2)
    }
  })

  test('refresh loads anew whatever is there', async () => {
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

  test('is invalidated by its tags, which lie in the cache', async () => {
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

  test('keeps to its policies, over those of the cache', async () => {
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
    expect(await cache.getTtl('numbers:a')).toBe(10)
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

  test('serves nothing stale that does not fit', async () => {
    const clock = new ManualClock()
    const cache = createCache({ clock, ttl: '10s', staleWhileRevalidate: '1m', staleIfError: '1m' })
    const load = () => Promise.reject(new Error('broken'))
    const numbers = cache.collection({ name: 'numbers', schema: z.number(), load })
    await cache.getOrSet('numbers:a', () => 'text')
    await clock.advance('20s')
    await expect(numbers.get('a')).rejects.toThrow('broken')
    await cache.shutdown()
  })

  test('refreshes early, and waits no longer than it was told', async () => {
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
      earlyRefresh: { beta: 1_000_000 },
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

  test('tells its loader what it knows, and does as that says', async () => {
    const clock = new ManualClock()
    const cache = createCache({ clock, ttl: '10s', staleIfError: '1h' })
    const seen: unknown[] = []
    const numbers = cache.collection({
      name: 'numbers',
      schema: z.number().transform((n) => -n),
      load: (id, context) => {
        expect(context.key).toBe(`numbers:${id}`)
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

  test('leaves what is not to be cached as it is', async () => {
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

  test('detaches a caller whose signal aborts, and loads on for others', async () => {
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

  test('loads where Redis is away', async () => {
    const cache = createCache({ redis: 'redis://127.0.0.1:1', timeout: '100ms' })
    const dates = cache.collection({ name: 'dates', schema: z.coerce.date(), load: () => '2000-01-02' })
    expect(await dates.get('a')).toEqual(new Date('2000-01-02'))
    expect(await dates.set('a', '2001-01-02')).toBe(false)
    expect(await dates.delete('a')).toBe(false)
    await cache.shutdown()
  })

  test('tells its keys, and refuses ids that none can be made of', async () => {
    const cache = createCache()
    const schema = z.string()
    const load = (id: unknown) => String(id)
    const plain = cache.collection<typeof schema, string | number | bigint>({ name: 'plain', schema, load })
    expect([plain.keyOf('a:b'), plain.keyOf(1), plain.keyOf(2n ** 64n)]).toEqual([
      'plain:a:b',
      'plain:1',
      'plain:18446744073709551616',
    ])
    const made = cache.collection({ name: 'made', schema, load, key: ({ n }: { n: number }) => `n${n}` })
    expect(made.keyOf({ n: 1 })).toBe('made:n1')
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

  test.each([
    ['no name', { name: undefined }, 'CACHE_INVALID_KEY'],
    ['an empty name', { name: '' }, 'CACHE_INVALID_KEY'],
    ['a name with a colon', { name: 'a:b' }, 'CACHE_INVALID_OPTIONS'],
    ['a name with an at sign', { name: 'a@2' }, 'CACHE_INVALID_OPTIONS'],
    ['version 0', { version: 0 }, 'CACHE_INVALID_OPTIONS'],
    ['version 1.5', { version: 1.5 }, 'CACHE_INVALID_OPTIONS'],
    ['a version in text', { version: '1' }, 'CACHE_INVALID_OPTIONS'],
    ['no schema', { schema: undefined }, 'CACHE_INVALID_OPTIONS'],
    ['no Standard Schema', { schema: { parse: () => 1 } }, 'CACHE_INVALID_OPTIONS'],
    ['one of another version', { schema: { '~standard': { version: 2 } } }, 'CACHE_INVALID_OPTIONS'],
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

  test('a name is taken once in each version of each cache', () => {
    const cache = createCache()
    cache.collection(good)
    expect(() => cache.collection(good)).toThrow(expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS' }))
    cache.collection({ ...good, version: 1 })
    cache.namespace('other').collection(good)
    cache.wrap(load, { name: 'good' })
    createCache().collection(good)
  })
})
