import { deepStrictEqual } from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPickleSerializer } from '../../../src/codec/pickle/pickle.ts'
import { isPickle } from '../../../src/codec/pickle/pickle-detection.ts'
import { decodePickle } from '../../../src/codec/pickle/pickle-reader.ts'
import { encodePickle } from '../../../src/codec/pickle/pickle-writer.ts'

/**
 * Answers a line of JSON, `[operation, argument]`, with a line of JSON. Of a damaged pickle it reads only plain
 * data, so that it cannot do harm.
 */
const PYTHON = `
import sys, io, json, pickle, resource, datetime
from datetime import timezone, timedelta
sys.setrecursionlimit(10_000)
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
class Point:
    def __init__(self): self.x = 1
def looped():
    loop = []; loop.append(loop); return loop
shared = [1]
# The one written in Python: the one in C misreads some damaged frames.
class Plain(pickle._Unpickler):
    def find_class(self, module, name):
        if module in ('builtins', '__builtin__') and name in ('set', 'frozenset', 'bytes', 'bytearray') \\
            or module == '_codecs' and name == 'encode' \\
            or module == 'datetime' and name in ('datetime', 'timezone', 'timedelta'):
            return super().find_class(module, name)
        raise pickle.UnpicklingError('not plain data')
def load(text): return pickle.loads(bytes.fromhex(text))
def dump(value): return [pickle.dumps(value, protocol).hex() for protocol in range(6)]
def repickle_damaged(text):
    try: return pickle.dumps(Plain(io.BytesIO(bytes.fromhex(text))).load(), 4).hex()
    except Exception: return None
operations = {
    'dump': lambda source: dump(eval(source)),
    'equal': lambda pair: load(pair[0]) == eval(pair[1]) and type(load(pair[0])) is type(eval(pair[1])),
    'show': lambda text: repr(load(text)),
    'repickle': lambda text: dump(load(text)),
    'repickle-damaged': lambda texts: [repickle_damaged(text) for text in texts],
}
for line in sys.stdin:
    operation, argument = json.loads(line)
    try: answer = {'value': operations[operation](argument)}
    except Exception as error: answer = {'error': repr(error)}
    print(json.dumps(answer), flush=True)
`

/** One Python for the whole file; questions are answered in the order they are asked. */
class Python {
  readonly #process: ChildProcess
  readonly #waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = []
  #failure: Error | undefined

  constructor() {
    this.#process = spawn('python3', ['-u', '-W', 'ignore', '-c', PYTHON], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, PYTHONHASHSEED: '0' },
    })
    this.#process.on('error', (error) =>
      this.#fail(new Error(`These tests need python3 on the PATH: ${error.message}`)),
    )
    this.#process.on('exit', (code) => this.#fail(new Error(`python3 ended with exit code ${code}`)))
    this.#process.stdin?.on('error', () => {})
    const { stdout } = this.#process
    if (stdout) createInterface({ input: stdout }).on('line', (line) => this.#answer(line))
  }

  ask<T>(operation: string, argument: unknown): Promise<T> {
    if (this.#failure) return Promise.reject(this.#failure)
    this.#process.stdin?.write(`${JSON.stringify([operation, argument])}\n`)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve: resolve as (value: unknown) => void, reject })
    })
  }

  /** What Python writes for an expression, in protocols 0 to 5. */
  async dump(expression: string): Promise<Buffer[]> {
    return (await this.ask<string[]>('dump', expression)).map((hex) => Buffer.from(hex, 'hex'))
  }

  /** What Python writes, in protocols 0 to 5, for what it reads from our pickle. */
  async echo(value: unknown): Promise<Buffer[]> {
    const pickles = await this.ask<string[]>('repickle', encodePickle(value).toString('hex'))
    return pickles.map((hex) => Buffer.from(hex, 'hex'))
  }

  close(): void {
    this.#process.stdin?.end()
  }

  #answer(line: string): void {
    const answer = JSON.parse(line) as { value?: unknown; error?: string }
    const waiter = this.#waiting.shift()
    if (answer.error === undefined) waiter?.resolve(answer.value)
    else waiter?.reject(new Error(`Python: ${answer.error}`))
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure)
  }
}

let python: Python
beforeAll(async () => {
  python = new Python()
  await python.ask('dump', 'None')
})
afterAll(() => python.close())

const bytes = (...parts: (string | number[] | Uint8Array)[]): Buffer =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  )

