import type { CreateCacheOptions } from 'cachewright'
import { describe, expect, it } from 'vitest'
import { deferred } from '../support/loaders.ts'
import { openTimed, TimedSource } from '../support/timed-source.ts'

const DOWN = new Error('down')
const NOT_FOUND = Object.assign(new Error('not found'), { status: 404 })

/** A cache with a value that has expired, and its source. */
async function expired(options: CreateCacheOptions) {
  const timed = openTimed({ ttl: '10s', ...options })
  const source = new TimedSource(timed.clock)
  await timed.cache.getOrSet('key', source.load)
  await timed.clock.advance('10s')
  source.loads = 0
  return { ...timed, source }
}

describe('a load that fails within a change', () => {
  it.each([
    ['retryAfterError', { staleIfError: '1h', retryAfterError: '30s' }],
    ['errorTtl', { errorTtl: '30s' }],
  ] as const)('is not remembered (%s)', async (_, policies) => {
    const { cache, source } = await expired(policies)
    source.error = DOWN
    const change = cache.change({}, () => cache.getOrSet('key', source.load))
    await expect(change).rejects.toBe(DOWN)
    source.error = undefined
    expect(await cache.getOrSet('key', source.load)).toBe(2)
  })

  it.each([
    ['retryAfterError', { staleIfError: '1h', retryAfterError: '30s' }],
    ['errorTtl', { errorTtl: '30s' }],
  ] as const)('is tried although an earlier one has failed (%s)', async (_, policies) => {
    const { cache, source } = await expired(policies)
    source.error = DOWN
    await cache.getOrSet('key', source.load).catch(() => {})
    source.error = undefined
    expect(await cache.change({}, () => cache.getOrSet('key', source.load))).toBe(2)
    source.error = DOWN
    await cache.getOrSet('key', source.load).catch(() => {})
    expect(source.loads, 'what it found does not end the pause of others').toBe(2)
  })

  it('drops nothing that is cached if its error is an answer, since the change may be undone', async () => {
    const { cache, source } = await expired({ staleIfError: '1h' })
    source.error = NOT_FOUND
    await expect(cache.change({}, () => cache.getOrSet('key', source.load))).rejects.toBe(NOT_FOUND)
    source.error = DOWN
    expect(await cache.getOrSet('key', source.load)).toBe(1)
  })
})

describe('a load within a change that finds no value', () => {
  it('is not remembered, and drops nothing that is cached', async () => {
    const { cache, source } = await expired({ staleIfError: '1h', absentTtl: '1m' })
    expect(await cache.change({}, () => cache.getOrSet('key', () => undefined))).toBeUndefined()
    source.error = DOWN
    expect(await cache.getOrSet('key', source.load)).toBe(1)
    expect(source.loads).toBe(1)
  })
})

describe('maxLoads', () => {
  it('does not keep a load within a change waiting, alone or in a batch', async () => {
    const { cache } = openTimed({ maxLoads: 1 })
    const held = deferred<string>()
    const outside = cache.getOrSet('a', () => held.promise)
    const within = await cache.change({}, () =>
      Promise.all([cache.getOrSet('b', () => 'b'), cache.getOrSetMany(['c'], (keys) => keys.map(() => 'c'))]),
    )
    expect(within).toEqual(['b', new Map([['c', 'c']])])
    held.resolve('a')
    expect(await outside).toBe('a')
  })
})
