import { PartialLoadError } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { open } from './noted-source.ts'

describe('a batch that fails in part', () => {
  test('rejects with a PartialLoadError that holds the errors by key and the other values', async () => {
    const { cache } = open()
    await cache.set('cached', 1)
    const failed = await cache
      .getOrSetMany(['cached', 'good', 'bad'], (keys) =>
        keys.map((key) => (key === 'bad' ? new Error('no such row') : 2)),
      )
      .catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(PartialLoadError)
    const { cause, code, errors, message, values } = failed as PartialLoadError<number>
    expect(code).toBe('CACHE_PARTIAL_LOAD')
    expect(message).toBe('1 key was not loaded, 2 were had')
    expect(Object.fromEntries(values)).toEqual({ cached: 1, good: 2 })
    expect(Object.fromEntries(errors)).toEqual({ bad: new Error('no such row') })
    expect(cause).toEqual(new Error('no such row'))
    expect(await cache.get('good')).toBe(2)
    expect(await cache.has('bad')).toBe(false)
  })

  test('P41 rejects with an error that shows no values when logged', async () => {
    const { cache } = open()
    const failed = await cache
      .getOrSetMany(['good', 'bad'], () => ['a secret', new Error('away')])
      .catch((error: unknown) => error)
    expect(JSON.stringify(failed)).not.toContain('secret')
    expect(Object.keys(failed as object)).not.toContain('values')
  })

  test('a loader that throws fails every key it was called for', async () => {
    const { cache } = open()
    await cache.set('cached', 1)
    const failed = await cache
      .getOrSetMany(['cached', 'a', 'b'], () => Promise.reject(new Error('source away')))
      .catch((error: unknown) => error)
    expect([...(failed as PartialLoadError).errors.keys()]).toEqual(['a', 'b'])
    expect(Object.fromEntries((failed as PartialLoadError).values)).toEqual({ cached: 1 })
  })

  test('a stale value is served for a key whose load fails', async () => {
    const { cache, clock } = open()
    const policies = { ttl: '1m', staleIfError: '1h' } as const
    await cache.getOrSetMany(['a', 'b'], (keys) => keys.map((key) => `old ${key}`), policies)
    await clock.advance('2m')
    const load = (keys: readonly string[]) =>
      keys.map((key) => (key === 'a' ? new Error('source away') : `new ${key}`))
    const values = await cache.getOrSetMany(['a', 'b'], load, policies)
    expect(Object.fromEntries(values)).toEqual({ a: 'old a', b: 'new b' })
  })

  test.each([
    ['fewer values than keys', () => [1]],
    ['no Map', () => ({ a: 1 })],
    ['nothing', () => undefined],
  ])('a loader that returns %s is rejected as an invalid argument', async (_what, load) => {
    const { cache } = open()
    await expect(cache.getOrSetMany(['a', 'b'], load as never)).rejects.toMatchObject({
      code: 'CACHE_INVALID_ARGUMENT',
    })
  })

  test.each([
    ['an invalid key', ['a', ''], {}, 'CACHE_INVALID_KEY'],
    ['a string in place of a list of keys', 'ab', {}, 'CACHE_INVALID_ARGUMENT'],
    ['a bad duration', ['a'], { ttl: -1 }, 'CACHE_INVALID_DURATION'],
    ['a bad duration of one key', ['a'], { each: () => ({ ttl: -1 }) }, 'CACHE_INVALID_DURATION'],
    ['a bad tag of one key', ['a'], { each: () => ({ tags: [''] }) }, 'CACHE_INVALID_KEY'],
  ])('%s is refused', async (_what, keys, options, code) => {
    const { asked, cache, load } = open()
    await expect(cache.getOrSetMany(keys, load, options as never)).rejects.toMatchObject({ code })
    expect(asked).toEqual([])
  })
})

describe('a batch whose caller aborts', () => {
  test('rejects with the reason, and the loader is aborted once no caller waits for any of its keys', async () => {
    const { cache, clock } = open()
    const controller = new AbortController()
    let signal: AbortSignal | undefined
    const batch = cache
      .getOrSetMany(
        ['a', 'b'],
        (_keys, context) => {
          signal = context.signal
          return new Promise<string[]>(() => {})
        },
        { signal: controller.signal },
      )
      .catch((error: unknown) => error)
    await clock.settle()
    const other = cache.getOrSet('b', () => 'other', { hardTimeout: '1s' }).catch((error: unknown) => error)
    await clock.settle()
    controller.abort(new Error('the request was closed'))
    expect(await batch).toEqual(new Error('the request was closed'))
    expect(signal?.aborted).toBe(false)
    await clock.advance('1s')
    expect(await other).toMatchObject({ code: 'CACHE_LOADER_TIMEOUT' })
    expect(signal?.aborted).toBe(true)
  })

  test('rejects without calling the loader if the signal is already aborted', async () => {
    const { asked, cache, load } = open()
    const asking = cache.getOrSetMany(['a'], load, { signal: AbortSignal.abort(new Error('gone')) })
    await expect(asking).rejects.toThrow('gone')
    expect(asked).toEqual([])
  })
})
