import { serialize } from 'node:v8'
import { MemoryCacheBackend } from 'cachewright/memory'
import * as msgpackr from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { createMsgpackSerializer } from '../../src/codec/msgpack/msgpack.ts'
import { PackedCheck } from '../../src/codec/msgpack/packed-check.ts'
import { decodePickle } from '../../src/codec/pickle/pickle-reader.ts'
import { encodePickle } from '../../src/codec/pickle/pickle-writer.ts'
import { hashOf } from '../../src/codec/refusals/member-hashes.ts'
import { v8Serializer } from '../../src/codec/v8/v8.ts'
import { V8Check } from '../../src/codec/v8/v8-check.ts'
import { bigintsOfOneEnd, bigintsOfOneHash, floatsOfOneHash, integersOfOneHash } from './equal-hashes.ts'

const COUNT = 2_500
/** So many of one hash take no long time. */
const FEW = 1_000
const FLOODS: Readonly<Record<string, readonly (number | bigint)[]>> = {
  'bigints that share their lowest 64 bits': bigintsOfOneEnd(COUNT, 1n),
  'negative bigints that share their lowest 64 bits': bigintsOfOneEnd(COUNT, -1n),
  'bigints of 64 bits with one hash': bigintsOfOneHash(COUNT),
  'floats with one hash': floatsOfOneHash(COUNT),
  'integers with one hash': integersOfOneHash(COUNT),
}

/** Members that nobody has computed, of the kinds that are most alike. */
const ORDINARY: Readonly<Record<string, readonly unknown[]>> = {
  integers: Array.from({ length: 20_000 }, (_, index) => index),
  'multiples of 65,536': Array.from({ length: 20_000 }, (_, index) => index * 65_536),
  'negative multiples of 1,000': Array.from({ length: 20_000 }, (_, index) => -index * 1_000),
  times: Array.from({ length: 20_000 }, (_, index) => 1_700_000_000_000 + index * 60_000),
  floats: Array.from({ length: 20_000 }, (_, index) => index / 8 + 0.1),
  bigints: Array.from({ length: 20_000 }, (_, index) => BigInt(index) << 40n),
  'long bigints': Array.from({ length: 2_000 }, (_, index) => 3n ** 50n * BigInt(index - 1_000)),
  'networks of IPv6': Array.from({ length: 1_000 }, (_, index) => BigInt(0x2001_0db8_0000 + index) << 64n),
  'multiples of 2^128': Array.from({ length: 1_000 }, (_, index) => BigInt(index) << 128n),
  strings: Array.from({ length: 20_000 }, (_, index) => `key ${index}`),
}

const ids = (count: number, first: number) => Array.from({ length: count }, (_, at) => first * count + at)

const isSafe = (bigint: bigint) => Number.isSafeInteger(Number(bigint))

const packr = new msgpackr.Packr({ structuredClone: true, moreTypes: true, useBigIntExtension: true })
const packed = (value: unknown) => Buffer.from(packr.pack(value))
const check = (bytes: Buffer) => new PackedCheck([], false).assert(bytes, 0)

