import { serialize } from 'node:v8'
import { MemoryCacheBackend } from 'cachewright/memory'
import { describe, expect, test } from 'vitest'
import { handOut, isolate } from '../../src/cache/local/isolation.ts'
import { LimitExceeded } from '../../src/codec/refusals/limits.ts'
import { v8Serializer } from '../../src/codec/v8/v8.ts'
import { V8Check } from '../../src/codec/v8/v8-check.ts'
import { trials } from '../support/trials.ts'
import { Chance } from './fuzz/chance.ts'

const MIB = 1024 * 1024
const HEADER = '\xff\x0f'

function bytesOf(text: string): Buffer {
  return Buffer.from(HEADER + text, 'latin1')
}

/** A number as the format has it: seven bits in each byte. */
function number(value: number): string {
  return value < 0x80
    ? String.fromCharCode(value)
    : String.fromCharCode((value % 0x80) + 0x80) + number(Math.floor(value / 0x80))
}

/** An array of `count` equal items. */
function list(item: string, count: number): Buffer {
  return bytesOf(`A${number(count)}${item.repeat(count)}$\0${number(count)}`)
}

/** A bigint of 128 bits. */
function bigint(lowest64: number, highest64: number): string {
  const digits = Buffer.alloc(16)
  digits.writeBigUInt64LE(BigInt(lowest64), 0)
  digits.writeBigUInt64LE(BigInt(highest64), 8)
  return `Z\x20${digits.toString('latin1')}`
}

const decode = (bytes: Buffer) => v8Serializer.decode(bytes)
const thousands = (count: number, item: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => item(at)).join('')

describe('what a payload of v8 claims is there, before V8 allocates it', () => {
  test.each<[string, string]>([
    ['arrays within one another that claim most of the payload', `A${number(900_000)}`.repeat(400)],
    ['an array that is longer than its items', 'A\x02I\x02$\0\x02'],
    ['an array whose end is of another length', 'A\x01I\x02$\0\x02'],
    ['an array with an item among its properties', 'A\x01I\x02I\x0aI\x02$\x01\x01'],
    ['an array with an item beyond its length', 'a\x01I\x0aI\x02@\x01\x01'],
    ['an array with an item beyond its length, named by text', 'a\x01"\x011I\x02@\x01\x01'],
    ['an object with fewer properties', 'o"\x01aI\x02{\x02'],
    ['a string that is longer than the payload', '"\x7fab'],
    ['a string of half characters', 'c\x01a'],
    ['a bigint that is longer than the payload', 'Z\xfe\xff\xff\xff\x07'],
    ['a buffer that is longer than the payload', 'B\x7f'],
    ['a view that is longer than the payload', '\\\x01\x7f'],
    ['a view of an unknown kind', '\\\x0e\0'],
    ['a view of half an item', '\\\x08\x01a'],
    ['a length of more than 32 bits', '"\xff\xff\xff\xff\x7f'],
    ['a number that goes on', 'I\xff\xff\xff\xff\xff\x01'],
    ['a name that is an object', 'oo{\0I\x02{\x01'],
    ['a regular expression of an array', 'RA\0$\0\0\0'],
    ['an error whose message is an array', 'rmA\0$\0\0.'],
    ['an error with two stacks', 'rs"\0s"\0.'],
    ['an error without its end', 'rm"\0'],
    ['a view of a buffer', 'B\x01aVB\0\x01\0'],
    ['a shared buffer', 'u\0'],
    ['a transferred buffer', 't\0'],
    ['a shared object', 'p\0'],
    ['a module of WebAssembly', 'w\0'],
    ['bytes after the value', '0\0'],
    ['a map that does not end', ';0'],
    ['nothing', ''],
  ])('%s is refused', (_, text) => {
    expect(() => new V8Check().assert(bytesOf(text))).toThrow(/./)
    expect(() => decode(bytesOf(text))).toThrow(/./)
  })

  test('other versions of the format are refused', () => {
    for (const header of ['', '\xff\x00', '\xff\x0d', '\xff\x7f'])
      expect(() => decode(Buffer.from(`${header}0`, 'latin1'))).toThrow(/./)
    expect(serialize(0)[1]).toBe(15)
  })
})

