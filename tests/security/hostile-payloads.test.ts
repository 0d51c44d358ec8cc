import { brotliCompressSync, constants } from 'node:zlib'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend, type RedisCacheBackendOptions } from 'cachewright/redis'
import * as msgpackr from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { sealEnvelope } from '../../src/codec/envelope/envelope.ts'
import { RecordPacker } from '../../src/codec/msgpack/record-packer.ts'
import { decodePickle } from '../../src/codec/pickle/pickle-reader.ts'
import { jsonSerializer } from '../../src/codec/serializers/json.ts'
import { v8Serializer } from '../../src/codec/v8/v8.ts'
import { useScene } from '../support/scene.ts'

const MIB = 1024 * 1024
const scene = useScene()

/** A backend, the codes and messages of its errors, and a place for an attacker's bytes. */
async function attacked(options: RedisCacheBackendOptions = {}) {
  // Large values take a busy machine longer than a second to carry.
  const patient = { prefix: 'shop:', commandTimeout: '30s', ...options } as const
  const backend = new RedisCacheBackend({ url: scene.redis.url, ...patient })
  scene.later(() => backend.shutdown())
  await backend.initialize()
  const errors: string[] = []
  backend.on('error', ({ error }) => errors.push(`${error.code}: ${error.message}`))
  const plant = (bytes: Buffer) => scene.redis.ask('SET', 'shop:key', bytes)
  const plantSealed = (serializerId: string, compressionId: string, payload: Buffer) =>
    plant(sealEnvelope('shop:key', { serializerId, compressionId }, payload))
  return { backend, errors, plant, plantSealed }
}

/** An array of `count` items that take a byte each, in msgpack. */
function packedArray(count: number, item: number): Buffer {
  const bytes = Buffer.alloc(5 + count, item)
  bytes[0] = 0xdd
  bytes.writeUInt32BE(count, 1)
  return bytes
}

const EMPTY_MAP = 0x80
const EMPTY_ARRAY = 0x90

describe('the payload does not choose how it is read', () => {
  const bomb = brotliCompressSync(packedArray(16 * MIB - 5, EMPTY_MAP), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11 },
  })

  test('a bomb of 49 bytes in a form that is not configured is a miss, which says what would read it', async () => {
    expect(bomb.length).toBeLessThan(60)
    const { backend, errors, plantSealed } = await attacked()
    await plantSealed('msgpack', 'brotli', bomb)
    expect(await backend.get('key')).toBeUndefined()
    expect(errors.join()).toMatch(/CACHE_UNDECODABLE.*'brotli', which this cache does not read.*'readers'/)
  })

  test('the same bomb where both forms are configured is a miss', async () => {
    for (const options of [
      { serializer: 'msgpack', compression: 'brotli' },
      { readers: ['msgpack', 'brotli'] },
    ] as const) {
      const { backend, errors, plantSealed } = await attacked(options)
      await plantSealed('msgpack', 'brotli', bomb)
      expect(await backend.get('key')).toBeUndefined()
      expect(errors.join()).toMatch(/CACHE_UNDECODABLE/)
      expect(await backend.set('key', { healed: true })).toBe(true)
      expect(await backend.get('key')).toEqual({ healed: true })
    }
  })

  test.each(['v8', 'msgpack', 'pickle'] as const)(
    'a value of %s is not read by a cache that writes JSON',
    async (serializer) => {
      const writer = await attacked({ serializer })
      await writer.backend.set('key', { planted: true })
      const reader = await attacked()
      expect(await reader.backend.get('key')).toBeUndefined()
      expect(reader.errors.join()).toContain(`'${serializer}', which this cache does not read`)
      const listed = await attacked({ readers: [serializer] })
      expect(await listed.backend.get('key')).toEqual({ planted: true })
      expect(await scene.cache().getOrSet('key', () => 'loaded')).toBe('loaded')
    },
  )
})

