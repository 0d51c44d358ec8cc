import type { Cache, Frozen, Isolation } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { warmed } from '../support/cache-states.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ caches: IMPATIENT })
const { redis } = scene

interface Basket {
  readonly items: { name: string; tags: string[] }[]
  owner?: string
}
const basket = (): Basket => ({ items: [{ name: 'pen', tags: ['blue'] }] })

/** What an inattentive caller does. */
function meddle(given: Frozen<Basket>): void {
  const value = given as Basket
  for (const change of [
    () => value.items.push({ name: 'lamp', tags: [] }),
    () => value.items[0]?.tags.push('red'),
    () => {
      value.owner = 'me'
    },
    () => Reflect.deleteProperty(value, 'items'),
    () => Object.assign(value.items[0] as object, { name: 'rubber' }),
  ]) {
    try {
      change()
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError)
    }
  }
}

/** Every way in which a caller gets a value. */
const WAYS: readonly (readonly [string, (cache: Cache<Isolation>) => Promise<Frozen<Basket>>])[] = [
  ['getOrSet, which loads', (cache) => cache.getOrSet('key', basket)],
  ['getOrSet, found locally', (cache) => cache.getOrSet('key', basket)],
  ['get', (cache) => cache.get<Basket>('key') as Promise<Frozen<Basket>>],
  [
    'get past the local tier',
    (cache) => cache.get<Basket>('key', { local: false }) as Promise<Frozen<Basket>>,
  ],
  ['peek', async (cache) => cache.peek('key') as Basket],
  ['getMany', async (cache) => (await cache.getMany<Basket>(['key'])).get('key') as Basket],
]

for (const isolate of ['freeze', 'clone'] as const) {
  for (const serializer of ['json', 'v8', 'msgpack'] as const) {
    test(`P10 with '${isolate}' and ${serializer} a caller cannot change the value of another caller`, async () => {
      const cache = scene.cache({ isolate, serializer })
      for (const [, ask] of WAYS) {
        const value = await ask(cache)
        expect(value).toEqual(basket())
        meddle(value)
        expect(Object.isFrozen(value)).toBe(isolate === 'freeze')
        await warmed(cache, 'key', basket)
        expect(cache.peek('key')).toEqual(basket())
      }
    })
  }

  test(`P10 with '${isolate}' the callers of one flight do not share a mutable value`, async () => {
    const cache = scene.cache({ isolate })
    const load = () => Promise.resolve(basket())
    const values = await Promise.all(Array.from({ length: 10 }, () => cache.getOrSet('flight', load)))
    meddle(values[0] as Basket)
    for (const other of values.slice(1)) expect(other).toEqual(basket())
    expect(await cache.get('flight')).toEqual(basket())
  })

  test(`P10 with '${isolate}' the object that the loader returned is not shared with callers`, async () => {
    const cache = scene.cache({ isolate })
    const mine = basket()
    const got = await cache.getOrSet('key', () => mine)
    expect(got).not.toBe(mine)
    expect(Object.isFrozen(mine)).toBe(false)
    mine.items.push({ name: 'lamp', tags: [] })
    expect(got).toEqual(basket())
    expect(await cache.get('key')).toEqual(basket())
    const stored = basket()
    await cache.set('set', stored)
    expect(Object.isFrozen(stored)).toBe(false)
    stored.items.length = 0
    expect(await cache.get('set')).toEqual(basket())
  })

  test(`P10 with '${isolate}' callers do not share a mutable value while Redis is away`, async () => {
    const cache = scene.cache({ redis: 'redis://127.0.0.1:1', isolate })
    const mine = basket()
    const load = () => Promise.resolve(mine)
    const [one, two] = await Promise.all([cache.getOrSet('key', load), cache.getOrSet('key', load)])
    meddle(one)
    expect(two).toEqual(basket())
    expect(mine).toEqual(basket())
    expect(Object.isFrozen(mine)).toBe(false)
  })
}

