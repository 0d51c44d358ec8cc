import assert from 'node:assert/strict'
import { inspect, isDeepStrictEqual } from 'node:util'
import { CacheError } from 'cachewright'
import { describe, it } from 'vitest'
import { argumentKey } from '../../../src/cache/memoize/argument-key.ts'
import { copyWithoutSharing, freshValue, hasSlots, rewritten } from './argument-mutations.ts'
import type { Chance } from './chance.ts'
import { FUZZ_TIMEOUT_MS, fuzz } from './fuzz.ts'

type Args = readonly unknown[]

/** The most lists that are remembered, to find two with the same key. */
const MOST_REMEMBERED = 100_000

const SEEDS: readonly Args[] = [
  [],
  // Small lists meet others with the same key most often.
  ['', ''],
  ['1', 1],
  ...[{}, [], { a: 1 }, [1], '', '"', 1, new Map(), new Set()].map((value) => [value]),
  ['ann', 42, true, null, undefined, 7n, -0],
  ['"', '\\', ',', '1,2', '","', 'sha256:', '\u0085\u2028\ud800'],
  [{ page: 1, filter: { tags: ['a', 'b'] } }],
  [new Map<unknown, unknown>([['a', { b: 1 }]]), new Set<unknown>([1, '1', [1]])],
  [new Date(5), new URL('https://a.example/?b=c'), /a"b/gi],
  [Buffer.from('hello'), Uint8Array.of(1, 2), Float64Array.of(1, 2), new DataView(new ArrayBuffer(2))],
  [Uint8Array.of(1, 2).buffer, [[[[]]]], { a: [{}, {}] }],
]

function mutate(args: Args, chance: Chance): Args {
  if (args.length === 0 || chance.happens(0.1)) return [...args, freshValue(chance)]
  const index = chance.below(args.length)
  if (chance.happens(0.05)) return args.toSpliced(index, 1)
  return args.with(index, rewritten(args[index], chance))
}

/** The key; `undefined` if the arguments are refused. */
function keyOf(args: Args): string | undefined {
  try {
    return argumentKey(args)
  } catch (error) {
    assert.ok(error instanceof CacheError && error.code === 'CACHE_INVALID_ARGUMENT', String(error))
    assert.ok(error.message.length < 300, error.message)
    return undefined
  }
}

describe('the key of arguments', () => {
  it(
    'is printable, and the same only for equal arguments',
    async () => {
      const remembered = new Map<string, Args>()
      const run = await fuzz<Args>({
        seeds: SEEDS,
        mutate,
        attempt: (args) => {
          const key = keyOf(args)
          if (key === undefined) return
          assert.ok(key.length <= 200 && key.isWellFormed())
          assert.doesNotMatch(key, /[\p{Cc}\u2028\u2029]/u)
          const copy = copyWithoutSharing(args)
          assert.equal(keyOf(copy as Args), key, 'an equal list has another key')
          const other = remembered.get(key)
          if (other === undefined) {
            if (remembered.size < MOST_REMEMBERED) remembered.set(key, args)
          } else {
            assert.ok(isDeepStrictEqual(visible(args), visible(other)), `as ${inspect(other, { depth: 9 })}`)
          }
        },
        show: (args) => inspect(args, { depth: 12, showHidden: true }),
      })
      assert.ok(run.inputs > 10)
      assert.ok(remembered.size > 10)
    },
    FUZZ_TIMEOUT_MS,
  )
})

/**
 * The value with what `isDeepStrictEqual` does not compare in Node 20: the addresses of URLs, and the content of a
 * built-in object with another prototype.
 */
function visible(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof URL) return ['URL', value.href]
  if (Object.getPrototypeOf(value) === Object.prototype && hasSlots(value)) return ['a built-in', value]
  if (Array.isArray(value)) return value.map(visible)
  if (value instanceof Map) return new Map(Array.from(value, ([key, item]) => [visible(key), visible(item)]))
  if (value instanceof Set) return new Set(Array.from(value, visible))
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, visible(item)]))
}
