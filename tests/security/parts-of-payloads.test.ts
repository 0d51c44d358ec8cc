import { serialize } from 'node:v8'
import { MemoryCacheBackend } from 'cachewright/memory'
import * as msgpackr from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { createMsgpackSerializer } from '../../src/codec/msgpack/msgpack.ts'
import { decodePickle } from '../../src/codec/pickle/pickle-reader.ts'
import { encodePickle } from '../../src/codec/pickle/pickle-writer.ts'
import { v8Serializer } from '../../src/codec/v8/v8.ts'

/** The class of a date in the memo at 1, and the arguments of one at 2. */
const DATE = [
  'cdatetime\ndatetime\nq\x010C\x0a\x07\xd0\x01\x01\0\0\0\0\0\0',
  'cdatetime\ntimezone\ncdatetime\ntimedelta\nK\0K\0K\0\x87R\x85R\x86q\x020',
].join('')

const msgpack = createMsgpackSerializer(msgpackr)

describe('what takes memory counts as parts', () => {
  test('msgpack: many kinds of records, errors, regular expressions, byte strings and typed arrays have a bound', () => {
    const decode = (hex: string) => msgpack.decode(Buffer.from(hex, 'hex'))
    const list = (item: string, count: number) =>
      `dd${count.toString(16).padStart(8, '0')}${item.repeat(count)}`
    // A shape without names, and three more records of it: msgpackr compiles a reader.
    const shape = 'd4724090404040'
    expect(() => decode(`dd${(4 * 70_000).toString(16).padStart(8, '0')}${shape.repeat(70_000)}`)).toThrow(
      /kinds of records/,
    )
    expect(() => decode(list('d4650093a54572726f72a0c0', 20_000))).toThrow(/parts/)
    expect(() => decode(list('d4780092a0a0', 20_000))).toThrow(/parts/)
    expect(decode(list('d4650093a54572726f72a0c0', 10_000))).toHaveLength(10_000)
    // Each takes some 100 bytes of memory a part.
    const ids = Array.from({ length: 400_000 }, (_, id) => `d669${id.toString(16).padStart(8, '0')}c0`).join(
      '',
    )
    for (const [item, parts] of [
      ['c400', 2],
      ['c50000', 2],
      ['d47410', 3],
      ['d47401', 3],
    ] as const) {
      const most = Math.floor(999_999 / parts)
      expect(decode(list(item, most)), item).toHaveLength(most)
      expect(() => decode(list(item, most + 1)), item).toThrow(/parts/)
    }
    expect(decode(`dd00061a80${ids}`)).toHaveLength(400_000)
    expect(() => decode(`92${list('90', 200_000)}dd00061a80${ids}`)).toThrow(/parts/)
  })

  test('msgpack: the ids of names count as those of values', () => {
    const shapes = (count: number) =>
      Array.from({ length: count }, (_, id) => `d47240d669${id.toString(16).padStart(8, '0')}90`).join('')
    const list = (count: number) =>
      Buffer.from(`dd${count.toString(16).padStart(8, '0')}${shapes(count)}`, 'hex')
    expect(msgpack.decode(list(333_000))).toHaveLength(333_000)
    expect(() => msgpack.decode(list(333_334))).toThrow(/parts/)
  })

  test('msgpack: the cause of an error is a level deeper', () => {
    const nested = (levels: number) => Buffer.from(`${'d4650093a54572726f72a0'.repeat(levels)}c0`, 'hex')
    expect(msgpack.decode(nested(500))).toBeInstanceOf(Error)
    expect(() => msgpack.decode(nested(501))).toThrow(/500 levels/)
  })

  test('pickle: byte strings, and dates whose arguments are shared', () => {
    const list = (item: string, count: number, head = '') =>
      Buffer.from(`](${head}${item.repeat(count)}e.`, 'latin1')
    expect(decodePickle(list('C\0', 999_999))).toHaveLength(999_999)
    expect(() => decodePickle(list('C\0', 1_000_000))).toThrow(/parts/)
    // A reference makes nothing.
    expect(decodePickle(list('h\0', 1_200_000, 'C\0q\0'))).toHaveLength(1_200_001)
    expect(decodePickle(list('h\x01h\x02R', 5, DATE))).toHaveLength(5)
    expect(() => decodePickle(list('h\x01h\x02R', 10_000, DATE))).toThrow(/calls that make more/)
  })

  test('pickle: what is written counts as when it is read', () => {
    const dates = Array.from({ length: 1_000 }, (_, day) => new Date(day * 86_400_000))
    expect(decodePickle(encodePickle(dates))).toEqual(dates)
    const none = new Uint8Array()
    const shared = Array.from({ length: 1_100_000 }, () => none)
    expect(decodePickle(encodePickle(shared))).toHaveLength(1_100_000)
    expect(() => encodePickle(Array.from({ length: 1_000_000 }, () => new Uint8Array()))).toThrow(/parts/)
  })
})