describe('a value has at most a million parts and 500 levels', () => {
  const SERIALIZERS = {
    json: {
      parts: (count: number) => Buffer.from(`[${'{},'.repeat(count - 2)}{}]`),
      levels: (count: number) => Buffer.from(`${'['.repeat(count)}${']'.repeat(count)}`),
      decode: (bytes: Buffer) => jsonSerializer.decode(bytes),
    },
    msgpack: {
      parts: (count: number) => packedArray(count - 1, EMPTY_ARRAY),
      levels: (count: number) => Buffer.concat([Buffer.alloc(count - 1, 0x91), Buffer.of(EMPTY_ARRAY)]),
      decode: (bytes: Buffer) => new RecordPacker(msgpackr, [], () => {}).unpack(bytes, 0),
    },
    v8: {
      parts: (count: number) =>
        Buffer.from(v8Serializer.encode(Array.from({ length: count - 1 }, () => [])) as Buffer),
      levels: (count: number) =>
        Buffer.concat([
          Buffer.of(0xff, 15),
          Buffer.from('A\u0001'.repeat(count - 1)),
          Buffer.from('A\u0000$\u0000\u0000'),
          Buffer.from('$\u0000\u0001'.repeat(count - 1)),
        ]),
      decode: (bytes: Buffer) => v8Serializer.decode(bytes),
    },
    pickle: {
      parts: (count: number) => Buffer.from(`](${']'.repeat(count - 1)}e.`),
      levels: (count: number) => Buffer.from(`${']'.repeat(count)}${'a'.repeat(count - 1)}.`),
      decode: decodePickle,
    },
  } as const

  test.each(Object.keys(SERIALIZERS) as (keyof typeof SERIALIZERS)[])('%s', (name) => {
    const { decode, levels, parts } = SERIALIZERS[name]
    if (name !== 'v8') expect(decode(parts(1_000_000))).toHaveLength(999_999)
    if (name !== 'v8') expect(() => decode(parts(1_000_001))).toThrow(/more than 1,000,000 parts/)
    let deepest = decode(levels(500)) as readonly unknown[]
    for (let level = 1; level < 500; level++) deepest = deepest[0] as readonly unknown[]
    expect(deepest).toEqual([])
    for (const count of [501, 20_000, 1_000_000])
      expect(() => decode(levels(count)), `${count}`).toThrow(RangeError)
  })

  test.each(['json', 'msgpack', 'v8', 'pickle'] as const)(
    '%s: so has what is written',
    async (serializer) => {
      const backend = new MemoryCacheBackend({ serializer, errors: 'throw', maxBytes: 64 * MIB })
      scene.later(() => backend.shutdown())
      const parts = Array.from({ length: 1_000_000 }, () => [])
      await expect(backend.set('key', parts)).rejects.toMatchObject({
        code: 'CACHE_VALUE_TOO_LARGE',
        message: expect.stringMatching(/more than 1,000,000 parts/),
      })
    },
  )
})

describe('maxValueBytes', () => {
  test('bounds what is read in every form', async () => {
    const text = 'x'.repeat(2_000)
    for (const serializer of ['json', 'msgpack', 'v8', 'pickle'] as const) {
      for (const compression of ['none', 'gzip'] as const) {
        const writer = await attacked({ serializer, compression })
        await writer.backend.set('key', text)
        const options = { serializer, compression, readers: ['gzip'] } as const
        const generous = await attacked({ ...options, maxValueBytes: 3_000 })
        expect(await generous.backend.get('key')).toBe(text)
        const strict = await attacked({ ...options, maxValueBytes: 1_000 })
        expect(await strict.backend.get('key'), `${serializer} ${compression}`).toBeUndefined()
        expect(strict.errors.join()).toMatch(/CACHE_UNDECODABLE/)
      }
    }
  })

  test('64 MB of JSON are a miss and not an unhandled rejection', async () => {
    const { backend, errors, plant } = await attacked()
    await plant(Buffer.from(`[${'{"a":"b"},'.repeat(6_400_000)}1]`))
    expect(await backend.get('key')).toBeUndefined()
    expect(errors.join()).toMatch(
      /CACHE_UNDECODABLE.*64000003 bytes, more than the 16777216 of maxValueBytes/,
    )
    expect(await scene.cache().getOrSet('key', () => 'loaded')).toBe('loaded')
  })
})