describe('numbers with equal hashes are refused as members of a set and as keys of a map', () => {
  test.each(Object.entries(FLOODS))('msgpack: %s', (_, members) => {
    check(packed(members))
    check(packed(members.slice(0, FEW)))
    expect(() => check(packed(new Set(members)))).toThrow(/equal hashes/)
    expect(() => check(packed(new Map(members.map((key) => [key, { key }]))))).toThrow(/equal hashes/)
    check(packed(new Map(members.map((value, key) => [key, value]))))
    const { encode } = createMsgpackSerializer(msgpackr)
    expect(() => encode(new Set(members))).toThrow(/equal hashes/)
  })

  test.each(Object.entries(FLOODS))('v8: %s', (_, members) => {
    const checkV8 = (value: unknown) => new V8Check().assert(serialize(value))
    checkV8(members)
    checkV8(new Set(members.slice(0, FEW)))
    expect(() => checkV8(new Set(members))).toThrow(/equal hashes/)
    expect(() => checkV8(new Map(members.map((key) => [key, { key }])))).toThrow(/equal hashes/)
    checkV8(new Map(members.map((value, key) => [key, value])))
    expect(() => v8Serializer.encode(new Set(members))).toThrow(/equal hashes/)
  })

  test('msgpack: pointers to such bigints', () => {
    const bigints = bigintsOfOneHash(COUNT)
    const number = (type: number, id: number) => Buffer.of(0xd6, type, 0, 0, id >> 8, id & 0xff)
    const list = Buffer.of(0xdc, COUNT >> 8, COUNT & 0xff)
    const bytes = Buffer.concat([
      Buffer.of(0x92),
      list,
      ...bigints.flatMap((bigint, id) => [number(0x69, id), packed(bigint)]),
      Buffer.of(0xd4, 0x73, 0),
      list,
      ...bigints.map((_bigint, id) => number(0x70, id)),
    ])
    expect(() => check(bytes)).toThrow(/equal hashes/)
  })

  test('many buckets, none of which holds many', () => {
    const buckets = new Map<number, number[]>()
    for (let key = 0; key < 8_000_000; key++) {
      const bucket = hashOf(key) & 0x7fff
      if (bucket >= 128) continue
      const keys = buckets.get(bucket) ?? []
      buckets.set(bucket, keys)
      if (keys.length < 240) keys.push(key)
    }
    const ordinary = Array.from({ length: 32_768 }, (_, key) => -1 - key)
    const most = new Set([...[...buckets.values()].flat(), ...ordinary].slice(0, 32_768))
    expect(() => new V8Check().assert(serialize(most))).toThrow(/equal hashes/)
    new V8Check().assert(serialize(new Set(ordinary)))
  })

  test.each(Object.entries(FLOODS))('pickle: %s', (_, members) => {
    const few = new Set(members.slice(0, FEW))
    expect(decodePickle(encodePickle(few))).toHaveProperty('size', FEW)
    const list = encodePickle(members)
    expect(decodePickle(list)).toHaveLength(COUNT)
    // The same items as members of a set, as keys of a dict, each by itself, and as the argument of a call.
    const items = list.subarray(4, -3).toString('latin1')
    expect(list.toString('latin1')).toBe(`\x80\x04](${items}e\x94.`)
    const each = members.map((member) => encodePickle(member).subarray(2, -1).toString('latin1'))
    for (const pickle of [
      `\x80\x04\x8f(${items}\x90.`,
      `\x80\x04(${items}\x91.`,
      `\x80\x04}(${each.join('N')}Nu.`,
      `\x80\x04(${each.join('N')}Nd.`,
      `\x80\x04}${each.join('Ns')}Ns.`,
      `cbuiltins\nset\n](${items}e\x85R.`,
    ]) {
      expect(() => decodePickle(Buffer.from(pickle, 'latin1'))).toThrow(/equal hashes/)
    }
    expect(() => encodePickle(new Set(members))).toThrow(/equal hashes/)
    expect(() => encodePickle(new Map(members.map((key) => [key, 1])))).toThrow(/equal hashes/)
  })

  const small = Array.from({ length: 2_000 }, (_, at) => floatsOfOneHash(17 + (at % 100)))
  const many = floatsOfOneHash(200)
  const FORMS: Readonly<Record<string, (value: unknown) => void>> = {
    msgpack: (value) => check(packed(value)),
    'msgpack, written': (value) => void createMsgpackSerializer(msgpackr).encode(value),
    v8: (value) => new V8Check().assert(serialize(value)),
    'v8, written': (value) => void v8Serializer.encode(value),
    'pickle, written': (value) => void encodePickle(value),
  }

  test.each(Object.entries(FORMS))('%s: many small maps and sets of one value', (_, form) => {
    form(small.slice(0, 900).map((members) => new Set(members)))
    expect(() => form(small.map((members) => new Set(members)))).toThrow(/equal hashes/)
    const maps = Array.from({ length: 400 }, () => new Map<unknown, unknown>(many.map((key) => [key, 1])))
    expect(() => form(maps.reduce((inner, map) => map.set('inner', inner)))).toThrow(/equal hashes/)
    // Those of no more than 16 take few steps, and those that are shared are filled once.
    form(Array.from({ length: 20_000 }, () => new Set(floatsOfOneHash(3))))
    const shared = new Set(floatsOfOneHash(FEW))
    form(Array.from({ length: 20 }, () => shared))
    form(Array.from({ length: 10_000 }, (_, id) => new Map(ids(20, id).map((key) => [key, key]))))
    form(Array.from({ length: 2_000 }, (_, id) => new Set(ids(200, id))))
  })

  test('pickle: many small sets of numbers in the memo, and calls of a set with one list', () => {
    const floats = floatsOfOneHash(200)
    const numbers = floats.map((float) => encodePickle(float).subarray(2, -1).toString('latin1'))
    const memo = numbers.map((number, at) => `${number}q${String.fromCharCode(at)}0`).join('')
    const set = `\x8f(${floats.map((_, at) => `h${String.fromCharCode(at)}`).join('')}\x90`
    const sets = (count: number) => Buffer.from(`${memo}](${set.repeat(count)}e.`, 'latin1')
    expect(decodePickle(sets(100))).toHaveLength(100)
    expect(() => decodePickle(sets(200))).toThrow(/equal hashes/)
    const list = `cbuiltins\nfrozenset\nq\x000](${numbers.join('')}e\x85q\x010`
    const calls = (count: number) =>
      Buffer.from(`(${'N'.repeat(100_000)}1${list}](${'h\0h\x01R'.repeat(count)}e.`, 'latin1')
    expect(decodePickle(calls(100))).toHaveLength(100)
    expect(() => decodePickle(calls(200))).toThrow(/equal hashes/)
  })

  test('pickle: a call of a set is charged for the members of its list', () => {
    const list = `cbuiltins\nset\nq\x000](${Array.from({ length: 200 }, (_, at) => `K${String.fromCharCode(at)}`).join('')}e\x85q\x010`
    const calls = (count: number) => Buffer.from(`${list}](${'h\0h\x01R'.repeat(count)}e.`, 'latin1')
    expect(decodePickle(calls(1))).toHaveLength(1)
    expect(() => decodePickle(calls(3))).toThrow(/calls that make more/)
  })

  test('pickle: sets that Python writes in parts', () => {
    const each = bigintsOfOneEnd(COUNT, 1n).map((member) =>
      encodePickle(member).subarray(2, -1).toString('latin1'),
    )
    const parts = (count: number) =>
      Array.from({ length: count / 500 }, (_, at) => `(${each.slice(at * 500, at * 500 + 500).join('')}\x90`)
    expect(decodePickle(Buffer.from(`\x8f${parts(1_000).join('')}.`, 'latin1'))).toHaveProperty('size', 1_000)
    expect(() => decodePickle(Buffer.from(`\x8f${parts(COUNT).join('')}.`, 'latin1'))).toThrow(/equal hashes/)
  })

  test('pickle: bigints that are read as numbers', () => {
    const bigints = integersOfOneHash(COUNT).map(BigInt)
    expect(() => encodePickle(new Set(bigints))).toThrow(/equal hashes/)
  })

  test('pickle: keys that are large floats take no long time to be compared', () => {
    const floats = Array.from({ length: 20_000 }, (_, index) => (index + 1) * 2 ** 120)
    const started = performance.now()
    expect(decodePickle(encodePickle(new Set(floats)))).toEqual(new Set(floats))
    expect(performance.now() - started).toBeLessThan(1_500)
  })

  test('pickle: a long negative bigint is not copied for each set that has it', () => {
    const pickleOf = (length: number) => {
      const bigint = Buffer.alloc(length, 0x11)
      bigint[length - 1] = 0x80
      const head = Buffer.alloc(4)
      head.writeUInt32LE(length)
      return Buffer.concat([
        Buffer.from(`(${'N'.repeat(2_600_000 - length)}1cbuiltins\nset\nq\x010](`, 'latin1'),
        Buffer.from(Array.from({ length: 256 }, (_, byte) => [0x4b, byte]).flat()),
        ...[Buffer.of(0x8b), head, bigint],
        Buffer.from(`e\x85q\x020${'h\x01h\x02R0'.repeat(5_000)}N.`, 'latin1'),
      ])
    }
    const timeOf = (pickle: Buffer) => {
      const started = performance.now()
      expect(decodePickle(pickle)).toBeNull()
      return performance.now() - started
    }
    expect(timeOf(pickleOf(1_000_000))).toBeLessThan(200 + 5 * timeOf(pickleOf(16)))
  })

  test('pickle: a memo has no arbitrary indices', () => {
    expect(() => decodePickle(Buffer.from('Nr\xff\xff\xff\x7f.', 'latin1'))).toThrow(/memo index/)
    expect(() => decodePickle(Buffer.from('Np99\n.'))).toThrow(/memo index/)
    expect(decodePickle(Buffer.from('Np1\n.'))).toBeNull()
  })

  test.each(Object.entries(ORDINARY))('ordinary %s are read again', (_, members) => {
    const { decode, encode } = createMsgpackSerializer(msgpackr)
    const map = new Map(members.map((key, value) => [key, value]))
    for (const value of [new Set(members), map]) {
      expect(decode(Buffer.from(encode(value) as Uint8Array))).toEqual(value)
      expect(v8Serializer.decode(Buffer.from(v8Serializer.encode(value) as Uint8Array))).toEqual(value)
      const asDict = value instanceof Map && typeof members[0] === 'string'
      const isExact = members.every((member) => typeof member !== 'bigint' || !isSafe(member))
      if (isExact)
        expect(decodePickle(encodePickle(value))).toEqual(asDict ? Object.fromEntries(value) : value)
    }
  })

  test('the store refuses what it would not read', async () => {
    const backend = new MemoryCacheBackend({ serializer: 'msgpack', errors: 'throw' })
    const value = { members: new Set(floatsOfOneHash(COUNT)) }
    await expect(backend.set('key', value)).rejects.toMatchObject({ code: 'CACHE_VALUE_TOO_LARGE' })
    await backend.shutdown()
  })
})