/** Patterns that V8 needs more time or memory to read than their bytes tell, each with its flags. */
const HEAVY_PATTERNS: Readonly<Record<string, readonly [string, string]>> = {
  'properties, with the flag u': ['\\p{L}'.repeat(101), 'u'],
  'negated properties, with the flag u': ['\\P{Lu}'.repeat(101), 'u'],
  'properties, with the flag v': ['\\p{RGI_Emoji}'.repeat(34), 'v'],
  'classes within one another': [`${'['.repeat(100)}\\p{RGI_Emoji}${']'.repeat(100)}`, 'v'],
  'classes of which others are taken away': [`[\\W${'--[^a]'.repeat(100)}]`, 'iv'],
  'many classes': ['[\\W]'.repeat(100), 'iv'],
  'classes around many texts': [`[[[[[\\q{${'abc|'.repeat(60_000)}}]]]]]`, 'v'],
  'a long text': ['a'.repeat(1_000_000), ''],
}
const LIGHT_PATTERNS: readonly RegExp[] = [
  new RegExp('\\p{L}'.repeat(90), 'u'),
  new RegExp('[a-z]'.repeat(2_000), 'u'),
  new RegExp('\\[\\\\p'.repeat(100), 'v'),
  new RegExp('学'.repeat(1_000), 'v'),
  new RegExp('[\\p{L}--[a-z]]'.repeat(10), 'v'),
]

describe('regular expressions count as the time and memory that V8 needs for them', () => {
  const fromHex = (text: string) => Buffer.from(text, 'hex')
  /** As msgpackr writes a regular expression, without making it. */
  function packed([source, flags]: readonly [string, string]): Buffer {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(source.length)
    return Buffer.concat([
      fromHex('d4780092db'),
      length,
      Buffer.from(source),
      Buffer.of(0xa0 + flags.length),
      Buffer.from(flags),
    ])
  }

  test.each(Object.entries(HEAVY_PATTERNS))('%s', async (_, pattern) => {
    expect(() => msgpack.decode(packed(pattern))).toThrow(/parts/)
    const value = new RegExp(...(pattern as [string, string]))
    for (const serializer of ['msgpack', 'v8'] as const) {
      const backend = new MemoryCacheBackend({ serializer, errors: 'throw' })
      await expect(backend.set('key', [value])).rejects.toMatchObject({ code: 'CACHE_VALUE_TOO_LARGE' })
      await backend.shutdown()
    }
    expect(() => v8Serializer.decode(serialize(value))).toThrow(/parts/)
  })

  test('several together, none of which is too heavy', () => {
    const patterns = Array.from({ length: 5 }, () => new RegExp('\\p{L}'.repeat(24), 'u'))
    for (const { encode, decode } of [msgpack, v8Serializer]) {
      expect(() => encode(patterns)).toThrow(/parts/)
      const four = patterns.slice(1)
      expect(decode(Buffer.from(encode(four) as Uint8Array))).toEqual(four)
    }
  })

  test('ordinary ones are read again', () => {
    for (const { encode, decode } of [msgpack, v8Serializer]) {
      for (const pattern of LIGHT_PATTERNS)
        expect(decode(Buffer.from(encode(pattern) as Uint8Array))).toEqual(pattern)
    }
  })
})
