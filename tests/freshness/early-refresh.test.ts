import { describe, expect, test } from 'vitest'
import { openTimed, TimedSource } from '../support/timed-source.ts'

describe('early refresh', () => {
  test('gets likelier as the expiry nears, and serves nothing stale', async () => {
    const { cache, clock } = openTimed({ ttl: '60s', earlyRefresh: { beta: 1 } })
    const source = new TimedSource(clock)
    source.takesMs = 1_000
    const keys = Array.from({ length: 200 }, (_, index) => `key${index}`)
    const ask = () => Promise.all(keys.map((key) => cache.getOrSet(key, source.load)))
    const filled = ask()
    await clock.advance('1s')
    await filled
    expect(source.loads).toBe(200)
    // 59 of a minute are left, and a load takes 1 of them: exp(-50).
    for (let second = 0; second < 10; second++) {
      await ask()
      await clock.advance('1s')
    }
    expect(source.loads).toBe(200)
    await clock.advance('47.9s')
    const before = await ask()
    await clock.advance('1s')
    await cache.idle()
    const refreshed = source.loads - 200
    // 1.1 s are left: exp(-1.1) of 200 are 67, within six standard deviations.
    expect(Math.abs(refreshed - 200 * Math.exp(-1.1))).toBeLessThan(40)
    expect(before.every((value) => value <= 200)).toBe(true)
    expect(cache.stats().total.earlyRefreshes).toBe(refreshed)
    expect(cache.stats().total.staleServes).toBe(0)
  })

  test('does not happen in a call that turns it off', async () => {
    const { cache, clock } = openTimed({ ttl: '60s', earlyRefresh: { beta: 1e12 } })
    const source = new TimedSource(clock)
    source.takesMs = 1_000
    const first = cache.getOrSet('key', source.load)
    await clock.advance('1s')
    await first
    await clock.advance('58s')
    for (let call = 0; call < 50; call++) await cache.getOrSet('key', source.load, { earlyRefresh: false })
    await cache.idle()
    expect(source.loads).toBe(1)
    await cache.getOrSet('key', source.load)
    await clock.advance('1s')
    expect(source.loads).toBe(2)
  })
})