const uint32 = (value: number): Buffer => {
  const field = Buffer.alloc(4)
  field.writeUInt32LE(value)
  return field
}

const nested = (depth: number): unknown[] => {
  let value: unknown[] = []
  for (let level = 1; level < depth; level++) value = [value]
  return value
}

const BIG = 2n ** 200n

/** Values that are the same on both sides: the Python expression, and what it is here. */
const SAME: readonly (readonly [string, unknown])[] = [
  ['None', null],
  ['True', true],
  ['False', false],
  ...[0, 1, -1, 127, 128, -128, 255, 256, -255, -256, 65_535, 65_536, -65_536].map(
    (int) => [String(int), int] as const,
  ),
  ...[2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1].flatMap((int) => [
    [String(int), int] as const,
    [String(-int), -int] as const,
  ]),
  ...[2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n, BIG - 1n, BIG, BIG + 1n].flatMap(
    (int) => [[String(int), int] as const, [String(-int), -int] as const],
  ),
  ['2 ** 4_000', 2n ** 4_000n],
  ['-(2 ** 4_000)', -(2n ** 4_000n)],
  ['1.5', 1.5],
  ['-0.0', -0],
  ['0.1', 0.1],
  ['1e300', 1e300],
  ['5e-324', 5e-324],
  ['-1.7976931348623157e308', -Number.MAX_VALUE],
  ['float("inf")', Number.POSITIVE_INFINITY],
  ['float("-inf")', Number.NEGATIVE_INFINITY],
  ['""', ''],
  ['"text"', 'text'],
  ['"é\\u0080\\x85\\xa0ÿ"', 'é\u0080\u0085\u00a0ÿ'],
  ['"line\\nfeed\\r\\x00\\x1a\\t"', 'line\nfeed\r\0\x1a\t'],
  ['"back\\\\slash \\\\u0041 \\\\\\\\ \\\\"', 'back\\slash \\u0041 \\\\ \\'],
  ['"\\ufeffBOM \\u2028 \\ufffd \\uffff"', '\ufeffBOM \u2028 \ufffd \uffff'],
  ['"\\U0001F600 \\U0010FFFF"', '\u{1f600} \u{10ffff}'],
  ['"quo\'te\\""', 'quo\'te"'],
  ['"x" * 255 + "y"', `${'x'.repeat(255)}y`],
  ['"é" * 70_000', 'é'.repeat(70_000)],
  ['b""', Buffer.alloc(0)],
  ['b"a"', Buffer.from('a')],
  ['bytes(range(256))', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
  ['b"\\xff\\n\\\\" * 30_000', Buffer.from('\xff\n\\'.repeat(30_000), 'latin1')],
  ['[]', []],
  ['{}', {}],
  ['set()', new Set()],
  ['[[], {}, [[]], {"a": {"b": []}}, set()]', [[], {}, [[]], { a: { b: [] } }, new Set()]],
  ['{"a": 1, "": None, "é\\n": [True]}', { a: 1, '': null, 'é\n': [true] }],
  [
    '{1: "a", "1": "b", None: 2, 2.5: 3}',
    new Map<unknown, unknown>([
      [1, 'a'],
      ['1', 'b'],
      [null, 2],
      [2.5, 3],
    ]),
  ],
  [
    '{b"k": 1, 2 ** 70: 2}',
    new Map<unknown, unknown>([
      [Buffer.from('k'), 1],
      [2n ** 70n, 2],
    ]),
  ],
  ['{1, "two", None, 2.5, b"x"}', new Set([1, 'two', null, 2.5, Buffer.from('x')])],
  ['datetime.datetime(2024, 2, 29, 23, 59, 58, 123000, timezone.utc)', new Date('2024-02-29T23:59:58.123Z')],
  ['datetime.datetime(1, 1, 1, tzinfo=timezone.utc)', new Date('0001-01-01T00:00:00.000Z')],
  ['datetime.datetime(9999, 12, 31, 23, 59, 59, 999000, timezone.utc)', new Date('9999-12-31T23:59:59.999Z')],
  [
    '[datetime.datetime(1970, 1, 10, d, tzinfo=timezone.utc) for d in range(3)]',
    [0, 1, 2].map((hour) => new Date(Date.UTC(1970, 0, 10, hour))),
  ],
]

describe('what Python and Node have in common', () => {
  it.each(SAME)('Python writes %s and Node reads it, in every protocol', async (expression, value) => {
    for (const pickle of await python.dump(expression)) deepStrictEqual(decodePickle(pickle), value)
  })

  it.each(SAME)('Node writes %s and Python reads it', async (expression, value) => {
    expect(await python.ask('equal', [encodePickle(value).toString('hex'), expression])).toBe(true)
  })

  it('NaN is NaN', async () => {
    for (const pickle of await python.dump('float("nan")')) expect(decodePickle(pickle)).toBeNaN()
    expect(await python.ask('show', encodePickle(Number.NaN).toString('hex'))).toBe('nan')
  })

  it('a date is aware of its time zone in Python, and minus zero keeps its sign', async () => {
    const shown = await python.ask('show', encodePickle([new Date(1), -0, new Date(2)]).toString('hex'))
    expect(shown).toBe(
      '[datetime.datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=datetime.timezone.utc), -0.0, ' +
        'datetime.datetime(1970, 1, 1, 0, 0, 0, 2000, tzinfo=datetime.timezone.utc)]',
    )
  })

  it('whatever Node writes, Python can write again in every protocol, and Node reads it back', async () => {
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
/** Keys of which no two kinds can be equal in Python. */
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

describe('reading what only Python has', () => {
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

  it('the strings of Python 2, as long as they are ASCII', () => {
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

  it('a dict whose items are given at once', () => {
    expect(decodePickle(bytes("(S'a'\nI1\nS'b'\nL22L\nd."))).toEqual({ a: 1, b: 22 })
  })

  it('long lists, dicts and sets, both ways', async () => {
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

  it('gives bytes of its own, so that the network buffer may be used again', () => {
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
  it('what is shared in Python is shared in Node', async () => {
    for (const pickle of await python.dump('[shared, {"again": shared}]')) {
      const [first, second] = decodePickle(pickle) as [unknown, { again: unknown }]
      expect(first).toEqual([1])
      expect(second.again).toBe(first)
    }
  })

  it('what is shared in Node is shared in Python', async () => {
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

  it('nests 500 deep and no deeper, both ways', async () => {
    const deepest = nested(500)
    for (const pickle of await python.echo(deepest)) deepStrictEqual(decodePickle(pickle), deepest)
    expect(() => encodePickle(nested(501))).toThrow(/500/)
    expect(() => decodePickle(bytes(']'.repeat(501), 'a'.repeat(500), '.'))).toThrow(/deep/)
    expect(() => encodePickle(nested(100_000))).toThrow(/500/)
    expect(() => decodePickle(bytes(')', '\x85'.repeat(1_000_000), '.'))).toThrow(/deep/)
    expect(() => decodePickle(bytes('('.repeat(1_000_000), '.'))).toThrow(SyntaxError)
  })
})

describe('prototypes', () => {
  it('a key named __proto__ is a key like any other', async () => {
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

  it('no text stands for something of Object.prototype', () => {
    for (const pickle of ['FtoString\n.', 'F__proto__\n.', 'cbuiltins\nconstructor\n)R.', "S'\\c'\n."]) {
      expect(() => decodePickle(bytes(pickle))).toThrow(SyntaxError)
    }
  })
})

describe('what cannot be read exactly is refused', () => {
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

  it('a length beyond the end, at once and without room being made for it', () => {
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

  it('arguments that are copied over and over', () => {
    const text = bytes('X', uint32(10_000), 'x'.repeat(10_000))
    const call = 'h\x00h\x01h\x02\x86R0'
    const start = bytes('c_codecs\nencode\nq\x000', text, 'q\x010Vlatin1\nq\x020')
    expect(decodePickle(bytes(start, call, 'N.'))).toBe(null)
    expect(() => decodePickle(bytes(start, call.repeat(1_000), 'N.'))).toThrow(/more than it holds/)
  })

  it('and tells nothing of what the pickle holds', () => {
    expect(() => decodePickle(bytes('csecret\npassword\n)R.'))).toThrow(
      expect.objectContaining({ message: expect.not.stringMatching(/secret|password/) }),
    )
  })
})

describe('damage', () => {
  const SAMPLE = `{"a": [1, -70_000, 2 ** 70, 1.5, True, None], "é": (1, (2, "two")), 3: {4, 5}, "b": b"by\\xfe",
    "at": datetime.datetime(2024, 2, 29, 12, 0, 0, 5000, timezone.utc), "s": [shared, shared]}`

  it('a pickle cut off anywhere is refused', async () => {
    for (const pickle of [
      ...(await python.dump(SAMPLE)),
      encodePickle({ a: [1, 'x', new Date(0), { b: 2n ** 70n }] }),
    ]) {
      for (let length = 0; length < pickle.length; length++) {
        expect(() => decodePickle(pickle.subarray(0, length))).toThrow(SyntaxError)
      }
    }
  })

  it('with any bit flipped it is refused, or read as Python reads it', async () => {
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

  it('arbitrary bytes are refused, or read as something plain', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (array) => {
        readOrRefuse(Buffer.concat([array, Buffer.from('.')]))
      }),
      { numRuns: 20_000 },
    )
  })

  /** `undefined` where it is refused, which no pickle stands for. */
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

describe('what cannot be written exactly is refused', () => {
  it.each([
    ['undefined', undefined],
    ['undefined in a list', [undefined]],
    ['undefined in an object', { a: undefined }],
    ['a hole in a list', new Array(1)],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a property named by a symbol', { [Symbol('s')]: 1 }],
    ['an instance of a class', new (class Point {})()],
    ['a subclass of Array', new (class List extends Array {})()],
    ['a subclass of Map', new (class Dict extends Map {})()],
    ['a subclass of Date', new (class Day extends Date {})()],
    ['an error', new Error('e')],
    ['a regular expression', /x/],
    ['a promise', Promise.resolve()],
    ['a boxed number', Object(1)],
    ['another typed array', new Uint16Array(1)],
    ['an ArrayBuffer', new ArrayBuffer(1)],
    ['a DataView', new DataView(new ArrayBuffer(1))],
    ['a WeakMap', new WeakMap()],
    ['an invalid date', new Date(Number.NaN)],
    ['a date before the year 1', new Date('0000-12-31T23:59:59.999Z')],
    ['a date after the year 9999', new Date('+010000-01-01T00:00:00Z')],
    ['a lone surrogate', 'a\ud800'],
    ['a lone surrogate in a key', { '\udc00': 1 }],
    ['a key that Python cannot hash', new Map([[[1], 1]])],
    ['a member that Python cannot hash', new Set([{}])],
    [
      '1 and true as keys',
      new Map<unknown, number>([
        [1, 1],
        [true, 2],
      ]),
    ],
    ['1 and 1n as members', new Set([1, 1n])],
    ['a float and an integer that are equal', new Set([2 ** 60, 2n ** 60n])],
    ['equal bytes as members', new Set([Buffer.from('a'), Buffer.from('a')])],
    ['equal dates as members', new Set([new Date(0), new Date(0)])],
  ])('%s', (_, value) => {
    expect(() => encodePickle(value)).toThrow(TypeError)
  })

  it('members that only look alike are written', async () => {
    const set = new Set<unknown>([
      '1',
      1,
      Buffer.from('1'),
      'bytes 1',
      null,
      'None',
      new Date(1),
      'datetime 1',
      0.5,
    ])
    for (const pickle of await python.echo(set)) deepStrictEqual(decodePickle(pickle), set)
  })

  it('objects without a prototype and plain Uint8Arrays are plain data', () => {
    const value = Object.assign(Object.create(null), { a: new Uint8Array([1, 2]) })
    expect(decodePickle(encodePickle(value))).toEqual({ a: Buffer.from([1, 2]) })
  })
})

describe('telling a pickle from JSON', () => {
  it('knows what Python writes, in every protocol', async () => {
    for (const [expression] of SAME) {
      for (const pickle of await python.dump(expression)) expect(isPickle(pickle)).toBe(true)
    }
    expect(isPickle(encodePickle({ a: 1 }))).toBe(true)
  })

  it('takes no JSON text for a pickle', () => {
    fc.assert(fc.property(fc.json(), (text) => !isPickle(Buffer.from(text))))
    for (const text of ['"."', '1.', '"a.', '{}.', '[].', 'null.', ' .', '-.', 'true.', '', '.']) {
      expect(isPickle(Buffer.from(text)), text).toBe(false)
    }
  })

  it('takes no cut off pickle, and no later protocol, for one', () => {
    expect(isPickle(encodePickle([1]).subarray(0, -1))).toBe(false)
    expect(isPickle(bytes([0x80, 6], 'N.'))).toBe(false)
    expect(isPickle(bytes([0x80, 1], 'N.'))).toBe(false)
  })
})

it('the serializer is named pickle and reads what it writes', () => {
  const serializer = createPickleSerializer()
  expect(serializer.id).toBe('pickle')
  expect(serializer.decode(Buffer.from(serializer.encode({ a: [1, null] })))).toEqual({ a: [1, null] })
})
