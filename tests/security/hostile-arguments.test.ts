import assert from 'node:assert/strict'
import { CacheError } from 'cachewright'
import { describe, it } from 'vitest'
import { argumentKey } from '../../src/cache/memoize/argument-key.ts'

/** An object that is small, and whose text would double with each level. */
function doubling(levels: number): unknown {
  let shared: unknown = 'leaf'
  for (let level = 0; level < levels; level++) shared = [shared, shared]
  return shared
}

/** The same, in sets and maps, whose entries are sorted. */
function doublingMap(levels: number): unknown {
  let shared: unknown = 'leaf'
  for (let level = 0; level < levels; level++) {
    shared = new Map([
      ['a', shared],
      ['b', shared],
    ])
  }
  return shared
}

/** An equal value in which no object is in two places. */
function unshared(value: unknown): unknown {
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, unshared(item)]))
  return Array.isArray(value) ? value.map(unshared) : value
}

function elapsedMs(work: () => unknown): number {
  const startMs = performance.now()
  work()
  return performance.now() - startMs
}

function refusal(argument: unknown): CacheError {
  try {
    argumentKey([argument])
  } catch (error) {
    assert.ok(error instanceof CacheError, String(error))
    assert.equal(error.code, 'CACHE_INVALID_ARGUMENT')
    return error
  }
  return assert.fail('a key was made')
}

/** An object of another kind than its prototype tells. */
function disguised<Given extends object>(value: Given, prototype: object | null): Given {
  return Object.setPrototypeOf(value, prototype)
}

describe('arguments of a cached function', () => {
  it.each([
    ['lists', doubling],
    ['maps', doublingMap],
  ])('with shared references in %s are read once each', (_name, make) => {
    const shared = make(15)
    const copied = unshared(shared)
    const sharedMs = Math.min(...Array.from({ length: 5 }, () => elapsedMs(() => argumentKey([shared]))))
    const copiedMs = Math.min(...Array.from({ length: 5 }, () => elapsedMs(() => argumentKey([copied]))))
    assert.ok(4 * sharedMs < copiedMs, `${sharedMs} ms, and ${copiedMs} ms without sharing`)
  })

  it('with shared references have the key of the same arguments without them', () => {
    assert.equal(argumentKey([doubling(8)]), argumentKey([unshared(doubling(8))]))
    const shared = { a: 1 }
    assert.equal(argumentKey([shared, [shared]]), '{"a":1},[{"a":1}]')
  })

  it.each([
    ['shared references', doubling(90)],
    ['shared references in maps', doublingMap(90)],
    ['a long text', 'x'.repeat(4_194_305)],
    ['many bytes', Buffer.alloc(4_194_305)],
    ['an ArrayBuffer', new ArrayBuffer(4_194_305)],
    ['many numbers', new Float64Array(4_194_305)],
    ['a long array', new Array(300_000).fill(1)],
    ['many properties', Object.fromEntries(Array.from({ length: 300_000 }, (_, index) => [index, 1]))],
    ['a long bigint', 1n << 16_777_216n],
    ['a bigint far below zero', -(1n << 60_000_000n)],
  ])('are refused if their content is too large: %s', (_name, argument) => {
    assert.match(refusal(argument).message, /content of more than 4,194,304 characters/)
  })

  it.each([
    ['a long bigint', 1n << 16_000_000n],
    ['a bigint far below zero', -(1n << 16_000_000n)],
    ['a bigint that is too long', 1n << 60_000_000n],
    ['a long array', new Array(20_000_000).fill(1)],
  ])('take no longer than their bound allows: %s', (_name, argument) => {
    const read = () => {
      try {
        argumentKey([argument])
      } catch {}
    }
    // In decimal the shortest of these takes seconds.
    assert.ok(Math.min(...Array.from({ length: 3 }, () => elapsedMs(read))) < 500)
  })

  it('distinguish long bigints', () => {
    const near = [2n ** 1_024n - 1n, 2n ** 1_024n, 2n ** 1_024n + 1n, 2n ** 5_000n, 2n ** 5_001n]
    const keys = near.flatMap((value) => [argumentKey([value]), argumentKey([-value])])
    assert.equal(new Set(keys).size, keys.length)
    assert.equal(argumentKey([2n ** 5_000n]), argumentKey([4n ** 2_500n]))
  })

  it('are refused if they contain too many objects', () => {
    const objects = Array.from({ length: 99_999 }, () => ({}))
    assert.doesNotThrow(() => argumentKey([objects]))
    assert.match(refusal([...objects, {}]).message, /more than 100,000 objects/)
  })

  it('are refused if they are too large together', () => {
    const half = 'x'.repeat(2_097_153)
    assert.doesNotThrow(() => argumentKey([half]))
    assert.throws(
      () => argumentKey([half, half]),
      /Argument 2 cannot be part of a key \(content of more than/,
    )
  })

  it.each<readonly [string, object]>([
    ['an array', [1]],
    ['a Map', new Map([[1, 2]])],
    ['a Set', new Set([1])],
    ['a Date', new Date(5)],
    ['a RegExp', /a/],
    ['a Promise', Promise.resolve(1)],
    ['a WeakMap', new WeakMap()],
    ['a WeakSet', new WeakSet()],
    ['an ArrayBuffer', new ArrayBuffer(4)],
    ['a SharedArrayBuffer', new SharedArrayBuffer(4)],
    ['an Error', new TypeError('secret')],
    ['a number', Object(4711)],
    ['a text', Object('secret')],
    ['a bigint', Object(1n)],
    ['a symbol', Object(Symbol('secret'))],
    ['a generator', (function* () {})()],
    ['an iterator', new Map([[1, 2]]).entries()],
  ])('are refused if they are %s with another prototype', (_name, value) => {
    for (const prototype of [Object.prototype, null]) {
      assert.match(refusal(disguised(value, prototype)).message, /a built-in object/)
      Object.assign(value, { a: 1 })
      assert.match(refusal(value).message, /a built-in object/)
    }
    for (const prototype of [Array.prototype, Map.prototype, Set.prototype, Date.prototype, URL.prototype]) {
      if (Object.getPrototypeOf(value) !== prototype) refusal(disguised(value, prototype))
    }
  })

  it('are refused if their bytes are not of the type that their prototype tells', () => {
    const view = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
    for (const prototype of [Float64Array.prototype, Int8Array.prototype, DataView.prototype]) {
      refusal(disguised(view.slice(), prototype))
    }
    refusal(disguised(new DataView(view.buffer), Uint8Array.prototype))
    refusal(disguised(Uint8ClampedArray.of(1), Buffer.prototype))
  })

  it('are refused if a property hides their content', () => {
    const view = Uint8Array.of(1, 2, 3, 4)
    refusal(Object.defineProperty(view.slice(), 'byteLength', { value: 1 }))
    refusal(Object.defineProperty(view.slice(), 'buffer', { value: new ArrayBuffer(8) }))
    refusal(Object.assign(Float64Array.of(1), { *[Symbol.iterator]() {} }))
  })
})
