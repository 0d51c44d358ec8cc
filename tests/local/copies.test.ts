import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { copyOf } from '../../src/cache/local/isolation.ts'

type Kind = Readonly<Record<string, () => object>>

const memory = (): ArrayBuffer => Uint8Array.from({ length: 32 }, (_, index) => index * 7).buffer
const resizable = (): ArrayBuffer => Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }])
const define = <T extends object>(object: T, name: PropertyKey, descriptor: PropertyDescriptor): T =>
  Object.defineProperty(object, name, { configurable: true, ...descriptor })

const VIEWS = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[BigInt64Array, BigUint64Array, Float32Array, Float64Array, DataView],
] as unknown as (new (
  memory: ArrayBufferLike,
  offset?: number,
  length?: number,
) => ArrayBufferView)[]

const views: Kind = Object.fromEntries(
  VIEWS.flatMap((View) => {
    class Subclass extends View {
      override readonly buffer = new ArrayBuffer(1)
      override readonly byteLength = 1
      override readonly byteOffset = 0
      readonly length = 1
    }
    return [
      [View.name, () => new View(memory())],
      [`${View.name} of nothing`, () => new View(new ArrayBuffer(0))],
      [`${View.name} of a part`, () => new View(memory(), 8, 2)],
      [`${View.name} of an end`, () => new View(memory(), 8)],
      [`${View.name} of shared memory`, () => new View(new SharedArrayBuffer(8))],
      [`${View.name} of resizable memory`, () => new View(resizable(), 0, 1)],
      [`${View.name} of as much resizable memory as there is`, () => new View(resizable())],
      [`${View.name} of a subclass`, () => new Subclass(memory(), 8, 2)],
      [`${View.name} without a prototype`, () => Object.setPrototypeOf(new View(memory()), DataView)],
    ]
  }),
)

const primitives: Kind = Object.fromEntries(
  [true, false, 0, -0, 1.5, Number.NaN, '', 'text', '\ud800', 0n, -(2n ** 70n)].flatMap((primitive) => {
    const boxed = () => Object(primitive)
    const name = `${typeof primitive} ${String(primitive)}`
    class Subclass extends (boxed().constructor as ObjectConstructor) {}
    return [
      [name, boxed],
      [`${name} with properties`, () => Object.assign(boxed(), { valueOf: () => false, more: 1 })],
      [`${name} of a subclass`, () => Object.setPrototypeOf(boxed(), Subclass.prototype)],
      [`${name} of another class`, () => Object.setPrototypeOf(boxed(), Date.prototype)],
    ]
  }),
)

class OwnError extends Error {
  override readonly name = 'OwnError'
  readonly code = 1
}

const ERRORS = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]
const errors: Kind = {
  ...Object.fromEntries(ERRORS.map((itsClass) => [itsClass.name, () => new itsClass('text')])),
  'an error without a message': () => new RangeError(),
  'an error with an empty message': () => new Error(''),
  'an error with a message that is no string': () => Object.assign(new Error('x'), { message: 5 }),
  'an error with an undefined message': () => Object.assign(new Error('x'), { message: undefined }),
  'an error with a message that is computed': () => define(new Error('x'), 'message', { get: () => 'y' }),
  'an error with an enumerable message': () => define(new Error('x'), 'message', { enumerable: true }),
  'an error with more properties': () => Object.assign(new Error('x'), { code: 'ENOENT', list: [1] }),
  'an error with another name': () => Object.assign(new Error('x'), { name: 'Other' }),
  'an error with the name of another class': () => Object.assign(new Error('x'), { name: 'TypeError' }),
  'an error whose name is no string': () => Object.assign(new Error('x'), { name: ['TypeError'] }),
  'an error whose name is a symbol': () => Object.assign(new Error('x'), { name: Symbol('x') }),
  'an error with another stack': () => Object.assign(new Error('x'), { stack: 'a stack' }),
  'an error whose stack is no string': () => Object.assign(new Error('x'), { stack: 5 }),
  'an error of a class of the program': () => new OwnError('x'),
  'an error of another prototype': () => Object.setPrototypeOf(new RangeError('x'), Map),
  'an AggregateError': () => new AggregateError([new Error('inner')], 'x'),
  'a cause': () => new Error('x', { cause: { id: [1] } }),
  'a cause that is a primitive': () => new TypeError('x', { cause: 5 }),
  'a cause that is undefined': () => new Error('x', { cause: undefined }),
  'a cause that is an error': () => new Error('x', { cause: new RangeError('y', { cause: null }) }),
  'a cause that is enumerable': () => Object.assign(new Error('x'), { cause: { id: 1 } }),
  'a cause that is computed': () => define(new Error('x'), 'cause', { get: () => ({ id: 1 }) }),
  'a cause that is inherited': () =>
    Object.setPrototypeOf(new Error('x'), define(new OwnError(''), 'cause', { value: { id: 1 } })),
  'a cause that is a function': () => new Error('x', { cause: () => 1 }),
}

