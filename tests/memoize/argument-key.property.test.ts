import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { argumentKey } from '../../src/cache/memoize/argument-key.ts'
import { trials } from '../support/trials.ts'
import { leaf, list, recordOf, value } from './arguments.ts'

/** An equal value that shares no object, and whose properties and entries stand the other way round. */
function reversedCopy(original: unknown): unknown {
  if (Array.isArray(original)) return original.map(reversedCopy)
  if (original instanceof Map) {
    return new Map([...original].reverse().map(([key, item]) => [reversedCopy(key), reversedCopy(item)]))
  }
  if (original instanceof Set) return new Set([...original].reverse().map(reversedCopy))
  if (typeof original !== 'object' || original === null) return original
  if (Object.getPrototypeOf(original) !== Object.prototype) {
    return original instanceof URL
      ? new URL(original)
      : Buffer.isBuffer(original)
        ? Buffer.from(original)
        : structuredClone(original)
  }
  return recordOf(
    Object.entries(original)
      .reverse()
      .map(([key, item]) => [key, reversedCopy(item)]),
  )
}

/** URLs keep their content out of sight of `isDeepStrictEqual`, which in Node 20 finds all of them equal. */
function withVisibleUrls(original: unknown): unknown {
  if (original instanceof URL) return ['URL', original.href]
  if (Array.isArray(original)) return original.map(withVisibleUrls)
  if (original instanceof Map) {
    return new Map([...original].map(([key, item]) => [withVisibleUrls(key), withVisibleUrls(item)]))
  }
  if (original instanceof Set) return new Set([...original].map(withVisibleUrls))
  if (typeof original !== 'object' || original === null) return original
  if (Object.getPrototypeOf(original) !== Object.prototype) return original
  return recordOf(Object.entries(original).map(([key, item]) => [key, withVisibleUrls(item)]))
}

function areEqual(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(withVisibleUrls(a), withVisibleUrls(b))
}

describe('the key of arguments', () => {
  it('is the same if and only if the arguments are deeply equal', () => {
    let equal = 0
    fc.assert(
      fc.property(list, list, (a, b) => {
        const isEqual = areEqual(a, b)
        equal += Number(isEqual)
        assert.equal(argumentKey(a) === argumentKey(b), isEqual)
      }),
      { numRuns: trials(5_000, 20_000, 50_000) },
    )
    assert.ok(equal > 10, `only ${equal} pairs were equal`)
  })

  it('is the same if and only if single small values are equal', () => {
    fc.assert(
      fc.property(leaf, leaf, (a, b) => {
        assert.equal(argumentKey([a]) === argumentKey([b]), areEqual(a, b))
      }),
      { numRuns: trials(10_000, 40_000, 100_000) },
    )
  })

  it('does not depend on the order of properties and entries, nor on identity', () => {
    fc.assert(
      fc.property(list, (args) => {
        assert.equal(argumentKey(reversedCopy(args) as unknown[]), argumentKey(args))
      }),
      { numRuns: trials(5_000, 20_000, 50_000) },
    )
  })

  it('changes if one part of one argument changes', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 3 }), value, fc.nat(), (args, other, at) => {
        const index = at % args.length
        const changed = args.with(index, [args[index], other])
        assert.notEqual(argumentKey(changed), argumentKey(args))
        const wrapped = args.with(index, { a: args[index] })
        assert.notEqual(argumentKey(wrapped), argumentKey(args))
      }),
      { numRuns: trials(3_000, 12_000, 30_000) },
    )
  })

  it('is short, well-formed and printable', () => {
    fc.assert(
      fc.property(list, (args) => {
        const key = argumentKey(args)
        assert.ok(key.isWellFormed())
        assert.doesNotMatch(key, /[\p{Cc}\u2028\u2029]/u)
        assert.ok(key.length <= 200)
      }),
      { numRuns: trials(5_000, 20_000, 50_000) },
    )
  })
})
