import { expect, test } from 'vitest'
import { useScene } from '../support/scene.ts'

const { open, redis } = useScene({ caches: { prefix: 'p:', errors: 'throw' } })

/** The latest moment that Redis can represent. */
const LAST_MS = '9223372036854775807'

test('the longest time to live that Redis has can be asked for', async () => {
  const cache = await open()
  await redis.ask('SET', 'p:key', '1', 'PXAT', LAST_MS)
  expect(await cache.getTtl('key')).toBeGreaterThan(1e15)
  expect(await cache.plain.getTtl('key')).toBeGreaterThan(1e15)
  expect(await cache.get('key')).toBe(1)
})

test('a tag whose time to live was forged is invalidated all the same', async () => {
  const cache = await open()
  for (let round = 0; round < 20; round++) {
    await cache.getOrSet('key', () => round, { tags: ['a'] })
    await redis.ask('PEXPIREAT', 'p:\0tag:a', LAST_MS)
    expect(await cache.invalidateTags(['a'])).toBe(true)
    expect(await cache.getOrSet('key', () => round + 1, { tags: ['a'] })).toBe(round + 1)
    await cache.delete('key')
  }
})
