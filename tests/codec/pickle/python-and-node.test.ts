import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodePickle } from '../../../src/codec/pickle/pickle-reader.ts'
import { encodePickle } from '../../../src/codec/pickle/pickle-writer.ts'
import { bytes, Python, SAME, uint32 } from './python.ts'

let python: Python

beforeAll(async () => {
  python = new Python()
  await python.ask('dump', 'None')
})

afterAll(() => python.close())

const nested = (depth: number): unknown[] => {
  let value: unknown[] = []
  for (let level = 1; level < depth; level++) value = [value]
  return value
}

describe('values that Python and Node share', () => {
  it.each(SAME)('Python writes %s and Node reads it, in every protocol', async (expression, value) => {
    for (const pickle of await python.dump(expression)) deepStrictEqual(decodePickle(pickle), value)
  })

  it.each(SAME)('Node writes %s and Python reads it', async (expression, value) => {
    expect(await python.ask('equal', [encodePickle(value).toString('hex'), expression])).toBe(true)
  })

  it('NaN stays NaN', async () => {
    for (const pickle of await python.dump('float("nan")')) expect(decodePickle(pickle)).toBeNaN()
    expect(await python.ask('show', encodePickle(Number.NaN).toString('hex'))).toBe('nan')
  })

  it('a date is time zone aware in Python, and -0 keeps its sign', async () => {
    const shown = await python.ask('show', encodePickle([new Date(1), -0, new Date(2)]).toString('hex'))
    expect(shown).toBe(
      '[datetime.datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=datetime.timezone.utc), -0.0, ' +
        'datetime.datetime(1970, 1, 1, 0, 0, 0, 2000, tzinfo=datetime.timezone.utc)]',
    )
  })

  it('Node reads its own values back after Python has rewritten them in every protocol', async () => {
    await fc.assert(
      fc.asyncProperty(plainData, async (value) => {
        deepStrictEqual(decodePickle(encodePickle(value)), value)
        for (const pickle of await python.echo(value)) deepStrictEqual(decodePickle(pickle), value)
      }),
      { numRuns: 400 },
    )
  }, 60_000)
})

const wellFormedText = fc.string({ unit: 'binary' })

const outsideSafeRange = fc.bigInt().filter((value) => !Number.isSafeInteger(Number(value)))

/** Keys of types that never compare equal in Python. */
const otherKey = fc.oneof(
  fc.maxSafeInteger(),
  outsideSafeRange,
  fc.double({ noNaN: true, noInteger: true, noDefaultInfinity: true }),
  fc.constant(null),
)

const date = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})

const { plainData } = fc.letrec((tie) => ({
  plainData: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.oneof(
      fc.constantFrom(null, true, false),
      fc.maxSafeInteger(),
      fc.integer(),
      outsideSafeRange,
      fc.double(),
      wellFormedText,
      fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
      date,
    ),
    fc.array(tie('plainData')),
    fc.dictionary(fc.oneof(wellFormedText, fc.constant('__proto__')), tie('plainData'), {
      noNullPrototype: true,
    }),
    fc
      .tuple(
        otherKey,
        tie('plainData'),
        fc.array(fc.tuple(fc.oneof(otherKey, wellFormedText), tie('plainData'))),
      )
      .map(([key, value, entries]) => new Map<unknown, unknown>([[key, value], ...entries])),
    fc.array(fc.oneof(otherKey, wellFormedText)).map((members) => new Set<unknown>(members)),
  ),
}))

describe('reading values that only Python has', () => {
  it.each([
    [
      'tuples as arrays',
      '[(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, (4, 5))]',
      [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, [4, 5]]],
    ],
    ['tuple keys in a Map', '{(1, "a"): "x"}', new Map([[[1, 'a'], 'x']])],
    ['a frozenset as a Set', 'frozenset([1, 2])', new Set([1, 2])],
    ['frozensets in a set', '{frozenset([1]), frozenset()}', new Set([new Set([1]), new Set()])],
    ['a bytearray as a Buffer', 'bytearray(b"\\x00\\xff")', Buffer.from([0, 255])],
    ['an empty bytearray', '[bytearray(), bytearray()]', [Buffer.alloc(0), Buffer.alloc(0)]],
    ['a large bytearray', 'bytearray(b"\\xfe" * 70_000)', Buffer.alloc(70_000, 0xfe)],
    [
      'nested sets in protocols without set opcodes',
      '[{1}, {"a": {2}}]',
      [new Set([1]), { a: new Set([2]) }],
    ],
  ])('%s', async (_, expression, value) => {
    for (const pickle of await python.dump(expression)) deepStrictEqual(decodePickle(pickle), value)
  })

  it('reads strings of Python 2 if they are ASCII', () => {
    expect(decodePickle(bytes("S'it\\'s \\\\ \\n\\t\\x41'\n."))).toBe("it's \\ \n\tA")
    expect(decodePickle(bytes('S"double"\n.'))).toBe('double')
    expect(decodePickle(bytes([0x80, 2], 'U', [3], 'abc.'))).toBe('abc')
    expect(decodePickle(bytes('T', uint32(3), 'abc.'))).toBe('abc')
    for (const pickle of [
      "S'\\xe9'\n.",
      "S'\xe9'\n.",
      "S'\\q'\n.",
      "S'a\n.",
      "S'\n.",
      'U\x01\xe9.',
      'Stext\n.',
    ]) {
      expect(() => decodePickle(bytes(pickle))).toThrow(SyntaxError)
    }
  })

  it('reads a dict from a single DICT opcode', () => {
    expect(decodePickle(bytes("(S'a'\nI1\nS'b'\nL22L\nd."))).toEqual({ a: 1, b: 22 })
  })

  it('reads and writes long lists, dicts and sets', async () => {
    const list = Array.from({ length: 100_000 }, (_, index) => index)
    for (const pickle of await python.dump('list(range(100_000))')) expect(decodePickle(pickle)).toEqual(list)
    expect(await python.ask('equal', [encodePickle(list).toString('hex'), 'list(range(100_000))'])).toBe(true)

    const many = Array.from({ length: 200_000 }, (_, index) => `key ${index}`)
    const object = Object.fromEntries(many.map((key) => [key, 1]))
    deepStrictEqual(decodePickle(encodePickle(object)), object)
    deepStrictEqual(decodePickle(encodePickle(new Set(many))), new Set(many))
    deepStrictEqual(decodePickle(encodePickle(many)), many)
    expect(
      await python.ask('equal', [encodePickle(many).toString('hex'), '[f"key {n}" for n in range(200_000)]']),
    ).toBe(true)
  }, 60_000)

  it('copies bytes, so that the network buffer can be reused', () => {
    const pickle = encodePickle(Buffer.from('keep me'))
    const value = decodePickle(pickle)
    pickle.fill(0)
    expect(value).toEqual(Buffer.from('keep me'))
  })

  it('reads a view into a larger buffer', () => {
    const pickle = encodePickle({ a: [1, 2, 'x'] })
    const framed = Buffer.concat([Buffer.from('before'), pickle, Buffer.from('after')])
    expect(decodePickle(framed.subarray(6, 6 + pickle.length))).toEqual({ a: [1, 2, 'x'] })
  })
})

