import { type as ark } from 'arktype'
import { type Cache, createCache, type StandardSchema } from 'cachewright'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
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

/** The same schema in each library: it stores text and reads a date. */
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

/** Stores a value as a deployment does whose schema allows more. */
async function storeUnfit(old: Cache): Promise<void> {
  await old.collection({ name: 'people', schema: z.any(), load: () => ({ name: 'Ann' }) }).get('ann')
}

describe.each(Object.entries(SCHEMAS))('a collection with a schema of %s', (_library, schema) => {
  test('stores the input of the schema and returns its output', async () => {
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
    expect(await cache.plain.get('people@0:ann')).toEqual(ANN)

    expect(await people.set('bob', { ...ANN, name: 'Bob' })).toBe(true)
    expect(await cache.plain.get('people@0:bob')).toEqual({ ...ANN, name: 'Bob' })
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

  test('validates the values of loaders and of set before they are stored', async () => {
    const cache = createCache()
    const wrong = { name: 'Ann', born: 4 } as unknown as Row
    const people = cache.collection({ name: 'people', schema, load: () => wrong })
    const mismatch = { name: 'SchemaMismatchError', code: 'CACHE_SCHEMA_MISMATCH', key: 'ann' }
    await expect(people.get('ann')).rejects.toMatchObject({ ...mismatch, operation: 'get' })
    await expect(people.set('ann', wrong)).rejects.toMatchObject({ ...mismatch, operation: 'set' })
    await expect(people.refresh('ann')).rejects.toMatchObject(mismatch)
    expect(await cache.get('people@0:ann')).toBeUndefined()
    await cache.shutdown()
  })

  test('reloads and replaces a stored value that does not fit', async () => {
    const cache = await scene.open()
    await storeUnfit(await scene.open())
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
    expect(await cache.plain.get('people@0:ann')).toEqual(ANN)
    expect(await people.get('ann')).toEqual(READ)
    expect(loads).toBe(1)
  })

  test('reloads and replaces a local value that does not fit', async () => {
    const cache = await scene.open()
    await storeUnfit(await scene.open())
    expect(await cache.get('people@0:ann')).toEqual({ name: 'Ann' })
    expect(cache.peek('people@0:ann')).toEqual({ name: 'Ann' })
    const people = cache.collection({ name: 'people', schema, load: () => ANN })
    expect(await people.get('ann')).toEqual(READ)
    expect(await cache.get('people@0:ann')).toEqual(ANN)
  })

  test('a caller does not wait for a load of its key that is none of the collection', async () => {
    const cache = createCache()
    const people = cache.collection({ name: 'people', schema, load: () => ANN })
    const plain = cache.getOrSet('people@0:ann', async () => ({ name: 'Ann' }))
    const [person] = await Promise.all([people.get('ann'), plain])
    expect(person).toEqual(READ)
    await cache.shutdown()
  })
})

describe('a schema of a collection', () => {
  test('caches null if the schema accepts it, and never undefined', async () => {
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

  test('a value that does not fit is not served while another caller refreshes it', async () => {
    const clock = new ManualClock()
    const cache = createCache({ clock })
    const held = deferred<string>()
    await cache.getOrSet('numbers@0:a', () => 'text')
    const numbers = cache.collection({ name: 'numbers', schema: z.number(), load: () => 1 })
    const refreshing = cache.refresh('numbers@0:a', () => held.promise)
    await clock.settle()
    const reading = numbers.get('a')
    await clock.settle()
    held.resolve('text still')
    expect(await refreshing).toBe('text still')
    expect(await reading).toBe(1)
    await cache.shutdown()
  })

  test('computes the output of a local value once', async () => {
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

  test('P10 an output that is only shallowly frozen is copied for each caller', async () => {
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
        if (ware !== undefined) (ware.price as Money).cents = 0
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

  test('a stale value that does not fit is not served', async () => {
    const clock = new ManualClock()
    const redis = new SimulatedRedis({ clock })
    const policies = { ttl: '10s', staleWhileRevalidate: '1m', staleIfError: '1m' } as const
    const [old, cache] = [redis, redis].map((one) =>
      createCache({ backend: one.backend(), clock, ...policies }),
    )
    await old?.collection({ name: 'numbers', schema: z.any(), load: () => 'text' }).get('a')
    const load = () => Promise.reject(new Error('broken'))
    const numbers = cache?.collection({ name: 'numbers', schema: z.number(), load })
    expect(await cache?.get('numbers@0:a')).toBe('text')
    await clock.advance('20s')
    await expect(numbers?.get('a')).rejects.toThrow('broken')
    await Promise.all([old?.shutdown(), cache?.shutdown()])
  })
})
