import { setFlagsFromString } from 'node:v8'
import fc from 'fast-check'
import * as msgpackr from 'msgpackr'
import { describe, expect, test } from 'vitest'

import { createMsgpackSerializer } from '../../src/codec/msgpack/msgpack.ts'
import { RecordPacker } from '../../src/codec/msgpack/record-packer.ts'
import { decodePickle } from '../../src/codec/pickle/pickle-reader.ts'
import { encodePickle } from '../../src/codec/pickle/pickle-writer.ts'
import { ElementStore } from '../../src/codec/refusals/element-store.ts'

const MIB = 1024 * 1024

/** The memory that a new value takes, with what was needed to make it. */
function memoryOf(make: () => readonly unknown[]): number {
  const before = process.memoryUsage().heapUsed
  const value = make()
  const taken = process.memoryUsage().heapUsed - before
  expect(value.length).toBeGreaterThan(0)
  return taken
}

describe('a name that V8 takes for an index makes no room for all the elements before it', () => {
  test('pickle', () => {
    const count = 50_000
    const bytes = Buffer.from(`](X\x04\0\0\x001000q\0${'0'}${'}h\0Ns'.repeat(count)}e.`, 'latin1')
    // With room for the elements they would take 600 MB.
    expect(memoryOf(() => decodePickle(bytes) as unknown[])).toBeLessThan(200 * MIB)
  })

  test('pickle brings objects with such names back, in the order of JavaScript', () => {
    for (const value of [
      { 1000: 'a', name: 'b', 3: 'c' },
      { '0123': 1, '-1': 2, 1023: 3, 4294967294: 4, 4294967295: 5 },
      JSON.parse('{"__proto__": 1, "1000": 2}'),
      Object.fromEntries(Array.from({ length: 300 }, (_, index) => [index, index])),
      Object.fromEntries(Array.from({ length: 30 }, (_, index) => [index * 100, index])),
    ]) {
      const read = decodePickle(encodePickle(value)) as object
      expect(read).toEqual(value)
      expect(Object.keys(read)).toEqual(Object.keys(value))
      expect(Object.getOwnPropertyDescriptors(read)).toEqual(Object.getOwnPropertyDescriptors(value))
    }
  })

  test('msgpack: a record counts as the memory that it takes', () => {
    const { decode, encode } = createMsgpackSerializer(msgpackr)
    const records = (name: string, count: number) => {
      const definition = [0xd4, 0x72, 0x40, 0x91, 0xa0 + name.length, ...Buffer.from(name), 1]
      const head = Buffer.alloc(5, 0xdd)
      head.writeUInt32BE(count, 1)
      return Buffer.concat([
        head,
        Buffer.from(definition),
        Buffer.alloc((count - 1) * 2, '\x40\x01', 'latin1'),
      ])
    }
    for (const name of ['1000', '0999', 'a999', '9999', '7', '20']) {
      expect(decode(records(name, 5_000))).toHaveLength(5_000)
    }
    expect(() => decode(records('1000', 10_000))).toThrow(/more than 1,000,000 parts/)
    for (const name of ['0999', 'a999', '7']) expect(decode(records(name, 10_000))).toHaveLength(10_000)
    // Of few bytes, and refused when it is written.
    expect(() => encode(Array.from({ length: 10_000 }, () => ({ 1000: 1 })))).toThrow(/more than 1,000,000/)
    const ordinary = Array.from({ length: 2_000 }, (_, id) => ({ [id]: id, 10: 'x', 1000: 'y', name: 'z' }))
    expect(decode(Buffer.from(encode(ordinary) as Uint8Array))).toEqual(ordinary)
  })

  test('msgpack: so does a record of a dictionary', () => {
    const packer = new RecordPacker(msgpackr, [['1000'], ['name']], () => {})
    const bytes = Buffer.from(packer.pack(Array.from({ length: 5_000 }, () => ({ 1000: 1 }))))
    expect(packer.unpack(bytes, 0)).toHaveLength(5_000)
    const many = Array.from({ length: 10_000 }, () => ({ 1000: 1 }))
    expect(() => packer.pack(many)).toThrow(/more than 1,000,000/)
    expect(packer.pack(Array.from({ length: 10_000 }, () => ({ name: 1 }))).length).toBeGreaterThan(20_000)
  })
})

test('elements count as no fewer parts than V8 makes room for', () => {
  setFlagsFromString('--allow-natives-syntax')
  const isTable = new Function('object', 'return %HasDictionaryElements(object)') as (
    object: object,
  ) => boolean
  const gap = fc.oneof(
    { arbitrary: fc.integer({ min: 1, max: 30 }), weight: 50 },
    fc.integer({ min: 1, max: 1_100 }),
  )
  const indices = fc
    .tuple(fc.array(gap, { minLength: 1, maxLength: 1_200, size: 'max' }), fc.boolean())
    .map(([gaps, isDescending]) => {
      let index = -1
      const ascending = gaps.map((step) => (index += step))
      return isDescending ? ascending.reverse() : ascending
    })
  const kinds = { array: 0, table: 0 }
  fc.assert(
    fc.property(indices, (sequence) => {
      const store = new ElementStore()
      const object: Record<number, boolean> = {}
      for (const index of sequence) {
        store.add(index)
        object[index] = true
      }
      kinds[isTable(object) ? 'table' : 'array']++
      const slots = isTable(object) ? 0 : Math.max(...sequence) + 1
      expect(store.parts).toBeGreaterThanOrEqual(Math.floor((slots - 16 - 4 * sequence.length) / 12))
      expect(store.parts).toBeLessThanOrEqual(420 + 3 * sequence.length)
    }),
    { numRuns: 2_000 },
  )
  expect(Math.min(kinds.array, kinds.table)).toBeGreaterThan(100)
})
