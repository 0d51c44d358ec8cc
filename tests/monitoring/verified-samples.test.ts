import { createCache } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { expect, test, vi } from 'vitest'

class User {
  readonly name = 'Ada'
}

const plain = () => ({ at: new Date(5), absent: undefined, zero: -0, user: new User() })
const rich = () => ({ ...plain(), not: Number.NaN, map: new Map([[1, new Set([2])]]), big: 10n })
const encryption = { keys: [{ id: 'one', secret: Buffer.alloc(32, 1) }] }

test.for(
  (['share', 'clone', 'freeze'] as const).flatMap((isolate) =>
    (['json', 'v8', 'msgpack'] as const).map((serializer) => ({ isolate, serializer })),
  ),
)('what has not changed is fresh: $isolate, $serializer', async ({ isolate, serializer }) => {
  const clock = new ManualClock()
  await using cache = createCache({
    ...{ clock, isolate, serializer, ttl: '1h', compression: { algorithm: 'gzip', minBytes: 1 } },
    ...{ encryption, verify: { sample: 1, grace: '1ms' } },
  })
  const verdicts: unknown[] = []
  cache.on('verify', ({ verdict }) => verdicts.push(verdict))
  cache.on('background-error', ({ error }) => verdicts.push(error))
  const load = serializer === 'json' ? plain : rich
  await cache.getOrSet('k', load)
  await cache.getOrSet('k', load)
  await cache.idle()
  await cache.getOrSet('k', () => ({ ...load(), zero: 1 }))
  await vi.waitFor(async () => {
    await clock.advance('1ms')
    expect(verdicts).toEqual(['fresh', 'stale'])
  })
})

test('hung verifications make room for others, and idle() resolves', async () => {
  const clock = new ManualClock()
  await using cache = createCache({ clock, ttl: '1h', lease: { longestLoad: '10s' }, verify: { sample: 1 } })
  const errors: unknown[] = []
  cache.on('background-error', ({ error }) => errors.push(error))
  await cache.getOrSet('k', () => 1)
  const signals: AbortSignal[] = []
  for (let call = 0; call < 9; call++) {
    await cache.getOrSet('k', ({ signal }) => {
      signals.push(signal)
      return new Promise<never>(() => {})
    })
  }
  await clock.advance('10s')
  await cache.idle()
  expect(signals.map(({ aborted }) => aborted)).toEqual(Array(8).fill(true))
  expect(errors).toHaveLength(8)
  expect(errors[0]).toMatchObject({ code: 'CACHE_LOADER_TIMEOUT', operation: 'verify', key: 'k' })
  await cache.getOrSet('k', () => 1)
  await cache.idle()
  expect(cache.stats().verification.verified).toBe(1)
})

test('a cache that is closed during a grace leaves no timer', async () => {
  const clock = new ManualClock()
  const cache = createCache({
    clock,
    ttl: '9h',
    shutdown: { drain: '5s' },
    verify: { sample: 1, grace: '1h' },
  })
  const errors: unknown[] = []
  cache.on('background-error', ({ error }) => errors.push(error))
  await cache.getOrSet('k', () => 1)
  await cache.getOrSet('k', () => 2)
  await clock.settle()
  const closed = cache.shutdown()
  await clock.advance('5s')
  await closed
  await clock.settle()
  expect(clock.pendingTimers).toBe(0)
  expect(errors).toEqual([])
})

test('the smallest possible sample verifies almost nothing', async () => {
  await using cache = createCache({ verify: { sample: Number.MIN_VALUE } })
  const load = vi.fn(() => 1)
  for (let call = 0; call < 100; call++) await cache.getOrSet('k', load)
  await cache.idle()
  expect(load).toHaveBeenCalledTimes(1)
})