describe('what takes more memory than its bytes counts for more', () => {
  test.each<[string, () => Buffer]>([
    ['a sparse array of 15 bytes', () => bytesOf(`a${number(2 ** 32 - 1)}@\0${number(2 ** 32 - 1)}`)],
    ['sparse arrays', () => list(`a${number(100_000)}@\0${number(100_000)}`, 11)],
    ['objects with a name that is a large index', () => list('oI\xfe\x0f0{\x01', 10_000)],
    ['objects with such a name as a text', () => list('o"\x0410000{\x01', 10_000)],
    [
      'objects with such a name as a text of two bytes',
      () => list('oc\x081\x000\x000\x000\x000{\x01', 10_000),
    ],
    ['objects with two such names', () => list('oI\xfe\x0f0I\x9e\x280{\x02', 5_000)],
    ['empty views', () => list('\\\x01\0', 170_000)],
    ['empty buffers of memory', () => list('B\0', 260_000)],
    ['resizable buffers', () => list('~\0\x01', 30_000)],
    ['a resizable buffer that may take the whole memory', () => list(`~\0${number(2 ** 31)}`, 3)],
    ['errors', () => list('r.', 340_000)],
    ['regular expressions', () => list('R"\0\0', 510_000)],
    ['a long regular expression', () => bytesOf(`R"${number(MIB)}${'a'.repeat(MIB)}\0`)],
    ['properties in a regular expression', () => bytesOf(`R"${number(606)}${'\\p{L} '.repeat(101)}\x10`)],
    ['such properties in a wide one', () => bytesOf(`Rc${number(808)}${'\\\0P\0{\0L\0'.repeat(101)}\x10`)],
    ['maps', () => list(';:\0', 340_000)],
    ['sets', () => list("',\0", 340_000)],
    ['dates', () => list(`D${'\0'.repeat(8)}`, 1_000_001)],
    ['boxed values', () => list('y', 1_000_001)],
    ['objects', () => list('o{\0', 1_000_001)],
  ])('%s', (_, payload) => {
    expect(() => decode(payload())).toThrow(LimitExceeded)
  })

  test('bigints that share their lowest 64 bits have a bound in one set, or as keys of one map', () => {
    const alike = (count: number) => thousands(count, (at) => bigint(7, at + 1))
    const set = (count: number) => bytesOf(`'${alike(count)},${number(count)}`)
    expect(decode(set(2_000))).toHaveProperty('size', 2_000)
    expect(() => decode(set(2_100))).toThrow(/equal hashes/)
    const keys = thousands(2_100, (at) => `${bigint(7, at + 1)}0`)
    expect(() => decode(bytesOf(`;${keys}:${number(4_200)}`))).toThrow(/equal hashes/)
    const values = thousands(2_100, (at) => `I${number(2 * at)}${bigint(7, at + 1)}`)
    expect(decode(bytesOf(`;${values}:${number(4_200)}`))).toHaveProperty('size', 2_100)
    const others = new Set(Array.from({ length: 20_000 }, (_, at) => (1n << 64n) + BigInt(at)))
    expect(decode(Buffer.from(v8Serializer.encode(others) as Buffer))).toEqual(others)
  })

  test('objects whose names are ids do not', () => {
    for (const step of [1, 15, 900, 2_000]) {
      const byId: Record<string, number> = {}
      for (let id = 0; id < 50_000; id++) byId[id * step] = id
      expect(decode(serialize(byId))).toEqual(byId)
    }
  })
})

