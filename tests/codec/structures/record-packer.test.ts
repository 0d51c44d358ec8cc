import assert from 'node:assert/strict'
import fc from 'fast-check'
import * as msgpackr from 'msgpackr'
import { describe, it } from 'vitest'
import { RecordPacker } from '../../../src/codec/msgpack/record-packer.ts'
import type { Shape } from '../../../src/codec/msgpack/shape.ts'
import { trials } from '../../support/trials.ts'
import { richValue } from './rich-value.ts'

/** Sizes around which msgpackr changes how it writes ids. */
const SIZES = [0, 1, 2, 30, 31, 32, 33, 40, 62, 63, 64, 65, 95, 96, 97, 128, 511, 512]

function packerOf(shapes: readonly Shape[], shorter?: RecordPacker): RecordPacker {
  return new RecordPacker(msgpackr, shapes, () => {}, shorter)
}

/** Bytes within a larger buffer, as from a socket. */
function packedWithin(packer: RecordPacker, value: unknown): { bytes: Buffer; start: number } {
  const chunk = Buffer.concat([Buffer.alloc(9, 0x61), packer.pack(value), Buffer.alloc(5, 0xa5)])
  return { bytes: chunk.subarray(2, chunk.length - 5), start: 7 }
}

function roundTrip(writer: RecordPacker, reader: RecordPacker, value: unknown): unknown {
  const { bytes, start } = packedWithin(writer, value)
  return reader.unpack(bytes, start)
}

function recordOf(shape: Shape): Record<string, number> {
  return Object.fromEntries(shape.map((name, index) => [name, index]))
}

/** Distinct shapes; every third shares names with others. */
function numberedShapes(from: number, count: number): Shape[] {
  return Array.from({ length: count }, (_, index) =>
    (from + index) % 3 === 0 ? ['id', `n${from + index}`] : [`n${from + index}`, 'id', 'é'],
  )
}

describe('records with shapes that both sides know', () => {
  it.each(SIZES)(
    '%i shapes: any reader with at least these shapes reads a value with known and own shapes',
    (size) => {
      const known = numberedShapes(0, size)
      const writer = packerOf(known)
      const readers = [writer, packerOf(known)]
      for (const longer of [1, 20, 33, 70]) {
        if (size + longer <= 512)
          readers.push(packerOf([...known, ...numberedShapes(size, longer)], readers[1]))
      }
      for (const own of [0, 1, 31, 32, 33, 64, 100]) {
        const value = [
          ...numberedShapes(Math.max(0, size - 40), 40 + own).map(recordOf),
          {},
          recordOf(['id']),
        ]
        const twice = [value, structuredClone(value).reverse()]
        for (const reader of readers) {
          for (let times = 0; times < 5; times++) assert.deepEqual(roundTrip(writer, reader, twice), twice)
        }
      }
    },
  )

  it("any value written with a prefix of the reader's dictionary is read back", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...SIZES),
        fc.nat(40),
        fc.uniqueArray(fc.uniqueArray(fc.constantFrom('id', 'name', 'a', 'b', '', '0', 'constructor', '"')), {
          selector: (shape) => JSON.stringify(shape),
          maxLength: 12,
        }),
        fc.array(richValue, { maxLength: 4 }),
        (size, more, shapes, values) => {
          const padding = numberedShapes(0, Math.max(0, size - shapes.length))
          const known = [...padding, ...shapes].slice(0, 512)
          const writer = packerOf(known)
          const reader = packerOf([...known, ...numberedShapes(600, more)].slice(0, 512))
          for (const value of values) assert.deepStrictEqual(roundTrip(writer, reader, value), value)
        },
      ),
      { numRuns: trials(300, 5_000) },
    )
  })

  it('cycles and shared references are preserved', () => {
    const shapes: Shape[] = [['first', 'second', 'self', 'list'], ['deep']]
    const shared = { deep: true }
    const value: Record<string, unknown> = {
      first: shared,
      second: shared,
      self: null,
      list: [shared, { own: shared }],
    }
    value.self = value
    for (const packer of [packerOf([]), packerOf(shapes), packerOf(shapes.slice(1))]) {
      const read = roundTrip(packer, packer, value) as typeof value
      assert.equal(read.self, read)
      assert.equal(read.first, read.second)
      assert.equal((read.list as unknown[])[0], read.first)
      assert.equal((read.list as { own: unknown }[])[1]?.own, read.first)
    }
  })

  it('own shapes of one value leave no trace in the next', () => {
    const writer = packerOf([['a']])
    const reader = packerOf([['a'], ['b'], ['c'], ['d']])
    const four = packerOf([['a'], ['b'], ['c'], ['d']])
    for (let times = 0; times < 10; times++) {
      assert.deepEqual(roundTrip(writer, reader, [{ x: 1 }, { y: 2 }, { a: 3 }]), [
        { x: 1 },
        { y: 2 },
        { a: 3 },
      ])
      assert.deepEqual(roundTrip(four, reader, [{ b: 1 }, { c: 2 }, { d: 3 }]), [
        { b: 1 },
        { c: 2 },
        { d: 3 },
      ])
    }
  })

  it('a payload truncated anywhere throws, and the next payload is still read', () => {
    const shapes = numberedShapes(0, 70)
    const packer = packerOf(shapes)
    const value = {
      list: shapes.map(recordOf),
      own: { z: 'text' },
      at: new Date(5),
      map: new Map([['k', { id: 1 }]]),
    }
    const { bytes, start } = packedWithin(packer, value)
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => packer.unpack(bytes.subarray(0, length), start), `length ${length}`)
    }
    assert.deepEqual(packer.unpack(bytes, start), value)
  })
})