class OwnMap extends Map {
  override *[Symbol.iterator](): MapIterator<[unknown, unknown]> {}
}
class OwnSet extends Set {
  override *[Symbol.iterator](): SetIterator<unknown> {}
}
class OwnDate extends Date {
  override readonly getTime = () => 5
}
class OwnRegExp extends RegExp {
  override readonly source = 'other'
  override readonly flags = 'y'
}
class OwnBuffer extends ArrayBuffer {}

function detached(): ArrayBuffer {
  const buffer = memory()
  structuredClone(buffer, { transfer: [buffer] })
  return buffer
}

const others: Kind = {
  'a date': () => new Date(1e12),
  'an invalid date': () => new Date(Number.NaN),
  'a date of a subclass': () => new OwnDate(1e12),
  'a date with properties': () => Object.assign(new Date(0), { more: 1 }),
  ...Object.fromEntries(
    ['', 'd', 'g', 'i', 'm', 's', 'u', 'v', 'y', 'gimsuy'].map((flags) => [
      `a regular expression with the flags '${flags}'`,
      () => Object.assign(new RegExp('a/\\n[b]|\\u{61}', flags), { lastIndex: 3 }),
    ]),
  ),
  'a regular expression of nothing': () => /(?:)/,
  'a regular expression with a slash and a line feed': () => /\/\n/,
  'a regular expression of a subclass': () => new OwnRegExp('a', 'g'),
  'a regular expression that claims to be none': () => Object.assign(/a/g, { [Symbol.match]: false }),
  'a buffer': memory,
  'a buffer of nothing': () => new ArrayBuffer(0),
  'a buffer that is resizable': resizable,
  'a buffer of a subclass': () => new OwnBuffer(8),
  'a buffer of no class': () => Object.setPrototypeOf(memory(), Map),
  'a buffer with properties': () => Object.assign(memory(), { more: 1 }),
  'a buffer that is detached': detached,
  'a view of a buffer that is detached': () => {
    const view = new Uint16Array(8)
    structuredClone(view.buffer, { transfer: [view.buffer] })
    return view
  },
  'a DataView of a buffer that is detached': () => {
    const view = new DataView(new ArrayBuffer(8))
    structuredClone(view.buffer, { transfer: [view.buffer] })
    return view
  },
  'a view of a buffer of a subclass': () => new Uint16Array(new OwnBuffer(8), 2),
  'shared memory': () => new SharedArrayBuffer(8),
  'a map': () => new Map<unknown, unknown>([[{ a: 1 }, [1]]]),
  'a map of a subclass': () => new OwnMap().set(1, new Date(0)),
  'a map with properties': () => Object.assign(new Map([[1, 2]]), { more: 1 }),
  'a set': () => new Set<unknown>([{ a: 1 }, 1]),
  'a set of a subclass': () => new OwnSet().add(1),
  'a set with properties': () => Object.assign(new Set([1]), { more: 1 }),
  'a boxed symbol': () => Object(Symbol('x')),
  'a promise': () => Promise.resolve(),
  'a weak map': () => new WeakMap(),
}

