import { describe, expect, test } from 'vitest'
import { elapsed } from '../support/cache-states.ts'
import { useScene } from '../support/scene.ts'
import { openTimed } from '../support/timed-source.ts'

const scene = useScene()

/** A loader that fails with an HTTP status. */
const failing = (status: number) => (): Promise<string> =>
  Promise.reject(Object.assign(new Error(`status ${status}`), { status }))

// meziantou/Meziantou.Framework#2824
describe('a stale value within staleIfError', () => {
  test('does not hide that a page is forbidden or gone, and is dropped', async () => {
    for (const status of [403, 404, 410]) {
      const { cache, clock } = openTimed({ ttl: '1m', staleIfError: '1d' })
      await cache.getOrSet('page', () => 'old')
      await clock.advance('2m')
      await expect(cache.getOrSet('page', failing(status))).rejects.toThrow(`status ${status}`)
      await expect(cache.getOrSet('page', failing(503))).rejects.toThrow('status 503')
    }
  })

  test('hides an outage', async () => {
    const { cache, clock } = openTimed({ ttl: '1m', staleIfError: '1d' })
    await cache.getOrSet('page', () => 'old')
    await clock.advance('2m')
    for (const status of [500, 503, 504]) expect(await cache.getOrSet('page', failing(status))).toBe('old')
  })
})

// ZiggyCreatures/FusionCache#648
test('clear() leaves no stale value for a loader that fails', async () => {
  for (const local of [{}, false] as const) {
    const options = { ttl: '50ms', staleIfError: '1h', local, prefix: local ? 'with:' : 'without:' } as const
    const [mine, other] = [await scene.open(options), await scene.open(options)]
    await mine.getOrSet('key', () => 'old')
    await elapsed(80)
    expect(await other.getOrSet('key', failing(503))).toBe('old')
    expect(await mine.clear()).toBe(true)
    for (const cache of [mine, other]) {
      await expect(cache.getOrSet('key', failing(503))).rejects.toThrow('status 503')
    }
  }
})

// rails/rails#54229
test('a value that was loaded while the old one was served stale lives for its whole ttl', async () => {
  const { cache, clock } = openTimed({ ttl: '5m', staleWhileRevalidate: '5s' })
  let loads = 0
  const ask = () => cache.getOrSet('count', () => ++loads)
  expect(await ask()).toBe(1)
  await clock.advance('302s')
  expect(await ask()).toBe(1)
  await cache.idle()
  expect(await cache.getTtl('count')).toBe(300)
  await clock.advance('299s')
  expect(await ask()).toBe(2)
  expect(loads).toBe(2)
})
