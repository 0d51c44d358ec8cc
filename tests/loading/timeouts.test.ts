import { describe, expect, test } from 'vitest'
import { openTimed, TimedSource } from '../support/timed-source.ts'

describe('soft timeout', () => {
  const policies = { staleIfError: '1h', softTimeout: '1s', hardTimeout: '5s' } as const

  test('a slow load continues while its caller gets the stale value', async () => {
    const { cache, clock, told } = openTimed(policies)
    const source = new TimedSource(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('2m')
    source.takesMs = 3_000
    const answer = cache.getOrSet('key', source.load)
    await clock.advance('999ms')
    expect(told).toEqual([])
    await clock.advance('1ms')
    expect(await answer).toBe(1)
    expect(told).toEqual(['stale: timeout'])
    await clock.advance('2s')
    await cache.idle()
    expect(source.loads).toBe(2)
    expect(await cache.get('key')).toBe(2)
  })

  test('a caller waits if there is no stale value', async () => {
    const { cache, clock } = openTimed(policies)
    const source = new TimedSource(clock)
    source.takesMs = 3_000
    const answer = cache.getOrSet('key', source.load)
    await clock.advance('3s')
    expect(await answer).toBe(1)
  })

  test('a load that fails in the background emits an event', async () => {
    const { cache, clock, told } = openTimed(policies)
    const source = new TimedSource(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('2m')
    source.takesMs = 3_000
    source.error = new Error('source away')
    const answer = cache.getOrSet('key', source.load)
    await clock.advance('3s')
    expect(await answer).toBe(1)
    await cache.idle()
    expect(told).toEqual(['stale: timeout', 'refresh of key: source away'])
  })

  test('a caller that aborts after its stale answer does not end the load', async () => {
    const { cache, clock } = openTimed(policies)
    const source = new TimedSource(clock)
    await cache.getOrSet('key', source.load)
    await clock.advance('2m')
    source.takesMs = 3_000
    const controller = new AbortController()
    const answer = cache.getOrSet('key', source.load, { signal: controller.signal })
    await clock.advance('1s')
    await answer
    controller.abort()
    await clock.advance('2s')
    expect(source.signals.at(-1)?.aborted).toBe(false)
    expect(await cache.get('key')).toBe(2)
  })

  test('an invalidated entry is not served stale', async () => {
    const { cache, clock } = openTimed(policies)
    const source = new TimedSource(clock)
    await cache.getOrSet('key', source.load, { tags: ['t'] })
    await clock.advance('2m')
    await cache.invalidateTags(['t'])
    source.takesMs = 3_000
    const answer = cache.getOrSet('key', source.load, { tags: ['t'] })
    await clock.advance('3s')
    expect(await answer).toBe(2)
  })
})

describe('hard timeout', () => {
  test('the call rejects with a typed error that names the key, and the loader is aborted', async () => {
    const { cache, clock } = openTimed({ hardTimeout: '2s' })
    const source = new TimedSource(clock)
    source.takesMs = 60_000
    const answer = cache.getOrSet('key', source.load).catch((error: unknown) => error)
    await clock.advance('1.999s')
    expect(source.signals[0]?.aborted).toBe(false)
    await clock.advance('1ms')
    expect(await answer).toMatchObject({ name: 'CacheError', code: 'CACHE_LOADER_TIMEOUT', key: 'key' })
    expect(source.signals[0]?.aborted).toBe(true)
  })

  test('the next caller starts a new load even if the loader never settles', async () => {
    const { cache, clock } = openTimed({ hardTimeout: '2s' })
    const hung = cache.getOrSet('key', () => new Promise<number>(() => {})).catch((error: unknown) => error)
    await clock.advance('2s')
    expect(await hung).toMatchObject({ code: 'CACHE_LOADER_TIMEOUT' })
    expect(await cache.getOrSet('key', () => 7)).toBe(7)
    expect(await cache.get('key')).toBe(7)
  })

  test('a value loaded too late does not overwrite a newer one', async () => {
    const { cache, clock } = openTimed({ hardTimeout: '2s' })
    const source = new TimedSource(clock)
    source.takesMs = 10_000
    const late = cache.getOrSet('key', source.load).catch((error: unknown) => error)
    await clock.advance('2s')
    await late
    source.takesMs = 0
    expect(await cache.getOrSet('key', source.load)).toBe(2)
    await clock.advance('20s')
    expect(await cache.get('key')).toBe(2)
  })

  test('a caller that waits longer keeps the load running', async () => {
    const { cache, clock } = openTimed()
    const source = new TimedSource(clock)
    source.takesMs = 3_000
    const hasty = cache.getOrSet('key', source.load, { hardTimeout: '1s' }).catch((error: unknown) => error)
    const patient = cache.getOrSet('key', source.load)
    await clock.advance('3s')
    expect(await hasty).toMatchObject({ code: 'CACHE_LOADER_TIMEOUT' })
    expect(await patient).toBe(1)
    expect(source.loads).toBe(1)
  })

  test('a timeout too long for a timer never fires', async () => {
    const { cache } = openTimed({ hardTimeout: '365d', softTimeout: Number.POSITIVE_INFINITY })
    expect(await cache.getOrSet('key', () => 1)).toBe(1)
  })
})
