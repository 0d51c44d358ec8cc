import type { LoadContext } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { openTimed } from '../support/timed-source.ts'

describe('a source that no longer has a value', () => {
  const gone = () => undefined as number | undefined

  test('a refresh that loads undefined removes the stale value', async () => {
    const { cache, clock } = openTimed({ ttl: '1m', staleWhileRevalidate: '1d', staleIfError: '1d' })
    await cache.getOrSet<number | undefined>('key', () => 1)
    await clock.advance('2m')
    expect(await cache.getOrSet('key', gone)).toBe(1)
    await cache.idle()
    expect(await cache.getOrSet('key', gone)).toBeUndefined()
    await expect(cache.getOrSet('key', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
  })

  test('refresh() that loads undefined removes a fresh value', async () => {
    const { cache } = openTimed()
    await cache.getOrSet<number | undefined>('key', () => 1)
    expect(await cache.refresh('key', gone)).toBeUndefined()
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.plain.get('key')).toBeUndefined()
    expect(await cache.getOrSet('key', () => 2)).toBe(2)
  })

  test('a loader that skips leaves the cached value', async () => {
    const { cache } = openTimed()
    await cache.getOrSet<number | undefined>('key', () => 1)
    await cache.refresh<number | undefined>('key', (context) => {
      context.skip()
      return undefined
    })
    expect(await cache.get('key')).toBe(1)
  })
})

describe('a conditional refresh', () => {
  const policies = { ttl: '1m', staleWhileRevalidate: '1h' } as const

  test('gets the stale value, and can renew it with notModified()', async () => {
    const { cache, clock } = openTimed(policies)
    await cache.getOrSet('key', () => ({ etag: 'a' }), { tags: ['t'] })
    await clock.advance('90s')
    const seen: unknown[] = []
    const ask = () =>
      cache.getOrSet<{ etag: string }>(
        'key',
        (context) => {
          seen.push(context.stale())
          return context.notModified()
        },
        { tags: ['t'] },
      )
    expect(await ask()).toEqual({ etag: 'a' })
    await cache.idle()
    expect(seen).toEqual([{ value: { etag: 'a' }, age: 90, loadDuration: 0, tags: ['t'] }])
    expect(await cache.get('key')).toEqual({ etag: 'a' })
    expect(await cache.getTtl('key')).toBe(60)
    expect(cache.stats().total).toMatchObject({ loads: 2, loadErrors: 0 })
  })

  test('gets the age of a value that never expires', async () => {
    const { cache, clock } = openTimed({ ttl: Number.POSITIVE_INFINITY })
    await cache.getOrSet('key', () => 1)
    await clock.advance('90s')
    expect(await cache.refresh('key', (context) => context.stale()?.age)).toBe(90)
  })

  test('keeps tags that only the first load added', async () => {
    const { cache, clock } = openTimed(policies)
    const load = (context: LoadContext) => {
      if (context.stale() !== undefined) context.notModified()
      context.addTags(['told'])
      return 1
    }
    await cache.getOrSet('warm', () => 0, { tags: ['told'] })
    await cache.getOrSet('key', load)
    expect(await cache.get('key')).toBe(1)
    await clock.advance('90s')
    await cache.getOrSet('key', load)
    await cache.idle()
    expect(await cache.getTtl('key')).toBe(60)
    await cache.invalidateTags(['told'])
    expect(await cache.get('key')).toBeUndefined()
  })

  test('keeps the value even if the loader catches the signal of notModified()', async () => {
    const { cache, clock } = openTimed(policies)
    await cache.set('key', 1)
    await clock.advance('90s')
    await cache.getOrSet('key', (context) => {
      try {
        return context.notModified()
      } catch {
        return 2
      }
    })
    await cache.idle()
    expect(await cache.get('key')).toBe(1)
  })

  test('rejects notModified() if there is no stale value', async () => {
    const { cache } = openTimed()
    const asked = cache.getOrSet('key', (context) => {
      expect(context.stale()).toBeUndefined()
      return context.notModified()
    })
    await expect(asked).rejects.toMatchObject({ code: 'CACHE_INVALID_ARGUMENT' })
  })

  test('does not offer an invalidated value', async () => {
    const { cache, clock } = openTimed(policies)
    await cache.getOrSet('key', () => 1, { tags: ['t'] })
    await clock.advance('90s')
    await cache.invalidateTags(['t'])
    const stale = await cache.getOrSet('key', (context) => ({ was: context.stale()?.value ?? 'nothing' }), {
      tags: ['t'],
    })
    expect(stale).toEqual({ was: 'nothing' })
  })
})
