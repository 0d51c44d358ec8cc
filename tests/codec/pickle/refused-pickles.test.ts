import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodePickle } from '../../../src/codec/pickle/pickle-reader.ts'
import { encodePickle } from '../../../src/codec/pickle/pickle-writer.ts'
import { bytes, Python, uint32 } from './python.ts'

let python: Python

beforeAll(async () => {
  python = new Python()
  await python.ask('dump', 'None')
})

afterAll(() => python.close())

describe('a pickle that cannot be read exactly is refused', () => {
  it.each([
    'datetime.datetime(2024, 1, 1)',
    'datetime.datetime(2024, 1, 1, 0, 0, 0, 1, timezone.utc)',
    'datetime.datetime(2024, 1, 1, 0, 0, 0, 123456, timezone.utc)',
    'datetime.datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1)))',
    'datetime.datetime(2024, 1, 1, tzinfo=timezone(timedelta(0), "Zulu"))',
    'datetime.date(2024, 1, 1)',
    'timezone.utc',
    '[timedelta(0)]',
    '(timezone.utc, 1)',
    '{"tz": timezone.utc}',
    'set',
    '[bytes]',
    '{"f": len}',
    '"\\ud800"',
    '"a\\udfffb"',
    '"\\ud83d\\ude00"',
    '1j',
    'range(3)',
    '__import__("decimal").Decimal("1.5")',
    '__import__("collections").OrderedDict(a=1)',
    '__import__("collections").deque([1])',
    '__import__("uuid").UUID(int=1)',
    '__import__("fractions").Fraction(1, 2)',
    '{float("nan"): 1, float("-nan"): 2}',
  ])('%s', async (expression) => {
    for (const pickle of await python.dump(expression))
      expect(() => decodePickle(pickle)).toThrow(SyntaxError)
  })

  it('an instance of a class', async () => {
    for (const pickle of await python.dump('Point()')) expect(() => decodePickle(pickle)).toThrow(SyntaxError)
  })

  it.each([
    ['GLOBAL and REDUCE', 'cos\nsystem\n(Vtouch /tmp/pwned\ntR.'],
    ['STACK_GLOBAL and REDUCE', '\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.'],
    ['INST', '(Vls\nios\nsystem\n.'],
    ['OBJ', '(cos\nsystem\nVls\no.'],
    ['NEWOBJ', 'cbuiltins\nset\n)\x81.'],
    ['NEWOBJ_EX', 'cbuiltins\nset\n)}\x92.'],
    ['BUILD', '}}b.'],
    ['EXT1', '\x80\x02\x82\x01.'],
    ['EXT2', '\x80\x02\x83\x01\x00.'],
    ['EXT4', '\x80\x02\x84\x01\x00\x00\x00.'],
    ['PERSID', 'Pid\n.'],
    ['BINPERSID', 'Vid\nQ.'],
    ['NEXT_BUFFER', '\x80\x05\x97.'],
    ['READONLY_BUFFER', '\x80\x05C\x01a\x98.'],
    ['a call of eval', 'c__builtin__\neval\n(V1\ntR.'],
    ['a call of getattr', 'cbuiltins\ngetattr\n(cbuiltins\nset\nVmro\ntR.'],
    ['a call of a string', 'Vx\n)R.'],
    ['a call with a list', 'cbuiltins\nset\n]R.'],
    ['a call of a time zone', 'cdatetime\ntimezone\n(cdatetime\ntimedelta\n(I0\nI0\nI0\ntRtR)R.'],
    ['a name that is no string', 'I1\nI2\n\x93.'],
    ['another codec', 'c_codecs\nencode\n(Va\nVutf-16\ntR.'],
    ['a character that is no byte', 'c_codecs\nencode\n(V\\u0100\nVlatin1\ntR.'],
    ['a set of something else', 'cbuiltins\nset\n(I5\ntR.'],
    ['a datetime of too few bytes', '\x80\x04\x8c\x08datetime\x8c\x08datetime\x93C\x01a\x85R.'],
  ])('%s calls nothing', (_, pickle) => {
    expect(() => decodePickle(bytes(pickle))).toThrow(SyntaxError)
  })

  it.each([
    ['nothing at all', ''],
    ['an empty stack', '.'],
    ['bytes after the end', 'N.N'],
    ['values left over', 'NN.'],
    ['a mark left over', '(N.'],
    ['protocol 6', '\x80\x06N.'],
    ['a mark that is not there', 'N].e.'],
    ['an operand below the mark', ']N(a.'],
    ['an append to a dict', '}Na.'],
    ['an append to a tuple', ')Na.'],
    ['an item in a list', ']NNs.'],
    ['an item in a number', 'I1\nNNs.'],
    ['a key without a value', '}(Nu.'],
    ['an addition to a list', '](N\x90.'],
    ['an addition to a frozenset', '(\x91(N\x90.'],
    ['a key twice', '}(Va\nNVa\nNu.'],
    ['a member twice', '\x8f(NN\x90.'],
    ['a member twice, in a call', 'cbuiltins\nset\n((NNltR.'],
    ['a reference to nothing', 'h\x05.'],
    ['a malformed reference', 'Np-1\n.'],
    ['an integer with a point', 'I1.0\n.'],
    ['an octal integer', 'I010\n.'],
    ['an integer with a letter', 'I1x\n.'],
    ['an integer of no digits', 'I\n.'],
    ['an integer of ten thousand digits', `L${'9'.repeat(10_000)}L\n.`],
    ['a float with a letter', 'F1x\n.'],
    ['a float out of range', 'F1e999\n.'],
    ['a hexadecimal float', 'F0x10\n.'],
    ['a surrogate escape', 'V\\ud800\n.'],
    ['two surrogate escapes', 'V\\ud83d\\ude00\n.'],
    ['a short escape', 'V\\u12\n.'],
    ['an escape beyond Unicode', 'V\\U00110000\n.'],
    ['malformed UTF-8', 'X\x01\x00\x00\x00\xff.'],
    ['a surrogate in UTF-8', 'X\x03\x00\x00\x00\xed\xa0\x80.'],
    ['a line without its end', 'Vabc.'],
  ])('%s', (_, pickle) => {
    expect(() => decodePickle(bytes(pickle))).toThrow(SyntaxError)
  })

  it('a malformed datetime', () => {
    const parts = encodePickle(new Date('2024-02-29T12:34:56.789Z'))
    const state = parts.indexOf(Buffer.from([7, 0xe8, 2, 29]))
    for (const [offset, value] of [
      [0, 0],
      [2, 13],
      [2, 0],
      [2, 130],
      [3, 30],
      [3, 0],
      [4, 24],
      [5, 60],
      [6, 60],
      [7, 255],
    ] as const) {
      const damaged = Buffer.from(parts)
      damaged[state + offset] = value
      if (offset === 0) damaged[state + 1] = 0
      expect(() => decodePickle(damaged)).toThrow(SyntaxError)
    }
  })

  it('a length beyond the end, at once and without allocating it', () => {
    const before = process.memoryUsage().arrayBuffers
    for (const opcode of 'BTX\x8b') {
      for (const length of [5, 0x7fff_ffff, 0xffff_ffff]) {
        expect(() => decodePickle(bytes(opcode, uint32(length), 'ab.'))).toThrow(/cut off/)
      }
    }
    for (const opcode of '\x8d\x8e\x96\x95') {
      for (const length of [[5, 0, 0, 0, 0, 0, 0, 0], Array.from({ length: 8 }, () => 0xff)]) {
        expect(() => decodePickle(bytes(opcode, length, 'ab.'))).toThrow(/cut off/)
      }
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6)
  })

  it('arguments that are copied too often', () => {
    const text = bytes('X', uint32(10_000), 'x'.repeat(10_000))
    const call = 'h\x00h\x01h\x02\x86R0'
    const start = bytes('c_codecs\nencode\nq\x000', text, 'q\x010Vlatin1\nq\x020')
    expect(decodePickle(bytes(start, call, 'N.'))).toBe(null)
    expect(() => decodePickle(bytes(start, call.repeat(1_000), 'N.'))).toThrow(/more than it holds/)
  })

  it('with an error that shows nothing of the pickle', () => {
    expect(() => decodePickle(bytes('csecret\npassword\n)R.'))).toThrow(
      expect.objectContaining({ message: expect.not.stringMatching(/secret|password/) }),
    )
  })
})

