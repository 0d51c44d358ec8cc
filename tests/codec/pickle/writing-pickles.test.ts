import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPickleSerializer } from '../../../src/codec/pickle/pickle.ts'
import { isPickle } from '../../../src/codec/pickle/pickle-detection.ts'
import { decodePickle } from '../../../src/codec/pickle/pickle-reader.ts'
import { encodePickle } from '../../../src/codec/pickle/pickle-writer.ts'
import { bytes, Python, SAME } from './python.ts'

let python: Python

beforeAll(async () => {
  python = new Python()
  await python.ask('dump', 'None')
})

afterAll(() => python.close())

describe('a value that cannot be written exactly is refused', () => {
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

  it('members that only look equal are written', async () => {
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

describe('the detection of pickles', () => {
  it('recognises the pickles of Python in every protocol', async () => {
    for (const [expression] of SAME) {
      for (const pickle of await python.dump(expression)) expect(isPickle(pickle)).toBe(true)
    }
    expect(isPickle(encodePickle({ a: 1 }))).toBe(true)
  })

  it('does not take JSON text for a pickle', () => {
    fc.assert(fc.property(fc.json(), (text) => !isPickle(Buffer.from(text))))
    for (const text of ['"."', '1.', '"a.', '{}.', '[].', 'null.', ' .', '-.', 'true.', '', '.']) {
      expect(isPickle(Buffer.from(text)), text).toBe(false)
    }
  })

  it('does not recognise truncated pickles and unsupported protocols', () => {
    expect(isPickle(encodePickle([1]).subarray(0, -1))).toBe(false)
    expect(isPickle(bytes([0x80, 6], 'N.'))).toBe(false)
    expect(isPickle(bytes([0x80, 1], 'N.'))).toBe(false)
  })
})

it('the serializer has the id pickle and reads its own output', () => {
  const serializer = createPickleSerializer()
  expect(serializer.id).toBe('pickle')
  expect(serializer.decode(Buffer.from(serializer.encode({ a: [1, null] })))).toEqual({ a: [1, null] })
})
