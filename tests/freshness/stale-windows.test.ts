import { describe, expect, test } from 'vitest'
import { openTimed, TimedSource } from '../support/timed-source.ts'

describe('P25 a stale entry is served only inside its window, on a manual clock', () => {
  const policies = { ttl: '60s', staleWhileRevalidate: '30s', staleIfError: '5m' } as const

  test('an entry is served fresh, then stale with one background load, then reloaded', async () => {
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

  test('when the loader fails, the error window ends to the millisecond', async () => {
    const { cache, clock, told } = openTimed({ ...policies, staleWhileRevalidate: false })
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

  test('a failed refresh emits an event, and the caller gets the stale value', async () => {
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
