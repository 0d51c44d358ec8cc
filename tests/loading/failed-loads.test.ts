import { type Cache, type CreateCacheOptions, createCache, type LoadContext } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { openTimed, TimedSource } from '../support/timed-source.ts'

const DOWN = new Error('down')
const NOT_FOUND: Error = Object.assign(new Error('not found'), { status: 404 })

/** A cache, and a source that fails from now on, after one load of `'key'` that has expired. */
async function failing(options: CreateCacheOptions) {
  const timed = openTimed({ ttl: '10s', ...options })
  const source = new TimedSource(timed.clock)
  await timed.cache.getOrSet('key', source.load)
  await timed.clock.advance('10s')
  source.error = DOWN
  source.loads = 0
  return { ...timed, source }
}

describe('retryAfterError', () => {
  const POLICIES = { staleIfError: '1h', retryAfterError: '5s' } as const

  test('after a failure, the stale value is served without another try for that long', async () => {
    const { cache, clock, source, told } = await failing(POLICIES)
    for (let call = 0; call < 3; call++) expect(await cache.getOrSet('key', source.load)).toBe(1)
    expect(source.loads).toBe(1)
    expect(told).toEqual(['stale: error', 'stale: error', 'stale: error'])
    await clock.advance('4999ms')
    await cache.getOrSet('key', source.load)
    expect(source.loads).toBe(1)
    await clock.advance('2ms')
    await cache.getOrSet('key', source.load)
    expect(source.loads).toBe(2)
    source.error = undefined
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    await clock.advance('6s')
    expect(await cache.getOrSet('key', source.load)).toBe(3)
  })

  test('a call whose maxAge no stale value suits tries, and begins the pause anew if it fails', async () => {
    const { cache, clock, source } = await failing(POLICIES)
    await cache.getOrSet('key', source.load)
    await clock.advance('1s')
    expect(await cache.getOrSet('key', source.load, { maxAge: '1s' }), 'within staleIfError').toBe(1)
    expect(source.loads).toBe(1)
    await clock.advance('3593s')
    expect(await cache.getOrSet('key', source.load), 'within staleIfError since its time to live').toBe(1)
    const call = cache.getOrSet('key', source.load, { maxAge: '1s' })
    await expect(call, 'past it since maxAge').rejects.toBe(DOWN)
    expect(source.loads).toBe(3)
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    expect(source.loads).toBe(3)
  })

  test('without it, every call tries', async () => {
    const { cache, source } = await failing({ staleIfError: '1h' })
    for (let call = 0; call < 3; call++) expect(await cache.getOrSet('key', source.load)).toBe(1)
    expect(source.loads).toBe(3)
  })

  test('holds for the background refresh of staleWhileRevalidate', async () => {
    const { cache, clock, source, told } = await failing({
      staleWhileRevalidate: '1h',
      retryAfterError: '5s',
    })
    for (let call = 0; call < 3; call++) {
      expect(await cache.getOrSet('key', source.load)).toBe(1)
      await cache.idle()
    }
    expect(source.loads).toBe(1)
    expect(told.filter((one) => one.startsWith('refresh'))).toEqual(['refresh of key: down'])
    await clock.advance('5001ms')
    await cache.getOrSet('key', source.load)
    await cache.idle()
    expect(source.loads).toBe(2)
  })

  test('ends when the stale window does', async () => {
    const { cache, clock, source } = await failing({ staleIfError: '3s', retryAfterError: '30s' })
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    await clock.advance('3s')
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(DOWN)
    expect(source.loads).toBe(2)
  })

  test.each<readonly [string, (cache: Cache) => Promise<unknown>]>([
    ['delete', (cache) => cache.delete('key')],
    ['invalidateTags', (cache) => cache.invalidateTags(['t'])],
    ['clear', (cache) => cache.clear()],
    ['invalidatePattern', (cache) => cache.invalidatePattern('*')],
  ])('%s ends it: the next call loads', async (_name, invalidate) => {
    const { cache, clock } = openTimed({ ttl: '10s', ...POLICIES })
    const source = new TimedSource(clock)
    const ask = () => cache.getOrSet('key', source.load, { tags: ['t'] })
    await ask()
    await clock.advance('10s')
    source.error = DOWN
    expect(await ask()).toBe(1)
    await invalidate(cache)
    await expect(ask()).rejects.toBe(DOWN)
    expect(source.loads).toBe(3)
  })

  test('refresh() tries nevertheless, and a call with `false` too', async () => {
    const { cache, source } = await failing(POLICIES)
    await cache.getOrSet('key', source.load)
    expect(await cache.refresh('key', source.load)).toBe(1)
    expect(source.loads).toBe(2)
    await cache.getOrSet('key', source.load, { retryAfterError: false })
    expect(source.loads).toBe(3)
  })

  test('an answer of the source begins no pause', async () => {
    const { cache, source } = await failing(POLICIES)
    source.error = NOT_FOUND
    for (let call = 0; call < 2; call++)
      await expect(cache.getOrSet('key', source.load)).rejects.toBe(NOT_FOUND)
    expect(source.loads).toBe(2)
  })

  test('a loader may set it', async () => {
    const { cache, clock, source } = await failing({ staleIfError: '1h', retryAfterError: '1s' })
    const load = (context: LoadContext) => {
      context.setOptions({ retryAfterError: '30s' })
      return source.load(context)
    }
    await cache.getOrSet('key', load)
    await clock.advance('29s')
    await cache.getOrSet('key', load)
    expect(source.loads).toBe(1)
  })
})

