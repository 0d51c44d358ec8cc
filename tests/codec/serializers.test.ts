import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { ValueCodec } from '../../src/codec/value-codec.ts'
import type { Serializer, SerializerName } from '../../src/contract/serializer.ts'
import { CacheError, type CacheErrorCode } from '../../src/foundation/errors/cache-error.ts'
import { trials } from '../support/trials.ts'
import { asMsgpackCarries, jsonValue, normal, plain, richValue } from './serialized-values.ts'

const KEY = 'cache:key'
const RUNS = trials(300, 3_000)

async function codec(
  serializer: SerializerName | Serializer,
  readers: readonly (SerializerName | Serializer)[] = [],
): Promise<ValueCodec> {
  const made = new ValueCodec({ serializer, readers, compression: undefined, maxValueBytes: 10_000_000 })
  await made.prepare()
  return made
}

function roundTrip(values: ValueCodec, value: unknown): unknown {
  return values.decode(KEY, Buffer.from(values.encode(KEY, value) as string))
}

function failsWith(code: CacheErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof CacheError && error.code === code
}

describe('P6 round trips are lossless', () => {
  it.each(['json', 'v8', 'msgpack', 'pickle'] as const)('%s, for every JSON value', async (name) => {
    const values = await codec(name)
    fc.assert(
      fc.property(jsonValue, (value) => {
        const expected = name === 'msgpack' ? asMsgpackCarries(value) : value
        assert.deepStrictEqual(plain(roundTrip(values, value)), plain(expected))
      }),
      { numRuns: RUNS },
    )
  })

  it('v8, for every value that structured clone supports', async () => {
    const values = await codec('v8')
    fc.assert(
      fc.property(richValue, (value) => {
        assert.deepStrictEqual(normal(roundTrip(values, value)), normal(value))
      }),
      { numRuns: RUNS },
    )
  })

  it('msgpack, for every value that structured clone supports, except -0 and __proto__', async () => {
    const values = await codec('msgpack')
    assert.ok(Object.is(roundTrip(values, -0), 0))
    assert.deepEqual(roundTrip(values, JSON.parse('{"__proto__":1}')), { __proto_: 1 })
    fc.assert(
      fc.property(richValue, (value) => {
        assert.deepStrictEqual(normal(roundTrip(values, value)), asMsgpackCarries(normal(value)))
      }),
      { numRuns: RUNS },
    )
  })

  it.each(['v8', 'msgpack'] as const)('%s, for cycles and shared references', async (name) => {
    const values = await codec(name)
    const shared = { deep: true }
    const value: Record<string, unknown> = { first: shared, second: shared }
    value.self = value
    const read = roundTrip(values, value) as Record<string, unknown>
    assert.equal(read.self, read)
    assert.equal(read.first, read.second)
  })
})

describe('json', () => {
  it('writes plain text that other programs read', async () => {
    const values = await codec('json')
    assert.equal(values.encode(KEY, { a: [1, 'é', null] }), '{"a":[1,"é",null]}')
    assert.equal(values.encode(KEY, 42), '42')
  })

  it('reads the digits of a 64-bit integer exactly, and keeps a large number a number', async () => {
    const values = await codec('json')
    const read = (text: string) => values.decode(KEY, Buffer.from(text))
    assert.equal(read('9007199254740993'), 9007199254740993n)
    assert.equal(read('-9223372036854775808'), -(2n ** 63n))
    assert.equal(read('9007199254740991'), Number.MAX_SAFE_INTEGER)
    assert.equal(read('9007199254740993.0'), 9007199254740992)
    assert.equal(read('12345678901234567890123'), 1.2345678901234568e22)
    for (const number of [2 ** 53, -(2 ** 53), 2 ** 60, 123456789012345680000, 1e21]) {
      assert.equal(roundTrip(values, number), number)
      assert.equal(JSON.parse(values.encode(KEY, number) as string), number)
      assert.deepEqual(roundTrip(values, [number]), [number])
    }
  })

  it('honours toJSON and omits undefined properties', async () => {
    const values = await codec('json')
    assert.deepEqual(roundTrip(values, { at: new Date(0), none: undefined }), {
      at: '1970-01-01T00:00:00.000Z',
    })
    assert.equal(roundTrip(values, { a: 1, toJSON: () => 'told' }), 'told')
    class Point {
      readonly x = 1
    }
    assert.deepEqual(roundTrip(values, new Point()), { x: 1 })
  })

  it('refuses values that it would silently change', async () => {
    const values = await codec('json')
    const cycle: unknown[] = []
    cycle.push(cycle)
    const refused: readonly unknown[] = [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      1n,
      new Map([[1, 2]]),
      new Set(),
      new Uint8Array(2),
      Buffer.from('bytes'),
      /x/,
      new Error('e'),
      Promise.resolve(),
      [undefined],
      new Array(2),
      cycle,
      () => 1,
      Symbol('s'),
    ]
    for (const value of refused) {
      assert.throws(() => values.encode(KEY, value), failsWith('CACHE_INVALID_VALUE'))
      assert.throws(() => values.encode(KEY, { deep: [{ value }] }), failsWith('CACHE_INVALID_VALUE'))
    }
  })

  it('text that is not UTF-8 or not JSON is a miss', async () => {
    const values = await codec('json')
    for (const bytes of [
      [],
      [0x22, 0xff, 0x22],
      [0x22, 0x61],
      [0x7b],
      [0x22, 0x22, 0x22],
      [0xef, 0xbb, 0xbf, 0x31],
    ]) {
      assert.throws(() => values.decode(KEY, Buffer.from(bytes)), failsWith('CACHE_UNDECODABLE'))
    }
  })
})

