import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Cache, type CollectionBatchLoader, createCache, PartialLoadError } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { commandCalls } from '../support/command-calls.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

const schema = z.object({ n: z.number() }).transform(({ n }) => ({ n: -n }))

interface Given {
  readonly n: number
}

/** A collection of numbers by id, and the ids that its loader was called with. */
function numbersOf(cache: Cache, loadMany?: CollectionBatchLoader<number, Given>) {
  const asked: (readonly number[])[] = []
  const numbers = cache.collection({
    name: 'numbers',
    schema,
    loadMany: (ids: readonly number[], context) => {
      asked.push(ids)
      return loadMany === undefined ? ids.map((n) => ({ n })) : loadMany(ids, context)
    },
  })
  return { numbers, asked }
}

async function readsDuring(work: () => unknown): Promise<number | undefined> {
  await scene.redis.ask('CONFIG', 'RESETSTAT')
  await work()
  return (await commandCalls(scene.redis)).get('mget')
}

describe('a collection with loadMany', () => {
  test('reads all gets of one tick with one MGET and loads them with one loader call', async () => {
    // No time passes, so no key is late on a busy machine.
    const open = () => scene.open({ clock: new ManualClock() })
    const { asked, numbers } = numbersOf(await open())
    await numbers.get(0)
    const { asked: askedElsewhere, numbers: elsewhere } = numbersOf(await open())
    // The first load of a process captures the generation that all entries depend on.
    await elsewhere.get(-1)
    const ids = Array.from({ length: 100 }, (_, index) => index + 1)

    const reads = await readsDuring(async () => {
      const values = await Promise.all(ids.map((id) => numbers.get(id)))
      expect(values).toEqual(ids.map((id) => ({ n: -id })))
    })
    expect(reads).toBe(1)
    expect(asked).toEqual([[0], ids])

    expect(await readsDuring(() => elsewhere.getMany([...ids, 101]))).toBe(1)
    expect(askedElsewhere).toEqual([[-1], [101]])
    expect(await readsDuring(() => elsewhere.getMany([...ids, 101]))).toBe(undefined)
  })

  test('batches gets from promise callbacks of the same tick, but not gets of the next tick', async () => {
    const { asked, numbers } = numbersOf(await scene.open())
    const later = async (id: number) => {
      for (let hop = 0; hop < id; hop++) await undefined
      return numbers.get(id)
    }
    const first = Promise.all([1, 2, 3].map(later))
    await nextTurn()
    await Promise.all([first, numbers.get(4)])
    expect(asked).toEqual([[1, 2, 3], [4]])
  })

  test('shares a load with gets of other ticks', async () => {
    const { asked, numbers } = numbersOf(createCache(), async (ids) => {
      await nextTurn()
      await nextTurn()
      return new Map(ids.map((n) => [n, { n }]))
    })
    const first = numbers.getMany([1, 2])
    await nextTurn()
    const second = numbers.getMany([2, 3])
    expect(await first).toEqual(new Map([1, 2].map((n) => [n, { n: -n }])))
    expect(await second).toEqual(new Map([2, 3].map((n) => [n, { n: -n }])))
    expect(asked).toEqual([[1, 2], [3]])
  })

  test('returns each requested id once, in request order, with undefined for a missing value', async () => {
    const { asked, numbers } = numbersOf(createCache(), (ids) => {
      return new Map(ids.filter((n) => n % 2 === 0).map((n) => [n, { n }]))
    })
    const values = await numbers.getMany(new Set([4, 3, 2, 1]))
    expect([...values]).toEqual([
      [4, { n: -4 }],
      [3, undefined],
      [2, { n: -2 }],
      [1, undefined],
    ])
    expect(await numbers.getMany([1, 1])).toEqual(new Map([[1, undefined]]))
    expect(asked).toEqual([[4, 3, 2, 1], [1]])
    expect(await numbers.getMany([])).toEqual(new Map())
  })

  test('fails only the id whose value is an error or does not fit the schema', async () => {
    const { numbers } = numbersOf(createCache(), (ids) =>
      ids.map((n) => (n === 2 ? new Error('no 2') : n === 3 ? ({ n: 'secret' } as never) : { n })),
    )
    const answers = await Promise.allSettled([1, 2, 3].map((id) => numbers.get(id)))
    expect(answers).toMatchObject([
      { value: { n: -1 } },
      { reason: { message: 'no 2' } },
      { reason: { code: 'CACHE_SCHEMA_MISMATCH', key: '3' } },
    ])
    const failure = await numbers.getMany([1, 2, 3, 4]).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(PartialLoadError)
    const { errors, values } = failure as PartialLoadError<unknown, number>
    expect([...values]).toEqual([
      [1, { n: -1 }],
      [4, { n: -4 }],
    ])
    expect([...errors]).toMatchObject([
      [2, { message: 'no 2' }],
      [3, { code: 'CACHE_SCHEMA_MISMATCH', key: '3' }],
    ])
  })

  test('rejects if its loader throws or returns an invalid result', async () => {
    const broken = numbersOf(createCache(), () => Promise.reject(new Error('broken'))).numbers
    await expect(broken.get(1)).rejects.toThrow('broken')
    await expect(broken.getMany([1])).rejects.toMatchObject({ code: 'CACHE_PARTIAL_LOAD' })
    for (const answer of [undefined, {}, [], new Set()]) {
      const { numbers } = numbersOf(createCache(), () => answer as never)
      await expect(numbers.get(1)).rejects.toMatchObject({ code: 'CACHE_INVALID_ARGUMENT' })
      await expect(numbers.getMany([1])).rejects.toMatchObject({ code: 'CACHE_INVALID_ARGUMENT' })
    }
  })

  test('gives its loader the key and the stale value of each id, and honours setTtl() and notModified()', async () => {
    const clock = new ManualClock()
    const cache = createCache({ clock, ttl: '10s', staleIfError: '1h' })
    const stale: unknown[] = []
    const { numbers } = numbersOf(cache, (ids, context) => {
      for (const id of ids) {
        const entry = context.of(id)
        expect(entry.key).toBe(String(id))
        stale.push(entry.stale()?.value)
        if (id === 1) entry.setTtl('1m')
        if (entry.stale() !== undefined) context.notModified(id)
      }
      expect(() => context.of(99)).toThrow(expect.objectContaining({ code: 'CACHE_INVALID_ARGUMENT' }))
      return new Map(ids.map((n) => [n, { n }]))
    })
    await numbers.getMany([1, 2])
    expect(await cache.getTtl('numbers@0:1')).toBe(60)
    expect(await cache.getTtl('numbers@0:2')).toBe(10)
    await clock.advance('20s')
    expect(await numbers.get(2)).toEqual({ n: -2 })
    expect(stale).toEqual([undefined, undefined, { n: 2 }])
    await cache.shutdown()
  })

  test('aborts its loader once no caller waits for any of the ids', async () => {
    let signal: AbortSignal | undefined
    const { numbers } = numbersOf(createCache(), (_ids, context) => {
      signal = context.signal
      return new Promise(() => {})
    })
    const controller = new AbortController()
    const gone = expect(numbers.getMany([1, 2], { signal: controller.signal })).rejects.toThrow('gone')
    for (let turn = 0; turn < 5; turn++) await nextTurn()
    expect(signal?.aborted).toBe(false)
    controller.abort(new Error('gone'))
    await gone
    expect(signal?.aborted).toBe(true)
  })

  test('refreshes several ids with one loader call', async () => {
    const { asked, numbers } = numbersOf(await scene.open())
    await numbers.getMany([1, 2, 3])
    expect(await Promise.all([1, 2].map((id) => numbers.refresh(id)))).toEqual([{ n: -1 }, { n: -2 }])
    expect(asked).toEqual([
      [1, 2, 3],
      [1, 2],
    ])
    expect(await Promise.all([numbers.refresh(3), numbers.refresh(3), numbers.get(4)])).toEqual(
      [3, 3, 4].map((n) => ({ n: -n })),
    )
  })

  test('refreshes stale ids together in the background', async () => {
    const clock = new ManualClock()
    const cache = createCache({ clock, ttl: '10s', staleWhileRevalidate: '1m' })
    const { asked, numbers } = numbersOf(cache)
    await numbers.getMany([1, 2])
    await clock.advance('20s')
    expect(await numbers.getMany([1, 2])).toEqual(new Map([1, 2].map((n) => [n, { n: -n }])))
    await clock.settle()
    await cache.idle()
    expect(asked).toEqual([
      [1, 2],
      [1, 2],
    ])
    await cache.shutdown()
  })

  test('passes no more than 2,048 ids to one loader call', async () => {
    const { asked, numbers } = numbersOf(createCache({ local: { maxEntries: 10_000 } }))
    const ids = Array.from({ length: 3_000 }, (_, index) => index)
    const values = await Promise.all(ids.map((id) => numbers.get(id)))
    expect(values).toEqual(ids.map((id) => ({ n: -id })))
    expect(asked.map((one) => one.length)).toEqual([2_048, 952])
  })

  test('accepts ids of any type', async () => {
    const cache = createCache()
    const places = cache.collection({
      name: 'places',
      schema: z.string(),
      key: ({ city, country }: { country: string; city: string }) => `${country}/${city}`,
      loadMany: (ids) => new Map(ids.map((id) => [id, id.city.toUpperCase()])),
    })
    const [paris, rome] = [
      { country: 'fr', city: 'paris' },
      { country: 'it', city: 'rome' },
    ]
    const found = await places.getMany([rome, paris])
    expect([...found]).toEqual([
      [rome, 'ROME'],
      [paris, 'PARIS'],
    ])
    expect(await cache.get('places@0:it/rome')).toBe('ROME')
    await cache.shutdown()
  })
})
