import { type CacheError, createCache } from 'cachewright'
import { expect, test } from 'vitest'

test('T7 a lease that other processes would ignore, as it is over a minute, is refused by name', () => {
  for (const ttl of ['61s', '5m', Number.POSITIVE_INFINITY] as const) {
    expect(() => createCache({ lease: { ttl } })).toThrow(
      expect.toSatisfy(
        (error: CacheError) =>
          error.code === 'CACHE_INVALID_OPTIONS' && /^lease\.ttl must be a minute/.test(error.message),
      ),
    )
  }
  expect(() => createCache({ lease: { ttl: '1m', longestLoad: '5m' } })).not.toThrow()
})
