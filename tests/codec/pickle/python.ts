import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
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
export class Python {
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

export const bytes = (...parts: (string | number[] | Uint8Array)[]): Buffer =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  )

export const uint32 = (value: number): Buffer => {
  const field = Buffer.alloc(4)
  field.writeUInt32LE(value)
  return field
}

const BIG = 2n ** 200n

/** Values that are the same on both sides: the Python expression, and what it is here. */
export const SAME: readonly (readonly [string, unknown])[] = [
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
