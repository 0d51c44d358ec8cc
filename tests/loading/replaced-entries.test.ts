import { createCache } from 'cachewright'
import { expect, test } from 'vitest'

test('a call that rejects the entry for a missing tag drops the local copy', async () => {
  await using cache = createCache({ prefix: 'p:', ttl: '1h' })
  expect(await cache.getOrSet('user', () => 'old')).toBe('old')
  // The entry lacks the tag, so it is loaded anew, and the source has nothing any more.
  expect(await cache.getOrSet('user', () => undefined, { tags: ['t'] })).toBeUndefined()
  expect(cache.peek('user')).toBeUndefined()
  expect(await cache.get('user')).toBeUndefined()
})

test('a call that rejects the entry drops the local copy even if the loader fails', async () => {
  await using cache = createCache({ prefix: 'p:', ttl: '1h' })
  await cache.getOrSet('user', () => 'old')
  const failing = () => Promise.reject(new Error('the source is away'))
  await expect(cache.getOrSet('user', failing, { tags: ['t'] })).rejects.toThrow('the source is away')
  expect(await cache.get('user')).toBeUndefined()
})

test('a write that cannot be stored leaves the old value', async () => {
  await using cache = createCache({ prefix: 'p:', ttl: '1h' })
  await cache.getOrSet('user', () => ({ name: 'Ada' }))
  await expect(cache.set('user', undefined)).rejects.toMatchObject({ code: 'CACHE_INVALID_VALUE' })
  expect(await cache.get('user')).toEqual({ name: 'Ada' })
})

test('a counter over an entry is refused in memory, too, even though the entry is kept decoded', async () => {
  await using cache = createCache({ prefix: 'p:', ttl: '1h' })
  await cache.getOrSet('user', () => ({ name: 'Ada' }))
  await expect(cache.counters.incr('user')).rejects.toMatchObject({ code: 'CACHE_NOT_A_COUNTER' })
})