it('an empty payload throws after any other payload', () => {
  const packer = packerOf([])
  // The last fills the buffer that payloads are decoded from, to its end.
  for (const value of [1, 'text', { a: 1 }, Buffer.alloc(65_533, 1)]) {
    const bytes = Buffer.from(packer.pack(value))
    assert.deepEqual(packer.unpack(bytes, 0), value)
    assert.throws(() => packer.unpack(Buffer.alloc(0), 0))
    assert.throws(() => packer.unpack(bytes, bytes.length))
  }
})

describe('a decoded value shares no memory', () => {
  const bytes = () => Buffer.from([1, 2, 3, 4, 5, 6, 7, 8])
  const samples: readonly [string, unknown][] = [
    ['Buffer', bytes()],
    ['a long Buffer', Buffer.alloc(70_000, 7)],
    ['ArrayBuffer', Uint8Array.from(bytes()).buffer],
    ['DataView', new DataView(Uint8Array.from(bytes()).buffer)],
    ...[
      Int8Array,
      Uint8Array,
      Uint8ClampedArray,
      Int16Array,
      Uint16Array,
      Int32Array,
      Uint32Array,
      Float32Array,
      Float64Array,
      BigInt64Array,
      BigUint64Array,
    ].map((Kind): [string, unknown] => [Kind.name, new Kind(Uint8Array.from(bytes()).buffer)]),
  ]

  it.each(samples)('%s: neither with its source buffer nor with later values', (_, sample) => {
    const packer = packerOf([['held']])
    for (const value of [sample, { held: sample }, [sample], new Map([['held', sample]])]) {
      const { bytes: source, start } = packedWithin(packer, value)
      const read = packer.unpack(source, start)
      source.fill(0xff)
      roundTrip(packer, packer, Buffer.alloc(60_000, 0xee))
      assert.deepStrictEqual(read, value)
    }
  })
})

describe('hostile names', () => {
  const HOSTILE = [
    ['__proto_', 'constructor', 'prototype', '__defineGetter__', 'hasOwnProperty', 'toString', 'valueOf'],
    ['a:r()}),globalThis.pwned=1,({b', '"]:r()}),globalThis.pwned=1,({"', "'", '`', '$', '${'],
    ['\u2028', '\u2029', '\n', '\r', '\0', '*/', '//', '\\', '\\u0022', '</script>'],
    ['get', 'set', 'async', 'static', 'await', 'new', '...r', '1e3', '01', '-1', '[r]', '#private'],
  ]

  it('are read as plain names, however often', () => {
    const packer = packerOf(HOSTILE)
    for (const shape of HOSTILE) {
      const value = recordOf(shape)
      for (let times = 0; times < 10; times++) {
        const read = roundTrip(packer, packer, value) as object
        assert.deepEqual(Object.entries(read), Object.entries(value))
        assert.equal(Object.getPrototypeOf(read), Object.prototype)
      }
    }
    assert.equal('pwned' in globalThis, false)
    assert.equal(Object.getOwnPropertyNames(Object.prototype).includes('pwned'), false)
  })

  it('__proto__ never reaches a prototype', () => {
    const value = JSON.parse('{"__proto__":{"polluted":1},"a":1}') as object
    for (const shapes of [[], [['a']], [['__proto__', 'a']]]) {
      const packer = packerOf(shapes)
      for (let times = 0; times < 10; times++) {
        const read = roundTrip(packer, packer, value) as Record<string, unknown>
        assert.equal(Object.getPrototypeOf(read), Object.prototype)
        assert.deepEqual(read, { __proto_: { polluted: 1 }, a: 1 })
      }
    }
    assert.equal('polluted' in {}, false)
  })

  it('__keys__, which msgpackr uses internally, is refused and does not affect later values', () => {
    const packer = packerOf([['a'], ['b']])
    for (const bad of [
      { c: 1, __keys__: 2 },
      { c: 1, __keys__: 2, map: 3 },
      { c: 1, __keys__: 2, length: 3 },
      { __keys__: 1 },
      [{ c: 1 }, { c: 1, __keys__: 2 }, { c: 2 }],
    ]) {
      assert.throws(() => packer.pack(bad), TypeError)
      for (const value of [{ c: 1 }, { a: 1 }, { c: 1, d: 2 }, [{ c: 1 }, { c: 2 }]]) {
        assert.deepEqual(roundTrip(packer, packer, value), value)
      }
    }
  })
})
