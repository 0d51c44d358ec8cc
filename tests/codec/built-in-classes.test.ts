import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash, createSecretKey } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { statSync } from 'node:fs'
import { Agent } from 'node:http'
import { builtinModules } from 'node:module'
import { BlockList, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { MIMEType } from 'node:util'
import { createGzip } from 'node:zlib'
import { describe, it } from 'vitest'
import { ValueCodec } from '../../src/codec/value-codec.ts'
import type { SerializerName } from '../../src/contract/serializer.ts'
import { CacheError } from '../../src/foundation/errors/cache-error.ts'

const SERIALIZERS = ['json', 'msgpack', 'v8', 'pickle'] as const

/** A value comes back as itself, as the form that its class has for JSON, as a record, or it is refused. */
type Outcome = 'itself' | 'refused' | { readonly as: unknown }

const ITSELF = 'itself'
const REFUSED = 'refused'

class Point {
  readonly x = 1
  y = 2
}

class Hidden {
  readonly #secret = 1
  reveal(): number {
    return this.#secret
  }
}

class Decimal {
  readonly #digits = '1.50'
  toJSON(_name?: string): string {
    return this.#digits
  }
}

class OwnError extends Error {}
class OwnMap extends Map<number, number> {}

function* numbers(): Generator<number> {
  yield 1
}

/** What is expected with json, msgpack, v8 and pickle. */
const TABLE: readonly (readonly [name: string, value: unknown, ...outcomes: Outcome[]])[] = [
  ['Date', new Date(1.5e12), { as: '2017-07-14T02:40:00.000Z' }, ITSELF, ITSELF, ITSELF],
  ['invalid Date', new Date(Number.NaN), REFUSED, ITSELF, ITSELF, REFUSED],
  ['RegExp', /x/gi, REFUSED, ITSELF, ITSELF, REFUSED],
  ['Map', new Map<unknown, unknown>([[1, { a: [2] }]]), REFUSED, ITSELF, ITSELF, ITSELF],
  ['Set', new Set([1, 'a']), REFUSED, ITSELF, ITSELF, ITSELF],
  ['subclass of Map', new OwnMap([[1, 2]]), REFUSED, REFUSED, { as: new Map([[1, 2]]) }, REFUSED],
  ['Error', new Error('m'), REFUSED, ITSELF, ITSELF, REFUSED],
  ['TypeError', new TypeError('m'), REFUSED, ITSELF, ITSELF, REFUSED],
  ['URIError', new URIError('m'), REFUSED, ITSELF, ITSELF, REFUSED],
  ['error with a cause', new Error('m', { cause: 'c' }), REFUSED, ITSELF, REFUSED, REFUSED],
  ['error with a code', Object.assign(new Error('m'), { code: 'E' }), REFUSED, REFUSED, REFUSED, REFUSED],
  ['subclass of Error', new OwnError('m'), REFUSED, REFUSED, REFUSED, REFUSED],
  ['AggregateError', new AggregateError([new Error('a')]), REFUSED, REFUSED, REFUSED, REFUSED],
  ['DOMException', new DOMException('m'), REFUSED, REFUSED, REFUSED, REFUSED],
  ['ArrayBuffer', new Uint8Array([1, 2]).buffer, REFUSED, ITSELF, ITSELF, REFUSED],
  ['SharedArrayBuffer', new SharedArrayBuffer(2), REFUSED, REFUSED, REFUSED, REFUSED],
  ['Buffer', Buffer.from('ab'), REFUSED, ITSELF, ITSELF, ITSELF],
  ['DataView', new DataView(new Uint8Array([1, 2, 3]).buffer), REFUSED, ITSELF, ITSELF, REFUSED],
  ['Uint8Array', new Uint8Array([1]), REFUSED, ITSELF, ITSELF, { as: Buffer.from([1]) }],
  ...[
    new Int8Array([-1]),
    new Uint8ClampedArray([1]),
    new Int16Array([-1]),
    new Uint16Array([1]),
    new Int32Array([-1]),
    new Uint32Array([1]),
    new Float32Array([1.5]),
    new Float64Array([1.5]),
    new BigInt64Array([-1n]),
    new BigUint64Array([1n]),
  ].map((view) => [view.constructor.name, view, REFUSED, ITSELF, ITSELF, REFUSED] as const),
  ['bigint', 2n ** 70n, REFUSED, ITSELF, ITSELF, ITSELF],
  ['Number object', Object(5), REFUSED, REFUSED, ITSELF, REFUSED],
  ['String object', Object('ab'), REFUSED, REFUSED, ITSELF, REFUSED],
  ['Boolean object', Object(true), REFUSED, REFUSED, ITSELF, REFUSED],
  ['BigInt object', Object(1n), REFUSED, REFUSED, ITSELF, REFUSED],
  ['Proxy of a Map', new Proxy(new Map(), {}), REFUSED, REFUSED, REFUSED, REFUSED],
  ['decimal with toJSON', new Decimal(), { as: '1.50' }, { as: '1.50' }, REFUSED, REFUSED],
  ['URL', new URL('http://a/b'), { as: 'http://a/b' }, { as: 'http://a/b' }, REFUSED, REFUSED],
  ['MIMEType', new MIMEType('text/plain'), { as: 'text/plain' }, { as: 'text/plain' }, REFUSED, REFUSED],
  [
    'class with properties',
    new Point(),
    { as: { x: 1, y: 2 } },
    { as: { x: 1, y: 2 } },
    { as: { x: 1, y: 2 } },
    REFUSED,
  ],
  ...Object.entries({
    'class with private fields': new Hidden(),
    'property named by a symbol': { [Symbol('s')]: 1 },
    function: () => 1,
    symbol: Symbol('s'),
    'Symbol object': Object(Symbol('s')),
    WeakMap: new WeakMap(),
    WeakSet: new WeakSet(),
    WeakRef: new WeakRef({}),
    FinalizationRegistry: new FinalizationRegistry(() => {}),
    Promise: Promise.resolve(1),
    Generator: numbers(),
    'iterator of an array': [1][Symbol.iterator](),
    'iterator of a Map': new Map([[1, 2]]).entries(),
    Math,
    Reflect,
    'Intl.NumberFormat': new Intl.NumberFormat('en'),
    URLSearchParams: new URLSearchParams('a=1'),
    Response: new Response('x'),
    Request: new Request('http://a'),
    Headers: new Headers({ a: '1' }),
    FormData: new FormData(),
    Blob: new Blob(['a']),
    ReadableStream: new ReadableStream(),
    CompressionStream: new CompressionStream('gzip'),
    AbortController: new AbortController(),
    AbortSignal: AbortSignal.abort(),
    Event: new Event('e'),
    EventTarget: new EventTarget(),
    TextEncoder: new TextEncoder(),
    TextDecoder: new TextDecoder(),
    EventEmitter: new EventEmitter(),
    Readable: new Readable(),
    Gzip: createGzip(),
    Hash: createHash('md5'),
    KeyObject: createSecretKey(Buffer.alloc(16)),
    Socket: new Socket(),
    Agent: new Agent(),
    AsyncLocalStorage: new AsyncLocalStorage(),
    BlockList: new BlockList(),
    'a class of several levels': new (class extends EventTarget {})(),
  }).map(([name, value]) => [name, value, REFUSED, REFUSED, REFUSED, REFUSED] as const),
]

async function codecOf(serializer: SerializerName): Promise<ValueCodec> {
  const codec = new ValueCodec({ serializer, readers: [], compression: undefined, maxValueBytes: 1_000_000 })
  await codec.prepare()
  return codec
}

function roundTrip(codec: ValueCodec, value: unknown): unknown {
  return codec.decode('key', Buffer.from(codec.encode('key', value) as string))
}

function isRefusal(error: unknown): boolean {
  return error instanceof CacheError && error.code === 'CACHE_INVALID_VALUE'
}

describe('P6 what a serializer cannot bring back is refused, and nothing becomes {} or null in silence', () => {
  it.each(SERIALIZERS.map((name, index) => [name, index] as const))('%s', async (name, index) => {
    const codec = await codecOf(name)
    for (const [title, value, ...outcomes] of TABLE) {
      const outcome = outcomes[index] as Outcome
      for (const [nested, form] of [
        [value, (read: unknown) => read],
        [{ deep: [value] }, (read: unknown) => (read as { deep: unknown[] }).deep[0]],
      ] as const) {
        if (outcome === REFUSED) {
          assert.throws(() => codec.encode('key', nested), isRefusal, `${title} is not refused by ${name}`)
        } else {
          const expected = outcome === ITSELF ? value : outcome.as
          assert.deepEqual(comparable(form(roundTrip(codec, nested))), comparable(expected), title)
        }
      }
    }
  })

  it.each(SERIALIZERS)('%s, for an empty object of each class of Node and the web', async (name) => {
    const codec = await codecOf(name)
    const classes = await classesOfNode()
    assert.ok(classes.size > 200, `${classes.size}`)
    for (const [title, prototype] of classes) {
      assert.throws(() => codec.encode('key', [Object.create(prototype)]), isRefusal, `${title} with ${name}`)
    }
  })

  it.each(['json', 'msgpack', 'v8'] as const)(
    '%s: records of Node with their data are stored',
    async (name) => {
      const codec = await codecOf(name)
      assert.equal((roundTrip(codec, statSync('.')) as { size: number }).size, statSync('.').size)
    },
  )

  it('msgpack: text with a lone surrogate, which it would change', async () => {
    const codec = await codecOf('msgpack')
    for (const value of ['\ud800', { a: ['\ud800'] }, { '\ud800': 1 }, new Map([['\ud800', 1]])]) {
      assert.throws(() => codec.encode('key', value), isRefusal)
    }
  })

  it.each(['json', 'msgpack', 'v8', 'pickle'] as const)('%s: an empty record is no loss', async (name) => {
    const codec = await codecOf(name)
    for (const value of [{}, [{}], { a: {} }, Object.create(null)]) {
      assert.deepEqual(JSON.stringify(roundTrip(codec, value)), JSON.stringify(value))
    }
  })
})

/** Errors by what is promised of them, everything else with its prototype, which `deepEqual` compares. */
function comparable(value: unknown): unknown {
  if (value instanceof Date) return { time: String(value.getTime()) }
  return value instanceof Error ? { name: value.name, message: value.message, cause: value.cause } : value
}

/** The prototypes of all classes that are global, or exported by a module of Node, but those of the language's data. */
async function classesOfNode(): Promise<Map<string, object>> {
  const found = new Map<string, object>()
  const own = new Set<unknown>([Object, Array, Date, Function])
  const collect = (title: string, names: object) => {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(names))) {
      const isClass =
        typeof value === 'function' && typeof value.prototype === 'object' && value.prototype !== null
      if (isClass && !own.has(value)) found.set(`${title}${name}`, value.prototype)
    }
  }
  collect('', globalThis)
  for (const name of builtinModules.filter((module) => !/^_|punycode|sys|wasi|test|vitest/.test(module))) {
    collect(`${name}.`, await import(`node:${name}`))
  }
  return found
}
