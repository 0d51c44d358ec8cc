import { createCache } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { shown } from '../../src/foundation/errors/shown-value.ts'

const anything = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
} as const

const LONG = 'a-secret-in-the-wrong-place'

/** Options with one value each that is refused, what the message names, and what it shows of the value. */
const refusals: readonly (readonly [object, string, string])[] = [
  [{ prefix: 5 }, 'prefix', 'not 5'],
  [{ serializer: 'jsno' }, 'serializer', 'not "jsno"'],
  [{ readers: 'v8' }, 'readers', 'not "v8"'],
  [{ compression: 'lzma' }, 'compression', 'not "lzma"'],
  [{ compression: { algorithm: 'gzip', minBytes: -1 } }, 'compression.minBytes', 'not -1'],
  [{ maxValueBytes: 0 }, 'maxValueBytes', 'not 0'],
  [{ errors: 'trhow' }, 'errors', 'not "trhow"'],
  [{ errors: LONG }, 'errors', 'not a string of 27 characters'],
  [{ logger: () => {} }, 'logger', 'not a function'],
  [{ isolate: 'frozen' }, 'isolate', 'not "frozen"'],
  [{ coherence: [] }, 'coherence', 'not an array'],
  [{ coherence: { mode: 'process' } }, 'coherence.mode', 'not "process"'],
  [{ coherence: { afterRestart: 5n } }, 'coherence.afterRestart', 'not 5n'],
  [{ jitter: 2 }, 'jitter', 'not 2'],
  [{ earlyRefresh: { beta: Number.NaN } }, 'earlyRefresh.beta', 'not NaN'],
  [{ verify: { sample: '1' } }, 'verify.sample', 'not "1"'],
  [{ lease: { ttl: '2m' } }, 'lease.ttl', 'not "2m"'],
  [{ coherence: { trust: '25d' } }, 'coherence.trust', 'not "25d"'],
  [{ local: { maxEntries: 1.5 } }, 'maxEntries', 'not 1.5'],
  [{ clock: {} }, 'clock', 'not an object'],
  [{ ttl: 'soon' }, 'ttl', '"soon"'],
]

describe('an error about an option or argument', () => {
  test('does not write a long bigint in decimal, which takes seconds', async () => {
    expect(shown(10n ** 20n - 1n)).toBe('99999999999999999999n')
    expect(shown(1n - 10n ** 20n)).toBe('-99999999999999999999n')
    expect(shown(-(10n ** 20n))).toBe('a bigint of more than 20 digits')
    await using cache = createCache({ redis: false })
    const users = cache.collection({ name: 'users', schema: anything, load: () => 'loaded' })
    const vast = 1n << 60_000_000n
    const startMs = performance.now()
    await expect(new MemoryCacheBackend().incrBig('count', vast)).rejects.toThrow('more than 20 digits')
    await expect(users.get(vast as never)).rejects.toThrow('more than 20 digits')
    expect(performance.now() - startMs).toBeLessThan(1_000)
  })

  test.each(refusals)('%o names it and shows what was refused', (options, name, shows) => {
    expect(() => createCache({ redis: false, ...options })).toThrow(name)
    expect(() => createCache({ redis: false, ...options })).toThrow(shows)
  })

  test('shows arguments of calls too, and never what may be a stored value', async () => {
    await using cache = createCache({ redis: false })
    await using backend = new MemoryCacheBackend({ errors: 'throw' })
    await expect(cache.get(5 as never)).rejects.toThrow('not 5')
    await expect(cache.set('key', 1, { tags: 'users' as never })).rejects.toThrow(
      'tags must be an array of strings, not "users"',
    )
    await expect(cache.invalidateTags(null as never)).rejects.toThrow('not null')
    await expect(cache.getMany('key' as never)).rejects.toThrow('not "key"')
    await expect(cache.getOrSet('key', 'value' as never)).rejects.toThrow('must be a function, not a string')
    await expect(cache.setMany('value' as never)).rejects.toThrow('not a string')
    await expect(backend.incr('key', 1.5)).rejects.toThrow('amount must be a safe integer, not 1.5')
    await expect(backend.invalidatePattern('')).rejects.toThrow('not ""')
  })

  test('shows any value in a line of its own, without calling it, and no long text', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (value) => {
        expect(shown(value)).toMatch(/^[^\n\r]{1,140}$/)
      }),
    )
    fc.assert(
      fc.property(fc.string({ minLength: 21 }), (text) => {
        expect(shown(text)).toBe(`a string of ${text.length} characters`)
      }),
    )
  })
})
