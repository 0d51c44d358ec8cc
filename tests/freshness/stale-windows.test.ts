import { describe, expect, test } from 'vitest'
import { openTimed, TimedSource } from '../support/timed-source.ts'

describe('P25 stale is served only inside its window, on a manual clock', () => {
  const policies = { ttl: '60s', staleWhileRevalidate: '30s', staleIfError: '5m' } as const

  test('fresh, then stale with one load behind it, then loaded', async () => {
    const { cache, clock, told } = openTimed(policies)
    const source = new TimedSource(clock)
    const ask = () => cache.getOrSet('key', source.load)
    expect(await ask()).toBe(1)
    await clock.advance('59.999s')
    expect(await ask()).toBe(1)
    expect(told).toEqual([])
    await clock.advance('1ms')
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1])
    expect(told).toEqual(['stale: revalidate', 'stale: revalidate', 'stale: revalidate'])
    await cache.idle()
    expect(source.loads).toBe(2)
    expect(await ask()).toBe(2)
    await clock.advance('90s')
    expect(await ask()).toBe(3)
  })

  test('to the millisecond where the loader fails', async () => {
    const { cache, clock, told } = openTimed({ ...policies, staleWhileRevalidate: 0 })
    const source = new TimedSource(clock)
    const ask = () => cache.getOrSet('key', source.load)
    await ask()
    source.error = new Error('source away')
    await clock.advance('359.999s')
    expect(await ask()).toBe(1)
    expect(told).toEqual(['stale: error'])
    await clock.advance('1ms')
    await expect(ask()).rejects.toThrow('source away')
  })

  test('a refresh that fails is told, and the stale value is served until its window ends', async () => {
    const { cache, clock, told } = openTimed(policies)
    const source = new TimedSource(clock)
    const ask = () => cache.getOrSet('key', source.load)
    await ask()
    source.error = new Error('source away')
    await clock.advance('70s')
    expect(await ask()).toBe(1)
    await cache.idle()
    expect(told).toEqual(['stale: revalidate', 'refresh of key: source away'])
  })
})
