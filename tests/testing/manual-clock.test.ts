import assert from 'node:assert/strict'
import { createCache } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { ManualClock } from 'cachewright/testing'
import { describe, it } from 'vitest'

describe('a manual clock', () => {
  it('stands still until it is advanced', async () => {
    const clock = new ManualClock()
    let fired = 0
    clock.after(1, () => fired++)
    await clock.settle()
    assert.equal(clock.monotonicMs(), 0)
    assert.equal(fired, 0)
    await clock.advance('1ms')
    assert.equal(clock.monotonicMs(), 1)
    assert.equal(fired, 1)
  })

  it('fires timers when they are due, and timers of one moment in the order they were set', async () => {
    const clock = new ManualClock()
    const fired: string[] = []
    const note = (name: string) => () => fired.push(`${name} at ${clock.monotonicMs()}`)
    clock.after(30, note('third'))
    clock.after(10, note('first'))
    clock.after(20, note('second'))
    clock.after(20, note('second, set later'))
    clock.after(31, note('never'))
    await clock.advance('30ms')
    assert.deepEqual(fired, ['first at 10', 'second at 20', 'second, set later at 20', 'third at 30'])
    assert.equal(clock.pendingTimers, 1)
  })

  it('fires timers that a timer, or work started by one, sets within the same span', async () => {
    const clock = new ManualClock()
    const fired: number[] = []
    const pause = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve))
    const work = (async () => {
      for (const ms of [5, 10, 20, 100]) {
        await pause(ms)
        fired.push(clock.monotonicMs())
      }
    })()
    await clock.advance('50ms')
    assert.deepEqual(fired, [5, 15, 35])
    await clock.advance('1s')
    await work
    assert.deepEqual(fired, [5, 15, 35, 135])
    assert.equal(clock.monotonicMs(), 1_050)
  })

  it('does not fire a cancelled timer, even if a timer of the same moment cancelled it', async () => {
    const clock = new ManualClock()
    const fired: string[] = []
    clock.after(10, () => {
      fired.push('first')
      callOff()
    })
    const callOff = clock.after(10, () => fired.push('called off'))
    const callOffAnother = clock.after(5, () => fired.push('called off at once'))
    callOffAnother()
    callOffAnother()
    await clock.advance('1s')
    assert.deepEqual(fired, ['first'])
    assert.equal(clock.pendingTimers, 0)
  })

  it('advances even if a timer sets itself again without delay', async () => {
    const clock = new ManualClock()
    let fired = 0
    const again = () => {
      fired++
      clock.after(0, again)
    }
    again()
    await clock.advance('10ms')
    assert.equal(fired, 11)
  })

  it('advances by concurrent spans one after another', async () => {
    const clock = new ManualClock()
    const seen: number[] = []
    clock.after(1_500, () => seen.push(clock.monotonicMs()))
    await Promise.all([
      clock.advance('1s').then(() => seen.push(clock.monotonicMs())),
      clock.advance('1s').then(() => seen.push(clock.monotonicMs())),
    ])
    assert.deepEqual(seen, [1_000, 1_500, 2_000])
  })

  it('rethrows an error of a timer, and stops at its moment', async () => {
    const clock = new ManualClock()
    clock.after(10, () => {
      throw new Error('thrown by a timer')
    })
    await assert.rejects(clock.advance('1s'), /thrown by a timer/)
    assert.equal(clock.monotonicMs(), 10)
    await clock.advance('1s')
    assert.equal(clock.monotonicMs(), 1_010)
  })

  it('refuses invalid and infinite spans', async () => {
    const clock = new ManualClock()
    for (const span of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await assert.rejects(clock.advance(span), { code: 'CACHE_INVALID_DURATION' })
    }
  })
})

describe('a cache on a manual clock', () => {
  it('loads, serves, and loads again when the TTL ends', async () => {
    const clock = new ManualClock()
    await using cache = createCache({ clock, ttl: '5m' })
    let loads = 0
    const load = () => ++loads
    assert.equal(await cache.getOrSet('key', load), 1)
    await clock.advance('299s')
    assert.equal(await cache.getOrSet('key', load), 1)
    assert.equal(await cache.getTtl('key'), 1)
    await clock.advance('1s')
    assert.equal(cache.peek('key'), undefined)
    assert.equal(await cache.getOrSet('key', load), 2)
  })

  it('serves a stale value while a slow loader runs', async () => {
    const clock = new ManualClock()
    await using cache = createCache({ clock, ttl: '1m', staleWhileRevalidate: '1m' })
    let loads = 0
    const load = () =>
      new Promise<number>((resolve) => {
        clock.after(2_000, () => resolve(++loads))
      })
    const first = cache.getOrSet('key', load)
    await clock.advance('2s')
    assert.equal(await first, 1)
    await clock.advance('90s')
    assert.equal(await cache.getOrSet('key', load), 1)
    await clock.advance('1s')
    assert.equal(await cache.getOrSet('key', load), 1)
    await clock.advance('1s')
    assert.equal(await cache.getOrSet('key', load), 2)
  })

  it('keeps the lease of a load alive for as long as the loader takes', async () => {
    const clock = new ManualClock()
    await using cache = createCache({ clock, lease: { ttl: '1s' } })
    let lost = 0
    cache.on('lease-lost', () => lost++)
    const loading = cache.getOrSet(
      'key',
      () => new Promise((resolve) => clock.after(30_000, () => resolve('late'))),
    )
    await clock.advance('30s')
    assert.equal(await loading, 'late')
    assert.equal(await cache.get('key', { local: false }), 'late')
    assert.equal(lost, 0)
  })

  it('expires entries of a memory backend, even at time 0', async () => {
    const clock = new ManualClock()
    await using backend = new MemoryCacheBackend({ clock })
    await backend.initialize()
    await backend.set('key', 1, '10s')
    await clock.advance('9s')
    assert.equal(await backend.getTtl('key'), 1)
    await clock.advance('1001ms')
    assert.equal(await backend.get('key'), undefined)
  })
})