describe('what v8 writes is read, or refused when it is written', () => {
  const holes = [1, undefined, 3]
  delete holes[1]
  const shared = { tags: ['a', 'ü', '€', ''] }
  const cycle: Record<string, unknown> = { shared, again: [shared, shared] }
  cycle.self = cycle
  const views = [
    ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
    ...[Float32Array, Float64Array],
  ].map((View) => View.of(1, 2, 3))
  const VALUES: Readonly<Record<string, unknown>> = {
    primitives: [
      undefined,
      null,
      true,
      false,
      '',
      'a',
      'ü',
      '€',
      0,
      -0,
      -1,
      2 ** 31,
      2 ** 53,
      1.5,
      Number.NaN,
    ],
    bigints: [0n, -1n, 2n ** 64n, -(2n ** 200n)],
    arrays: [
      [],
      holes,
      [1.5, 2.5],
      Array(5),
      Array(70_000),
      Object.assign([1], { name: 'x' }),
      'x'.match(/x/),
    ],
    objects: { '': 0, 7: 1, 1000: 2, '01': 3, '-1': 4, 1.5: 5, 4294967295: 6, 4294967294: 7, '€': 8, a: {} },
    boxed: [Object(true), Object(false), Object(1.5), Object('x'), Object('€'), Object(3n)],
    dates: [new Date(0), new Date(Number.NaN)],
    expressions: [/x/, /€+/dgimsuy, ...['[a&&b]'].map((source) => new RegExp(source, 'v'))],
    maps: new Map<unknown, unknown>([
      [{ a: 1 }, new Map()],
      ['k', new Set([1, 'a', 2n, null])],
    ]),
    errors: [new Error('x'), new TypeError('€'), new RangeError(), new URIError('u'), new EvalError('e')],
    views: [...views, BigInt64Array.of(1n), BigUint64Array.of(2n), new DataView(new ArrayBuffer(3))],
    buffers: [Buffer.from('abc'), new ArrayBuffer(4), Buffer.alloc(0), new Uint8Array(70_000)],
    cycle,
    'long texts': { text: 'x'.repeat(100_000), '€': '€'.repeat(1_000), [`${'n'.repeat(200)}`]: 1 },
  }

  test.each(Object.keys(VALUES))('%s', (name) => {
    const bytes = Buffer.from(v8Serializer.encode(VALUES[name]) as Buffer)
    expect(decode(bytes)).toEqual(VALUES[name])
  })

  test('an error with a cause, in the order of Node 20 and that of later versions', () => {
    const error = decode(bytesOf('rRm"\x01mc"\x01cs"\x01S.')) as Error
    expect(error).toMatchObject({ name: 'RangeError', message: 'm', cause: 'c', stack: 'S' })
    expect(() => new V8Check().assert(bytesOf('rRm"\x01ms"\x01Sc"\x01c.'))).not.toThrow()
  })

  const Resizable = ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer
  const many = <Item>(count: number, item: (at: number) => Item) =>
    Array.from({ length: count }, (_, at) => item(at))
  test.each<[string, () => unknown]>([
    ['a long array of holes', () => Object.assign([], { 4294967290: 1 })],
    ['long arrays of holes', () => many(11, () => Array(100_000))],
    ['objects with a large index', () => many(10_000, () => ({ 1000: 0 }))],
    ['resizable buffers', () => many(3, () => new Resizable(0, { maxByteLength: 2 ** 31 }))],
    ['bigints that are alike', () => new Set(many(2_100, (at) => BigInt(at) << 64n))],
    ['properties in a regular expression', () => new RegExp('\\p{L}'.repeat(101), 'u')],
    ['a long regular expression', () => new RegExp('a'.repeat(MIB))],
  ])('%s: too much', async (_, make) => {
    const backend = new MemoryCacheBackend({ serializer: 'v8', errors: 'throw', maxBytes: 64 * MIB })
    await expect(backend.set('key', make())).rejects.toMatchObject({ code: 'CACHE_VALUE_TOO_LARGE' })
    await backend.shutdown()
  })

  test('whatever the check admits of mutated payloads is decoded or refused by V8, with bounded parts', () => {
    const chance = new Chance(20_261)
    const seeds = Object.values(VALUES).map((value) => Buffer.from(v8Serializer.encode(value) as Buffer))
    const small = seeds.filter((bytes) => bytes.length < 2_000)
    const tally = { admitted: 0, decoded: 0 }
    for (let count = trials(4_000, 15_000, 100_000); count > 0; count--) {
      let bytes: Buffer = chance.pick(small)
      for (let rounds = 1 + chance.below(3); rounds > 0; rounds--) bytes = chance.mutateBytes(bytes)
      try {
        new V8Check().assert(bytes)
        tally.admitted++
        decode(bytes)
        tally.decoded++
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
      }
    }
    expect(tally.decoded).toBeGreaterThan(tally.admitted / 2)
  })
})

describe('isolation of values with far indices', () => {
  test('a long array of holes is copied, and frozen, without visiting each hole', () => {
    const holes: unknown[] = []
    holes[4_294_967_290] = { a: 1 }
    for (const isolation of ['clone', 'freeze'] as const) {
      const given = handOut<unknown[]>(isolate(holes, isolation))
      expect(given.length).toBe(4_294_967_291)
      expect(Object.keys(given)).toEqual(['4294967290'])
      expect(given[4_294_967_290]).toEqual({ a: 1 })
    }
    expect(Object.isFrozen(holes[4_294_967_290])).toBe(true)
  })

  test('holes stay holes', () => {
    const source: unknown[] = [1, undefined]
    source[3] = { a: 1 }
    source.length = 5
    const copy = handOut<unknown[]>(isolate(source, 'clone'))
    expect(copy).toStrictEqual(source)
    expect(Object.keys(copy)).toEqual(['0', '1', '3'])
    expect(copy[3]).not.toBe(source[3])
  })

  test('an object with a large index is copied without room for all smaller ones', () => {
    const source = Array.from({ length: 20_000 }, () => JSON.parse('{"1000":0,"a":1}') as unknown)
    const before = process.memoryUsage().heapUsed
    const copy = handOut<unknown[]>(isolate(source, 'clone'))
    // V8 makes room for 1,500 properties otherwise, which takes 240 MB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(60 * MIB)
    expect(copy).toEqual(source)
  })

  test('errors that share a cause share its copy', () => {
    const cause = { list: [1, 2] }
    const error = Object.assign(new TypeError('m', { cause }), { stack: 'S' })
    const source = [cause, error, new Error('other', { cause: error })]
    const [part, first, second] = handOut<[object, Error, Error]>(isolate(source, 'clone'))
    expect(first).toBeInstanceOf(TypeError)
    expect(Object.getOwnPropertyDescriptors(first)).toEqual(
      Object.getOwnPropertyDescriptors(structuredClone(error)),
    )
    expect(first.cause).toBe(part)
    expect(second.cause).toBe(first)
    expect([part, first]).not.toContain(cause)
  })
})