/** What can be seen of an object without what is within. */
function shapeOf(object: unknown): unknown {
  if (typeof object !== 'object' || object === null) return object
  const view = ArrayBuffer.isView(object) ? object : undefined
  const buffer = (view?.buffer ?? object) as ArrayBuffer & { resizable?: boolean; maxByteLength?: number }
  return {
    prototype: Object.getPrototypeOf(object).constructor.name,
    time: object instanceof Date ? object.getTime() : undefined,
    tag: Object.prototype.toString.call(object),
    properties: Object.getOwnPropertyDescriptors(object),
    names: Reflect.ownKeys(object),
    view: view && [view.byteOffset, view.byteLength, Buffer.from(view.buffer).toString('hex')],
    buffer: [buffer.byteLength, buffer.resizable, buffer.maxByteLength],
    cause: object instanceof Error ? shapeOf(object.cause) : undefined,
  }
}

function isInvalid(object: unknown): boolean {
  return object instanceof Date && Number.isNaN(object.getTime())
}

function resultOf(copy: () => unknown): unknown {
  try {
    return copy()
  } catch (error) {
    return { thrown: (error as Error).name, why: (error as Error).message }
  }
}

describe('a copy is what structuredClone makes', () => {
  test.each(Object.entries({ ...views, ...primitives, ...errors, ...others }))('%s', (_, make) => {
    const source = make()
    const copy = resultOf(() => copyOf(source))
    const clone = resultOf(() => structuredClone(source))
    expect(isDeepStrictEqual(shapeOf(copy), shapeOf(clone))).toBe(true)
    expect(copy === source).toBe(false)
    // Node considers no invalid date equal to another.
    if (!isInvalid(copy)) expect(isDeepStrictEqual(copy, clone)).toBe(true)
  })

  test('a copy shares no memory with its source', () => {
    for (const source of [
      memory(),
      new Uint16Array(memory()),
      new DataView(memory(), 2, 6),
      Buffer.alloc(8, 1),
    ]) {
      const copy = copyOf(source) as typeof source
      const bytes = ArrayBuffer.isView(copy) ? new Uint8Array(copy.buffer) : new Uint8Array(copy)
      const before = shapeOf(source)
      bytes.fill(255)
      expect(isDeepStrictEqual(shapeOf(source), before)).toBe(true)
    }
  })
})

describe('many objects of one kind are copied without structuredClone, which takes microseconds for each', () => {
  test.each(
    Object.entries<() => object>({
      'boxed booleans': () => Object(true),
      'boxed numbers': () => Object(1),
      'boxed strings': () => Object('a'),
      'boxed bigints': () => Object(1n),
      'regular expressions': () => /a/g,
      buffers: memory,
      'buffers of nothing': () => new ArrayBuffer(0),
      ...Object.fromEntries(VIEWS.map((View) => [`${View.name}s`, () => new View(memory())])),
      'views of a part': () => new Int16Array(memory(), 2, 3),
      errors: () => new RangeError('x'),
      'errors with a cause': () => new Error('x', { cause: 1 }),
      dates: () => new Date(0),
    }),
  )('%s', (_, make) => {
    const clone = vi.spyOn(globalThis, 'structuredClone')
    try {
      copyOf(Array.from({ length: 100 }, make))
      expect(clone).not.toHaveBeenCalled()
    } finally {
      clone.mockRestore()
    }
  })

  test('the stack traces of later errors are as long as before', () => {
    const limit = Error.stackTraceLimit
    copyOf([new Error('x')])
    expect(Error.stackTraceLimit).toBe(limit)
  })
})