describe('a damaged pickle', () => {
  const SAMPLE = `{"a": [1, -70_000, 2 ** 70, 1.5, True, None], "é": (1, (2, "two")), 3: {4, 5}, "b": b"by\\xfe",
    "at": datetime.datetime(2024, 2, 29, 12, 0, 0, 5000, timezone.utc), "s": [shared, shared]}`

  it('is refused if truncated anywhere', async () => {
    for (const pickle of [
      ...(await python.dump(SAMPLE)),
      encodePickle({ a: [1, 'x', new Date(0), { b: 2n ** 70n }] }),
    ]) {
      for (let length = 0; length < pickle.length; length++) {
        expect(() => decodePickle(pickle.subarray(0, length))).toThrow(SyntaxError)
      }
    }
  })

  it('with any flipped bit is refused or read as Python reads it', async () => {
    const survivors: { readonly pickle: Buffer; readonly value: unknown }[] = []
    for (const pickle of await python.dump(SAMPLE)) {
      for (let bit = 0; bit < pickle.length * 8; bit++) {
        const damaged = Buffer.from(pickle)
        damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
        const value = readOrRefuse(damaged)
        if (value !== undefined) survivors.push({ pickle: damaged, value })
      }
    }
    expect(survivors.length).toBeGreaterThan(1_000)
    const texts = survivors.map(({ pickle }) => pickle.toString('hex'))
    const answers = await python.ask<(string | null)[]>('repickle-damaged', texts)
    for (const [index, answer] of answers.entries()) {
      if (answer === null) continue
      deepStrictEqual(survivors[index]?.value, decodePickle(Buffer.from(answer, 'hex')))
    }
  }, 60_000)

  it('of arbitrary bytes is refused or read as plain data', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (array) => {
        readOrRefuse(Buffer.concat([array, Buffer.from('.')]))
      }),
      { numRuns: 20_000 },
    )
  })

  /** `undefined` if the pickle is refused; no pickle decodes to it. */
  function readOrRefuse(pickle: Buffer): unknown {
    try {
      const value = decodePickle(pickle)
      expect(value).not.toBeUndefined()
      return value
    } catch (error) {
      expect(error).toBeInstanceOf(SyntaxError)
      return undefined
    }
  }
})