describe('msgpack', () => {
  const packer = () => new RecordPacker(msgpackr, [], () => {})

  /** Strings from the bundle at `place` of the buffer that msgpackr reads, which lies beyond the payload. */
  function bundledStringsAt(place: number): Buffer {
    const bytes = Buffer.alloc(27)
    // An array of: the first strings that the bundle holds, then a bundle whose end is that of the payload.
    bytes.set([0x92, 0xd6, 0x62], 0)
    bytes.writeInt32BE(place - 3, 3)
    bytes.set([0xc1, 0x20, 0xd6, 0x62], 7)
    bytes.writeInt32BE(27 - 2 - 11, 11)
    bytes.set([0x00, ...Array(9).fill(0x00), 0xa0, 0xa0], 15)
    return bytes
  }

  test('a payload with bundled strings reads nothing of another value', () => {
    const secret = 'the plaintext of another cache!!'
    // The secret is where the payload says that its strings are.
    const bytes = Buffer.from(packer().pack(['x'.repeat(60), '', secret]))
    packer().unpack(bytes, 0)
    const at = bytes.indexOf(secret) - 3
    const read = () => packer().unpack(bundledStringsAt(at), 0)
    expect(read).toThrow(SyntaxError)
  })

  test.each<[string, string]>([
    ['a token that is never written', 'c1'],
    ['an extension of another program', 'd40500'],
    ['bundled strings', 'd66200000006c101a0a161'],
    ['a record of an unknown shape', '40'],
    ['a record with numbers for names', 'd472409101' + '01'],
    ['a shape that points to no names', 'd47240d670000000010101'],
    ['a pointer to nothing', 'd67000000001'],
    ['a pointer to an id that nothing has', '92d6690000000190d67000000002'],
    ['a pointer to an id that a later value has', '92d67000000001d6690000000190'],
    ['two values of one id', '92d6690000000190d6690000000190'],
    ['an id that is larger than the payload', '91d669ffffffff90'],
    ['a typed array of an unknown kind', 'c702740b00'],
    ['a typed array that ends within a number', 'c702740300'],
    ['a date of two bytes', 'd5ff0000'],
    ['a regular expression with an unknown flag', 'd4780092a178a161'],
    ['a regular expression with a flag twice', 'd4780092a178a26767'],
    ['a regular expression with two flags that exclude each other', 'd4780092a178a27576'],
    ['a set of a string', 'd47300a161'],
    ['an error of a number', 'd4650001'],
    ['an error of a class that is a method', 'd4650093a776616c75654f66a16dc0'],
    ['an error whose message is an array', 'd4650093a54572726f7290c0'],
    ['an error whose class is an array', 'd465009390a16dc0'],
    ['a regular expression of an array', 'd478009290a0'],
    ['a regular expression with an array for flags', 'd4780092a17890'],
    ['an error of a message with its length in four bytes, of an array', 'd46500dd00000003a54572726f7290c0'],
    ['an empty extension', 'c70074'],
    ['bytes after the value', '0101'],
    ['nothing', ''],
    ['an array that is longer than the payload', 'dd0000ffff01'],
    ['twelve arrays within one another that claim 16 million items each', `${'dd00ffffff'.repeat(12)}01`],
    ['a map that is longer than the payload', 'dfffffffff01'],
    ['a string that is longer than the payload', 'dbffffffff61'],
    ['a number that is cut off', 'cb0000'],
    ['names that are longer than the payload', 'd47240ddffffffffa0'],
  ])('%s is refused before msgpackr sees it', (_, hex) => {
    let calls = 0
    const watched = {
      ...msgpackr,
      Unpackr: class extends msgpackr.Unpackr {
        override unpack(): unknown {
          calls++
          return undefined
        }
      },
    }
    const reader = new RecordPacker(watched as typeof msgpackr, [], () => {})
    expect(() => reader.unpack(Buffer.from(hex, 'hex'), 0)).toThrow(/./)
    expect(calls).toBe(0)
  })

  test('365 bytes of shared references with a trailing byte are refused at once', async () => {
    const id = (number: number) => [0, 0, 0, number]
    const bytes: number[] = []
    for (let level = 1; level <= 28; level++) bytes.push(0xd6, 0x69, ...id(level), 0x92)
    bytes.push(0x01, 0x01)
    for (let level = 28; level > 1; level--) bytes.push(0xd6, 0x70, ...id(level))
    bytes.push(0x00)
    const { backend, errors, plantSealed } = await attacked({ serializer: 'msgpack' })
    await plantSealed('msgpack', 'none', Buffer.from(bytes))
    expect(await backend.get('key')).toBeUndefined()
    expect(errors.join()).toMatch(/CACHE_UNDECODABLE/)
  })
})

describe('the local tier', () => {
  test('weighs values as they are before compression', async () => {
    const open = () => scene.open({ prefix: 'shop:', compression: 'gzip', local: { maxBytes: MIB } })
    const cache = await open()
    const load = (key: string) => ({ key, text: 'x'.repeat(400_000) })
    for (let key = 0; key < 10; key++) await cache.getOrSet(`loaded ${key}`, () => load(`${key}`))
    expect(cache.stats().local.entries).toBeLessThanOrEqual(2)
    const reader = await open()
    for (let key = 0; key < 10; key++) expect(await reader.get(`loaded ${key}`)).toEqual(load(`${key}`))
    const { bytes, entries } = reader.stats().local
    expect(entries).toBeLessThanOrEqual(2)
    expect(bytes).toBeGreaterThan(400_000)
  })
})