describe('v8 and msgpack', () => {
  it.each(['v8', 'msgpack'] as const)('%s refuses functions and symbols at any depth', async (name) => {
    const values = await codec(name)
    for (const value of [() => 1, Symbol('s'), { a: [() => 1] }, new Map([['a', Symbol('s')]])]) {
      assert.throws(() => values.encode(KEY, value), failsWith('CACHE_INVALID_VALUE'))
    }
  })

  it.each(['v8', 'msgpack'] as const)(
    '%s results share no memory with the bytes they are read from',
    async (name) => {
      const values = await codec(name)
      const stored = values.encode(KEY, { bytes: new Uint8Array([1, 2, 3, 4]) }) as Buffer
      const first = values.decode(KEY, stored) as { bytes: Uint8Array }
      first.bytes.fill(9)
      assert.deepEqual(
        (values.decode(KEY, stored) as { bytes: Uint8Array }).bytes,
        new Uint8Array([1, 2, 3, 4]),
      )
    },
  )

  it.each(['json', 'v8', 'msgpack', 'pickle'] as const)(
    'P9 %s: __proto__ never alters a prototype',
    async (name) => {
      const values = await codec(name)
      const value: unknown = JSON.parse('{"__proto__":{"polluted":1},"a":{"__proto__":{"polluted":1}}}')
      const read = roundTrip(values, value) as { a: object }
      assert.equal(Object.getPrototypeOf(read), Object.prototype)
      assert.equal(Object.getPrototypeOf(read.a), Object.prototype)
      assert.equal('polluted' in read || 'polluted' in read.a || 'polluted' in {}, false)
    },
  )
})

describe('a reader decodes values of the configurations that it lists', () => {
  const custom: Serializer = {
    id: 'test/reversed',
    encode: (value) => JSON.stringify(value).split('').reverse().join(''),
    decode: (bytes) => JSON.parse(bytes.toString().split('').reverse().join('')),
  }
  const writers: readonly (SerializerName | Serializer)[] = ['json', 'v8', 'msgpack', 'pickle', custom]

  it('every reader decodes the values of every listed writer', async () => {
    const value = { name: 'Ada', list: [1, 2.5, null, true] }
    for (const writer of writers) {
      const stored = Buffer.from((await codec(writer)).encode(KEY, value) as string)
      for (const reader of writers) {
        const values = await codec(
          reader,
          writers.filter((other) => other !== reader),
        )
        assert.deepEqual(await values.decode(KEY, stored), value)
      }
    }
  })

  it('a value of an unregistered serializer is a miss', async () => {
    const stored = (await codec(custom)).encode(KEY, 1) as Buffer
    const values = await codec('json')
    await assert.rejects(async () => values.decode(KEY, stored), failsWith('CACHE_UNDECODABLE'))
  })

  it('a serializer must have a unique id, encode and decode', async () => {
    for (const broken of [
      {},
      { ...custom, id: '' },
      { ...custom, id: 'a b' },
      { ...custom, id: 'json' },
      { id: 'x' },
    ]) {
      await assert.rejects(codec(broken as Serializer), failsWith('CACHE_INVALID_OPTIONS'))
    }
  })

  it('an error of a custom serializer never shows the value', async () => {
    const leaky: Serializer = {
      id: 'test/leaky',
      encode: (value) => {
        throw new Error(`cannot encode ${value}`)
      },
      decode: (bytes) => {
        throw new Error(`cannot decode ${bytes}`)
      },
    }
    const values = await codec(leaky)
    assert.throws(
      () => values.encode(KEY, 'secret-value'),
      (error) => !JSON.stringify([`${error}`, error]).includes('secret'),
    )
  })
})
