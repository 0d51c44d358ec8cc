import { createCache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { openTimed, TimedSource } from '../support/timed-source.ts'

describe('policies of a call, its namespace and the cache', () => {
  test('each level overrides the one above', async () => {
    const { cache, clock } = openTimed({ ttl: '10s' })
    const source = new TimedSource(clock)
    const prices = cache.namespace('prices', { ttl: '20s' })
    const daily = prices.namespace('daily', { staleWhileRevalidate: '100s' })
    await cache.getOrSet('key', source.load)
    await prices.getOrSet('key', source.load)
    await daily.getOrSet('key', source.load)
    await daily.getOrSet('long', source.load, { ttl: '1h' })
    await prices.set('set', 5)
    expect(await cache.getTtl('key')).toBe(10)
    expect(await prices.getTtl('key')).toBe(20)
    expect(await daily.getTtl('key')).toBe(20)
    expect(await daily.getTtl('long')).toBe(3_600)
    expect(await prices.getTtl('set')).toBe(20)
    await clock.advance('60s')
    expect(await prices.getOrSet('key', source.load)).toBe(5)
    expect(await daily.getOrSet('key', source.load)).toBe(3)
    await cache.idle()
  })

  test('a loader can override the policies', async () => {
    const { cache } = openTimed()
    await cache.getOrSet('key', (context) => {
      context.setOptions({ ttl: '5s', staleIfError: '1h' })
      return 1
    })
    expect(await cache.getTtl('key')).toBe(5)
  })

  test('invalid policies are refused when the cache or namespace is created', () => {
    const { cache } = openTimed()
    expect(() => cache.namespace('a', { jitter: 2 })).toThrow(
      expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS' }),
    )
    expect(() => createCache({ earlyRefresh: { beta: -1 } })).toThrow(
      expect.objectContaining({ code: 'CACHE_INVALID_OPTIONS' }),
    )
  })
})

test('P15 entries stored together expire spread over the jitter', async () => {
  const { cache, clock } = openTimed({ ttl: '100s', jitter: 0.5 })
  const keys = Array.from({ length: 1_000 }, (_, index) => `key${index}`)
  await Promise.all(
    keys.map((key, index) => (index % 2 === 0 ? cache.set(key, 1) : cache.getOrSet(key, () => 1))),
  )
  const alive = async () => [...(await cache.getMany(keys)).values()].filter((value) => value === 1).length
  await clock.advance('50s')
  expect(await alive()).toBe(1_000)
  await clock.advance('25s')
  // Half of them, within six standard deviations.
  expect(Math.abs((await alive()) - 500)).toBeLessThan(95)
  await clock.advance('25s')
  expect(await alive()).toBe(0)
})
