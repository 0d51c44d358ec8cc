import type { Cache, Serializer } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { warmed } from '../support/cache-states.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ caches: IMPATIENT })
let raw: Redis

beforeAll(() => {
  raw = new Redis(scene.redis.url)
})
afterAll(() => raw.disconnect())

/** A backend on the scene's Redis, and what it tells of reads. */
async function open(serializer: 'text' | 'bytes' | 'json') {
  const backend = new RedisCacheBackend<unknown>({ url: scene.redis.url, prefix: 'p:', serializer })
  scene.later(() => backend.shutdown())
  await backend.initialize()
  const told: string[] = []
  backend.on('error', ({ error }) => told.push(error.code))
  backend.on('miss', ({ reason }) => told.push(reason))
  return { backend, told }
}

describe('in Redis', () => {
  test.each(['', 'plain', 'The end.', '{"a":1}', '42', 'é🚀'])('lies the text %j as it is', async (text) => {
    const { backend, told } = await open('text')
    await backend.set('key', text)
    expect(await raw.get('p:key')).toBe(text)
    expect(await backend.get('key')).toBe(text)
    expect(await backend.exists('key')).toBe(true)
    expect(await backend.setIfAbsent('key', 'other')).toBe(false)
    await raw.set('p:foreign', text)
    expect(await backend.getMany(['foreign'])).toEqual(new Map([['foreign', text]]))
    expect(await backend.getAndDelete('key')).toBe(text)
    expect(told).toEqual([])
  })

  test('lie bytes as they are, and those that would be taken for something else come back too', async () => {
    const { backend, told } = await open('bytes')
    for (const bytes of [[], [0xff, 0, 0x2e], [1], [1, 1, 0], [0x80, 4, 0x2e], [2, ...Buffer.alloc(41)]]) {
      const given = Uint8Array.from(bytes)
      await backend.set('key', given)
      expect(await backend.get('key')).toStrictEqual(Buffer.from(given))
    }
    await backend.set('key', Buffer.from([0xff, 0, 0x2e]))
    expect(await raw.getBuffer('p:key')).toEqual(Buffer.from([0xff, 0, 0x2e]))
    expect(told).toEqual([])
  })

  test('a counter reads as its digits, and digits that were set are counted on', async () => {
    const { backend: text } = await open('text')
    const { backend: bytes } = await open('bytes')
    await text.incrBig('counter', 2n ** 53n + 1n)
    expect(await text.get('counter')).toBe('9007199254740993')
    expect(await bytes.get('counter')).toEqual(Buffer.from('9007199254740993'))
    await text.set('digits', '41')
    expect(await text.incr('digits')).toBe(42)
    expect(await text.get('digits')).toBe('42')
  })

  test('what a reader of another serializer cannot read is a miss that tells why', async () => {
    const { backend: text, told: ofText } = await open('text')
    const { backend: bytes } = await open('bytes')
    const { backend: json, told: ofJson } = await open('json')
    await text.set('text', 'plain')
    await bytes.set('bytes', Buffer.from([0xff]))
    expect(await json.get('text')).toBeUndefined()
    expect(await json.get('bytes')).toBeUndefined()
    expect(await text.get('bytes')).toBeUndefined()
    expect(ofJson).toEqual(['CACHE_UNDECODABLE', 'undecodable', 'CACHE_UNDECODABLE', 'undecodable'])
    expect(ofText).toEqual(['CACHE_UNDECODABLE', 'undecodable'])
    await json.set('json', { a: 1 })
    expect(await text.get('json')).toBe('{"a":1}')
    await text.set('text', '[1]')
    expect(await json.get('text')).toEqual([1])
  })

  test('a changed buffer does not reach a write that is still to be sent', async () => {
    const { backend } = await open('bytes')
    const mine = Buffer.from('mine')
    const writing = backend.set('key', mine)
    mine.fill('x')
    await writing
    expect(await backend.get('key')).toEqual(Buffer.from('mine'))
    const cache = await scene.open({ serializer: 'bytes' })
    const later = Buffer.from('mine')
    const setting = cache.set('entry', later)
    later.fill('x')
    await setting
    expect(await cache.get('entry')).toEqual(Buffer.from('mine'))
  })
})

const bytesOf = () => Buffer.from([1, 2, 3])
const WAYS: readonly (readonly [string, (cache: Cache) => Promise<Buffer>])[] = [
  ['getOrSet', (cache) => cache.getOrSet('key', bytesOf)],
  ['get', (cache) => cache.get('key') as Promise<Buffer>],
  ['get past the local tier', (cache) => cache.get('key', { local: false }) as Promise<Buffer>],
  ['peek', async (cache) => cache.peek('key') as Buffer],
  ['getMany', async (cache) => (await cache.getMany<Buffer>(['key'])).get('key') as Buffer],
]

describe.each(['freeze', 'clone'] as const)("P10 with isolate: '%s'", (isolate) => {
  test.each(WAYS)('%s answers bytes that are the caller’s own', async (_way, ask) => {
    const cache = scene.cache({ isolate, serializer: 'bytes' })
    await warmed(cache, 'key', bytesOf)
    const got = await ask(cache)
    expect(got).toStrictEqual(bytesOf())
    got.fill(9)
    await warmed(cache, 'key', bytesOf)
    expect(cache.peek('key')).toStrictEqual(bytesOf())
    expect(await cache.get('key', { local: false })).toStrictEqual(bytesOf())
  })

  test('the callers of one flight, and the loader, share no bytes', async () => {
    const cache = scene.cache({ isolate, serializer: 'bytes' })
    const mine = bytesOf()
    const [one, two] = await Promise.all([
      cache.getOrSet('key', () => mine),
      cache.getOrSet('key', () => mine),
    ])
    one.fill(9)
    mine.fill(8)
    expect(two).toEqual(bytesOf())
    expect(await cache.get('key')).toEqual(bytesOf())
  })
})

test('a cache of text serves text, and refuses what a loader returns that is none', async () => {
  const cache = scene.cache({ serializer: 'text' })
  await warmed(cache, 'key', () => '\u0001 text')
  expect(cache.peek('key')).toBe('\u0001 text')
  expect(await cache.get('key', { local: false })).toBe('\u0001 text')
  await expect(cache.getOrSet('number', () => 1)).rejects.toMatchObject({ code: 'CACHE_INVALID_VALUE' })
  await expect(cache.set('number', 1)).rejects.toMatchObject({ code: 'CACHE_INVALID_VALUE' })
})

test('caches of text and of JSON on one prefix read each other’s entries', async () => {
  const text = await scene.open({ serializer: 'text' })
  const json = await scene.open()
  await text.set('text', 'plain')
  await json.set('json', { a: 1 })
  expect(await json.get('text')).toBe('plain')
  expect(await text.get('json')).toEqual({ a: 1 })
})

test('a value is encoded once for getOrSet and once for set', async () => {
  let encoded = 0
  const counting: Serializer = {
    id: 'test/counting',
    encode: (value) => {
      encoded++
      return value as Buffer
    },
    decode: (bytes) => Buffer.from(bytes),
  }
  const cache = await scene.open({ serializer: counting })
  await cache.getOrSet('loaded', bytesOf)
  expect(encoded).toBe(1)
  await cache.set('set', bytesOf())
  expect(encoded).toBe(2)
  expect(await cache.get('loaded')).toEqual(bytesOf())
  expect(encoded).toBe(2)
})