describe('errorTtl', () => {
  const POLICIES = { errorTtl: '5s' } as const

  test('a failure is thrown again for that long, without a load, and counted', async () => {
    const { cache, clock, source } = await failing(POLICIES)
    const events: string[] = []
    cache.on('remembered-error', ({ key }) => events.push(key))
    for (let call = 0; call < 3; call++) await expect(cache.getOrSet('key', source.load)).rejects.toBe(DOWN)
    expect(source.loads).toBe(1)
    expect(cache.stats().total).toMatchObject({ loads: 2, loadErrors: 1, rememberedErrors: 2 })
    expect(events).toEqual(['key', 'key'])
    await clock.advance('4999ms')
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(DOWN)
    await clock.advance('2ms')
    source.error = undefined
    expect(await cache.getOrSet('key', source.load)).toBe(2)
  })

  test('holds for keys that never had a value, for batches and for wrapped functions', async () => {
    const { cache, source } = await failing(POLICIES)
    for (let call = 0; call < 2; call++) await expect(cache.getOrSet('new', source.load)).rejects.toBe(DOWN)
    expect(source.loads).toBe(1)
    let calls = 0
    const loadMany = async () => {
      calls++
      throw DOWN
    }
    for (let call = 0; call < 2; call++) {
      const error = await cache.getOrSetMany(['a', 'b'], loadMany).catch((caught) => caught)
      expect([...error.errors.values()]).toEqual([DOWN, DOWN])
    }
    expect(calls).toBe(1)
    let finds = 0
    const find = cache.wrap(
      async () => {
        finds++
        throw DOWN
      },
      { name: 'find' },
    )
    for (let call = 0; call < 2; call++) await expect(find()).rejects.toBe(DOWN)
    expect(finds).toBe(1)
  })

  test('callers that wait for one load, and those that come after it, get the same error', async () => {
    const { cache, clock, source } = await failing(POLICIES)
    source.takesMs = 1_000
    const asked = Promise.allSettled([1, 2, 3].map(() => cache.getOrSet('key', source.load)))
    await clock.advance('1s')
    for (const answer of await asked) expect(answer).toEqual({ status: 'rejected', reason: DOWN })
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(DOWN)
    expect(source.loads).toBe(1)
  })

  test('while a stale value may be served, that is served and nothing is remembered', async () => {
    const { cache, clock, source } = await failing({ ...POLICIES, staleIfError: '1m' })
    for (let call = 0; call < 2; call++) expect(await cache.getOrSet('key', source.load)).toBe(1)
    expect(source.loads).toBe(2)
    await clock.advance('1m')
    for (let call = 0; call < 2; call++) await expect(cache.getOrSet('key', source.load)).rejects.toBe(DOWN)
    expect(source.loads).toBe(3)
  })

  test('an answer of the source is remembered too, and drops the value', async () => {
    const { cache, source } = await failing({ ...POLICIES, staleIfError: '1m', retryAfterError: '5s' })
    source.error = NOT_FOUND
    for (let call = 0; call < 3; call++)
      await expect(cache.getOrSet('key', source.load)).rejects.toBe(NOT_FOUND)
    expect(source.loads).toBe(1)
  })

  test.each<readonly [string, (cache: Cache) => Promise<unknown>, loads: number]>([
    ['delete', (cache) => cache.delete('key'), 2],
    ['a refresh that fails', (cache) => cache.refresh('key', () => Promise.reject(DOWN)).catch(() => 0), 1],
    ['set', (cache) => cache.set('key', 'written'), 1],
    ['plain.set', (cache) => cache.plain.set('key', 'written'), 1],
    ['refresh', (cache) => cache.refresh('key', () => 'written'), 1],
    ['invalidatePattern', (cache) => cache.invalidatePattern('*'), 2],
  ])('after %s', async (_name, touch, loads) => {
    const { cache, source } = await failing(POLICIES)
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(DOWN)
    await touch(cache)
    await cache.getOrSet('key', source.load).catch(() => {})
    expect(source.loads).toBe(loads)
  })

  test('a call with `false` loads, and a failure of a loader whose callers have left is not remembered', async () => {
    const { cache, clock, source } = await failing(POLICIES)
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(DOWN)
    await expect(cache.getOrSet('key', source.load, { errorTtl: false })).rejects.toBe(DOWN)
    expect(source.loads).toBe(2)
    source.takesMs = 2_000
    const left = cache.getOrSet('left', source.load, { hardTimeout: '1s' })
    const rejected = expect(left).rejects.toMatchObject({ code: 'CACHE_LOADER_TIMEOUT' })
    await clock.advance('1s')
    await rejected
    await clock.advance('1s')
    source.error = undefined
    source.takesMs = 0
    expect(await cache.getOrSet('left', source.load)).toBe(4)
  })

  test('a slot that waits is given in spite of it, and its fill ends it', async () => {
    const { cache, source } = await failing(POLICIES)
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(DOWN)
    const slot = await cache.reserve('key', { wait: true })
    expect(slot.isHit).toBe(false)
    if (!slot.isHit) expect(await slot.fill('filled')).toBe(true)
    expect(await cache.getOrSet('key', source.load)).toBe('filled')
  })

  test('get, has and peek answer as where there is nothing', async () => {
    const { cache, source } = await failing(POLICIES)
    await expect(cache.getOrSet('key', source.load)).rejects.toBe(DOWN)
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.has('key')).toBe(false)
    expect(cache.peek('key')).toBeUndefined()
    expect(await cache.plain.exists('key')).toBe(false)
    expect(await cache.delete('key')).toBe(false)
  })
})

test('bad values are refused', async () => {
  for (const name of ['retryAfterError', 'errorTtl']) {
    for (const value of [0, -1, Number.NaN, 'soon', true, null]) {
      expect(() => createCache({ redis: false, [name]: value } as never)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^CACHE_INVALID_(DURATION|OPTIONS)$/) }),
      )
    }
    for (const value of ['61s', Number.POSITIVE_INFINITY]) {
      expect(() => createCache({ redis: false, [name]: value } as never)).toThrow(
        expect.objectContaining({
          code: 'CACHE_INVALID_OPTIONS',
          message: expect.stringMatching(new RegExp(`^${name} must be a minute at most, not `)),
        }),
      )
    }
  }
})