describe('shared parts and depth', () => {
  it('a shared reference in Python is shared in Node', async () => {
    for (const pickle of await python.dump('[shared, {"again": shared}]')) {
      const [first, second] = decodePickle(pickle) as [unknown, { again: unknown }]
      expect(first).toEqual([1])
      expect(second.again).toBe(first)
    }
  })

  it('a shared reference in Node is shared in Python', async () => {
    const shared = { list: [1, 2, 3] }
    const [, , pickle] = await python.echo([shared, shared, new Map([[1, shared]])])
    const [first, second, third] = decodePickle(pickle as Buffer) as [unknown, unknown, Map<number, unknown>]
    expect(second).toBe(first)
    expect(third.get(1)).toBe(first)
  })

  it('equal strings, dates and field names are written once', () => {
    const rows = Array.from({ length: 100 }, () => ({
      'a rather long name of a field': 'and its rather long value',
    }))
    expect(encodePickle(rows).length).toBeLessThan(1_200)
  })

  it('a value that doubles at every level costs its written size, not its unfolded one', () => {
    let value: unknown = ['x']
    for (let level = 0; level < 100; level++) value = [value, value]
    const pickle = encodePickle(value)
    expect(pickle.length).toBeLessThan(1_000)
    expect(decodePickle(pickle)).toHaveLength(2)
    expect(decodePickle(bytes(']', '2\x86'.repeat(400), '.'))).toHaveLength(2)
  })

  it.each(['looped()', '(looped(),)', '{"a": looped()}'])('refuses the cycle %s', async (expression) => {
    for (const pickle of await python.dump(expression))
      expect(() => decodePickle(pickle)).toThrow(/after its use/)
  })

  it('refuses a cycle when writing', () => {
    const list: unknown[] = []
    list.push({ list })
    expect(() => encodePickle(list)).toThrow(TypeError)
    const map = new Map<string, unknown>()
    map.set('map', new Map([['map', map]]))
    expect(() => encodePickle(map)).toThrow(/cycle/)
  })

  it('reads and writes values up to 500 levels deep', async () => {
    const deepest = nested(500)
    for (const pickle of await python.echo(deepest)) deepStrictEqual(decodePickle(pickle), deepest)
    expect(() => encodePickle(nested(501))).toThrow(/500/)
    expect(() => decodePickle(bytes(']'.repeat(501), 'a'.repeat(500), '.'))).toThrow(/500/)
    expect(() => encodePickle(nested(100_000))).toThrow(/500/)
    expect(() => decodePickle(bytes(')', '\x85'.repeat(1_000_000), '.'))).toThrow(/500/)
    expect(() => decodePickle(bytes('('.repeat(1_000_000), '.'))).toThrow(SyntaxError)
  })
})

describe('prototypes', () => {
  it('a key named __proto__ is an ordinary key', async () => {
    for (const pickle of await python.dump('{"__proto__": {"polluted": True}, "constructor": 1}')) {
      const value = decodePickle(pickle) as Record<string, unknown>
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
      expect(Object.keys(value)).toEqual(['__proto__', 'constructor'])
      expect(value.polluted).toBeUndefined()
      expect(Object.getOwnPropertyDescriptor(value, '__proto__')?.value).toEqual({ polluted: true })
      expect(
        await python.ask('equal', [
          encodePickle(value).toString('hex'),
          '{"__proto__": {"polluted": True}, "constructor": 1}',
        ]),
      ).toBe(true)
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it('no text resolves to a property of Object.prototype', () => {
    for (const pickle of ['FtoString\n.', 'F__proto__\n.', 'cbuiltins\nconstructor\n)R.', "S'\\c'\n."]) {
      expect(() => decodePickle(bytes(pickle))).toThrow(SyntaxError)
    }
  })
})
