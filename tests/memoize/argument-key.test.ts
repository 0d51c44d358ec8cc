import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { argumentKey } from '../../src/cache/memoize/argument-key.ts'
import { CacheError } from '../../src/foundation/errors/cache-error.ts'
import { list } from './arguments.ts'

function refusal(argument: unknown): CacheError {
  try {
    argumentKey(['fine', argument])
  } catch (error) {
    assert.ok(error instanceof CacheError)
    return error
  }
  return assert.fail('a key was made')
}

function nested(depth: number): unknown {
  let innermost: unknown = 1
  for (let level = 0; level < depth; level++) innermost = level % 2 === 0 ? [innermost] : { a: innermost }
  return innermost
}

describe('the key of arguments', () => {
  it('reads like the arguments', () => {
    assert.equal(argumentKey([]), '')
    assert.equal(argumentKey([undefined]), 'undefined')
    assert.equal(argumentKey(['ann', 42, 7n, -0, true, null]), '"ann",42,7n,-0,true,null')
    assert.equal(
      argumentKey([{ page: 1, filter: { tags: ['a', 'b'] } }]),
      '{"filter":{"tags":["a","b"]},"page":1}',
    )
    assert.equal(argumentKey([{ a: undefined }, {}]), '{"a":undefined},{}')
    assert.equal(
      argumentKey([
        new Map<unknown, unknown>([
          ['b', 1],
          ['a', new Set([2, 1])],
        ]),
      ]),
      'Map{"a"=>Set{1,2},"b"=>1}',
    )
    assert.equal(
      argumentKey([new Date(5), new URL('https://a.example/b')]),
      'Date(5),URL("https://a.example/b")',
    )
    assert.equal(argumentKey([/a"b/gi]), 'RegExp("a\\"b","gi",0)')
    assert.equal(argumentKey([Buffer.from('hello'), Uint8Array.of(1)]), 'Buffer(aGVsbG8),Uint8Array(AQ)')
    assert.equal(
      argumentKey([Float32Array.of(0.5, -0), BigInt64Array.of(-1n)]),
      'Float32Array(0.5,-0),BigInt64Array(-1n)',
    )
    assert.equal(argumentKey(['\ud800', '\\ud800', '\u0085']), '"\\ud800","\\\\ud800","\\u0085"')
  })

  it('differs between several arguments and one list, and between none and undefined', () => {
    const keys = [[], [undefined], [[]], [[undefined]], [1, 2], [[1, 2]], ['1,2'], ['1', '2'], ['1","2']].map(
      argumentKey,
    )
    assert.equal(new Set(keys).size, keys.length)
  })

  it('is the same for all invalid dates, and for objects with and without a prototype', () => {
    assert.equal(argumentKey([new Date('no date')]), argumentKey([new Date(Number.NaN)]))
    assert.notEqual(argumentKey([new Date('no date')]), argumentKey([new Date(0)]))
    assert.equal(argumentKey([Object.assign(Object.create(null), { a: 1 })]), argumentKey([{ a: 1 }]))
  })

  it('includes an own __proto__ property, and changes no prototype', () => {
    const parsed: unknown = JSON.parse('{"__proto__":{"isAdmin":true}}')
    assert.equal(argumentKey([parsed]), '{"__proto__":{"isAdmin":true}}')
    assert.equal(({} as { isAdmin?: boolean }).isAdmin, undefined)
  })

  it('depends on the part of a buffer that a view shows, not on the whole buffer', () => {
    const buffer = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer
    assert.equal(argumentKey([new Uint8Array(buffer, 1, 2)]), argumentKey([Uint8Array.of(2, 3)]))
    assert.equal(
      argumentKey([new DataView(buffer, 2)]),
      argumentKey([new DataView(Uint8Array.of(3, 4, 5, 6, 7, 8).buffer)]),
    )
  })

  it('allows an object in several places, unless it contains itself', () => {
    const shared = { a: 1 }
    assert.equal(argumentKey([[shared, shared], shared]), '[{"a":1},{"a":1}],{"a":1}')
  })

  it('ignores properties that are not enumerable, even accessors', () => {
    const record = Object.defineProperty({ a: 1 }, 'hidden', { get: () => assert.fail('it was read') })
    assert.equal(argumentKey([record]), '{"a":1}')
  })

  it('is a hash if the text is longer than 200 characters, and no short text equals a hash', () => {
    assert.equal(argumentKey(['x'.repeat(198)]), `"${'x'.repeat(198)}"`)
    const long = argumentKey(['x'.repeat(199)])
    assert.match(long, /^sha256:[\w-]{43}$/)
    assert.notEqual(argumentKey([`${'x'.repeat(198)}y`]), long)
    assert.equal(argumentKey([long]), `"${long}"`)
    fc.assert(
      fc.property(
        list,
        (args) => argumentKey(args).length === 50 || !argumentKey(args).startsWith('sha256:'),
      ),
    )
  })

  it('is the same in every process and every release', () => {
    assert.equal(
      argumentKey([{ b: [1, 'é', 2n], a: new Set(['y', 'x']) }, 'x'.repeat(300)]),
      'sha256:1FGQiRr2wDdxyvMw8UxyqKqOaJpkiQkpWOWAaOYZcH8',
    )
  })
})

describe('no key is made', () => {
  class Invoice {
    readonly total = 4711
  }
  class Tagged extends Map<string, number> {}
  class Bytes extends Uint8Array {}
  const cycle: unknown[] = []
  cycle.push({ deeper: new Map([['again', cycle]]) })
  const detached = new ArrayBuffer(4)
  structuredClone(detached, { transfer: [detached] })
  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    ['a function', () => 4711, /\(a function\)/],
    ['a class', Invoice, /\(a function\)/],
    ['a symbol', Symbol('secret'), /\(a symbol\)/],
    ['an instance of a class', new Invoice(), /\(an instance of Invoice\)/],
    ['an instance of a class without a name', new (class {})(), /\(an instance of a class\)/],
    ['an object that inherits from another', Object.create({ secret: 1 }), /\(an instance of a class\)/],
    ['a subclass of a Map', new Tagged(), /\(an instance of Tagged\)/],
    ['a subclass of a typed array', new Bytes(2), /\(an instance of Bytes\)/],
    ['an error', new TypeError('secret'), /\(an instance of TypeError\)/],
    ['a boxed number', Object(4711), /\(an instance of Number\)/],
    ['a WeakMap', new WeakMap(), /\(an instance of WeakMap\)/],
    ['a Promise', Promise.resolve(4711), /\(an instance of Promise\)/],
    ['a SharedArrayBuffer', new SharedArrayBuffer(2), /\(an instance of SharedArrayBuffer\)/],
    ['a generator', (function* () {})(), /an instance of/],
    [
      'the arguments of a function',
      (function () {
        // biome-ignore lint/complexity/noArguments: that is what is refused
        return arguments
      })(),
      /\(a property named by a symbol\)/,
    ],
    ['a Proxy', new Proxy({ secret: 1 }, {}), /\(a Proxy\)/],
    ['a cycle', cycle, /\(a cycle\)/],
    ['a property named by a symbol', { [Symbol('secret')]: 1 }, /\(a property named by a symbol\)/],
    [
      'an accessor',
      {
        get secret() {
          return assert.fail('it was read')
        },
      },
      /\(a property with an accessor\)/,
    ],
    ['a setter', { set secret(_: unknown) {} }, /\(a property with an accessor\)/],
    [
      'an array with an accessor',
      Object.defineProperty([1], 0, { get: () => 1, enumerable: true }),
      /\(a property with an accessor\)/,
    ],
    // biome-ignore lint/suspicious/noSparseArray: that is what is refused
    ['an array with a hole', [1, , 2], /\(an array with holes\)/],
    ['a vast empty array', new Array(2 ** 32 - 1), /\(an array with holes\)/],
    [
      'an array with a hole and a named property',
      Object.assign(new Array(1), { secret: 1 }),
      /\(an array with holes\)/,
    ],
    ['a match of a pattern', /s(e)cret/.exec('secret'), /\(an array with named properties\)/],
    ['a Date with a property', Object.assign(new Date(0), { secret: 1 }), /\(a Date with added properties\)/],
    ['a Map with a property', Object.assign(new Map(), { secret: 1 }), /\(a Map with added properties\)/],
    [
      'a RegExp with a property',
      Object.assign(/secret/, { secret: 1 }),
      /\(a RegExp with added properties\)/,
    ],
    [
      'an object that only claims to be a Map',
      Object.create(Map.prototype),
      /\(something that cannot be read\)/,
    ],
    [
      'an object that only claims to be a URL',
      Object.create(URL.prototype),
      /\(something that cannot be read\)/,
    ],
    [
      'an object that only claims to be a buffer',
      Object.create(ArrayBuffer.prototype),
      /\(an instance of ArrayBuffer\)/,
    ],
    ['a detached buffer', detached, /\(something that cannot be read\)/],
    ['a function as a property', { secret: [() => 1] }, /\(a function\)/],
    ['a function as a key', new Map([[() => 1, 1]]), /\(a function\)/],
    ['too deep an object', nested(101), /\(objects nested more than 100 deep\)/],
  ]

  it.each(refused)('of %s', (_, argument, kind) => {
    const error = refusal(argument)
    assert.equal(error.code, 'CACHE_INVALID_ARGUMENT')
    assert.match(error.message, kind)
    assert.match(error.message, /^Argument 2 .*pass a `key` function/)
    assert.doesNotMatch(error.message, /secret|4711/)
  })

  it('of an argument that is a hole', () => {
    // biome-ignore lint/suspicious/noSparseArray: that is what is refused
    assert.throws(() => argumentKey([1, ,]), {
      code: 'CACHE_INVALID_ARGUMENT',
      message: /^Argument 2 .*\(a hole\)/,
    })
  })

  it('a hundred nested objects are allowed', () => {
    assert.match(argumentKey([nested(100)]), /^sha256:/)
  })
})
