import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isDueEarly } from '../../src/cache/freshness/early-refresh.ts'
import { lifetimesOf, storedTtlMs } from '../../src/cache/freshness/entry-lifetimes.ts'
import { defaultPolicies, resolvePolicies } from '../../src/cache/freshness/policies.ts'

const DRAWS = 200_000
const base = defaultPolicies(60_000)

describe('P15 jitter stays within its bounds', () => {
  test('jitter shortens a TTL by no more than its fraction', () => {
    const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(unit, unit, fc.integer({ min: 1, max: 1e12 }), (jitter, drawn, ttlMs) => {
        const { ttlMs: spreadMs } = lifetimesOf({ ...base, jitter, ttlMs }, () => drawn)
        expect(Number.isInteger(spreadMs)).toBe(true)
        expect(spreadMs).toBeLessThanOrEqual(ttlMs)
        expect(spreadMs).toBeGreaterThanOrEqual(Math.max(1, Math.floor(ttlMs * (1 - jitter))))
      }),
      { numRuns: 5_000 },
    )
  })

  test('jitter is uniform: each tenth of the range gets a tenth of the entries', () => {
    const buckets = new Array<number>(10).fill(0)
    for (let draw = 0; draw < DRAWS; draw++) {
      const { ttlMs } = lifetimesOf({ ...base, ttlMs: 1_000_000, jitter: 0.2 }, Math.random)
      const bucket = Math.min(9, Math.floor((ttlMs - 800_000) / 20_000))
      buckets[bucket] = (buckets[bucket] as number) + 1
    }
    // Six standard deviations of a binomial distribution.
    const tolerance = 6 * Math.sqrt(DRAWS * 0.1 * 0.9)
    for (const count of buckets) expect(Math.abs(count - DRAWS / 10)).toBeLessThan(tolerance)
  })

  test('an endless TTL stays endless, and without jitter no random number is drawn', () => {
    const never = () => {
      throw new Error('drawn')
    }
    expect(lifetimesOf({ ...base, ttlMs: Number.POSITIVE_INFINITY, jitter: 0.5 }, never).ttlMs).toBe(
      Number.POSITIVE_INFINITY,
    )
    expect(lifetimesOf(base, never).ttlMs).toBe(60_000)
  })
})

describe('early refresh is XFetch', () => {
  // The request looks ahead by beta * cost * E, E exponential: P(ahead >= left) = exp(-left / (beta * cost)).
  test.each([
    { leftMs: 100, costMs: 100, beta: 1 },
    { leftMs: 300, costMs: 100, beta: 1 },
    { leftMs: 300, costMs: 100, beta: 2 },
    { leftMs: 10, costMs: 100, beta: 0.5 },
  ])(
    'a load of $costMs ms is due $leftMs ms before expiry with the XFetch probability, beta $beta',
    ({ beta, costMs, leftMs }) => {
      let due = 0
      for (let draw = 0; draw < DRAWS; draw++) if (isDueEarly(leftMs, costMs, beta, Math.random)) due++
      const expected = Math.exp(-leftMs / (beta * costMs))
      const tolerance = 6 * Math.sqrt((expected * (1 - expected)) / DRAWS)
      expect(Math.abs(due / DRAWS - expected)).toBeLessThan(tolerance)
    },
  )

  test('a load without cost is never due early, and an expired entry is always due', () => {
    expect(isDueEarly(1, 0, 1, () => 1 - Number.EPSILON)).toBe(false)
    expect(isDueEarly(0, 5, 1, () => 0)).toBe(true)
  })
})

test('Redis keeps an entry until its longer stale window ends', () => {
  expect(storedTtlMs({ ttlMs: 10, staleIfErrorMs: 5, staleWhileRevalidateMs: 7 })).toBe(17)
})

describe('policies of a call override those of its namespace, and these those of the cache', () => {
  test('each level overrides only the policies it sets', () => {
    const cache = resolvePolicies({ ttl: '1m', staleIfError: '1d', earlyRefresh: { beta: 2 } }, base)
    const space = resolvePolicies({ staleWhileRevalidate: '10s', jitter: 0.1 }, cache)
    const call = resolvePolicies({ ttl: '5s', earlyRefresh: false, hardTimeout: '2s' }, space)
    expect(call).toMatchObject({
      ttlMs: 5_000,
      jitter: 0.1,
      staleWhileRevalidateMs: 10_000,
      staleIfErrorMs: 86_400_000,
      earlyBeta: 0,
      softTimeoutMs: Number.POSITIVE_INFINITY,
      hardTimeoutMs: 2_000,
    })
    expect(resolvePolicies({ staleIfError: false }, call).staleIfErrorMs).toBe(0)
  })

  test('a call without policies gets the same policy object', () => {
    expect(resolvePolicies({}, base)).toBe(base)
    expect(resolvePolicies({ ttl: undefined, jitter: undefined }, base)).toBe(base)
  })

  test.each([
    [{ ttl: -1 }, 'CACHE_INVALID_DURATION'],
    [{ softTimeout: 0 }, 'CACHE_INVALID_DURATION'],
    [{ staleIfError: 0 }, 'CACHE_INVALID_DURATION'],
    [{ jitter: true }, 'CACHE_INVALID_OPTIONS'],
    [{ hardTimeout: true }, 'CACHE_INVALID_DURATION'],
    [{ hardTimeout: '5x' }, 'CACHE_INVALID_DURATION'],
    [{ staleWhileRevalidate: Number.NaN }, 'CACHE_INVALID_DURATION'],
    [{ jitter: 1 }, 'CACHE_INVALID_OPTIONS'],
    [{ jitter: -0.1 }, 'CACHE_INVALID_OPTIONS'],
    [{ jitter: Number.NaN }, 'CACHE_INVALID_OPTIONS'],
    [{ jitter: '10%' }, 'CACHE_INVALID_OPTIONS'],
    [{ earlyRefresh: { beta: 0 } }, 'CACHE_INVALID_OPTIONS'],
    [{ earlyRefresh: { beta: Number.POSITIVE_INFINITY } }, 'CACHE_INVALID_OPTIONS'],
    [{ earlyRefresh: true }, 'CACHE_INVALID_OPTIONS'],
    [{ earlyRefresh: null }, 'CACHE_INVALID_OPTIONS'],
    [{ verify: { sample: 1.1 } }, 'CACHE_INVALID_OPTIONS'],
    [{ verify: true }, 'CACHE_INVALID_OPTIONS'],
    [{ verify: { sample: 0.5, grace: 0 } }, 'CACHE_INVALID_DURATION'],
  ])('%j is refused', (options, code) => {
    expect(() => resolvePolicies(options as object, base)).toThrow(expect.objectContaining({ code }))
  })
})