test("P10 with 'share' callers get the same object", async () => {
  const cache = scene.cache({ isolate: 'share' })
  const mine = basket()
  const load = () => Promise.resolve(mine)
  const [one, two] = await Promise.all([cache.getOrSet('key', load), cache.getOrSet('key', load)])
  expect(one).toBe(mine)
  expect(two).toBe(mine)
  await warmed(cache, 'key', load)
  expect(await cache.get('key')).toBe(cache.peek('key'))
  expect(Object.isFrozen(cache.peek('key'))).toBe(false)
})

describe('P10 a value that cannot be frozen is cloned for each caller', () => {
  const rich = () => ({
    map: new Map([['a', { list: [1] }]]),
    set: new Set([1, 2]),
    date: new Date(0),
    bytes: new Uint8Array([1, 2, 3]),
    nested: [{ deep: new Map([[1, new Set(['x'])]]) }],
    regexp: /a/g,
    big: 2n ** 70n,
  })
  type Rich = ReturnType<typeof rich>

  test('Map, Set, Date and typed arrays', async () => {
    const cache = scene.cache({ serializer: 'v8' })
    const load = () => Promise.resolve(rich())
    const [flying, other] = await Promise.all([cache.getOrSet('key', load), cache.getOrSet('key', load)])
    const ways = [
      async () => flying as Rich,
      async () => other as Rich,
      () => cache.get('key') as Promise<Rich>,
      () => cache.get('key', { local: false }) as Promise<Rich>,
      async () => cache.peek('key') as Rich,
    ]
    for (const ask of ways) {
      const value = await ask()
      expect(value).toEqual(rich())
      value.map.get('a')?.list.push(2)
      value.map.clear()
      value.set.add(3)
      value.date.setTime(1)
      value.bytes.fill(9)
      value.nested[0]?.deep.clear()
      value.regexp.lastIndex = 1
      await warmed(cache, 'key', load)
    }
    expect(cache.peek('key')).toEqual(rich())
  })

  test('each alone', async () => {
    const cache = scene.cache({ serializer: 'v8' })
    const values: Record<string, () => object> = {
      map: () => new Map([[1, 2]]),
      set: () => new Set([1]),
      date: () => new Date(5),
      bytes: () => new Uint8Array([1]),
      error: () => new RangeError('far'),
      list: () => [new Map([[1, 2]])],
    }
    for (const [key, make] of Object.entries(values)) {
      await warmed(cache, key, make)
      const [one, two] = [cache.peek<object>(key), await cache.get<object>(key)]
      expect(one).toEqual(make())
      expect(two).toEqual(make())
      expect(one).not.toBe(two)
    }
  })

  test('cycles and shared references', async () => {
    const cache = scene.cache({ serializer: 'v8' })
    const make = () => {
      const node: { self?: object; name: string } = { name: 'n' }
      node.self = node
      return node
    }
    await warmed(cache, 'cycle', make)
    const value = cache.peek<{ self: object; name: string }>('cycle')
    expect(value?.self).toBe(value)
    expect(Object.isFrozen(value)).toBe(true)
  })
})

test('P10 callers do not share plain values that another program wrote', async () => {
  const cache = scene.cache()
  await redis.ask('SET', 'p:key', JSON.stringify(basket()))
  const one = (await cache.get<Basket>('key')) as Basket
  meddle(one)
  await warmed(cache, 'key')
  expect(cache.peek('key')).toEqual(basket())
})

describe('P10 values are kept apart', () => {
  test('a Buffer stays one', async () => {
    const cache = scene.cache({ serializer: 'v8' })
    const loaded = await cache.getOrSet('bytes', () => Buffer.from('abc'))
    const found = await cache.get<Buffer>('bytes')
    expect([Buffer.isBuffer(loaded), Buffer.isBuffer(found)]).toEqual([true, true])
    loaded.fill(0)
    expect(String(await cache.get('bytes'))).toBe('abc')
  })

  test('the callers of one flight do not share a value that is too large to be stored', async () => {
    const cache = scene.cache({ maxValueBytes: 100 })
    const load = async () => ({ text: 'x'.repeat(200), list: [1] })
    const [one, two] = await Promise.all([cache.getOrSet('key', load), cache.getOrSet('key', load)])
    expect(() => (one.list as number[]).push(2)).toThrow(TypeError)
    expect(two.list).toEqual([1])
  })
})
