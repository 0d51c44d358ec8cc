import { createCache } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { expect, test } from 'vitest'

test('a key that is refreshed and verified at the same time is passed to two batch loader calls', async () => {
  const clock = new ManualClock()
  await using cache = createCache({
    ...{ clock, ttl: '1h', earlyRefresh: { beta: 1e12 }, verify: { sample: 1 } },
  })
  const errors: unknown[] = []
  cache.on('background-error', ({ error }) => errors.push(error))
  const slow = () => new Promise<string[]>((resolve) => clock.after(100, () => resolve(['A', 'B'])))
  const first = cache.getOrSetMany(['a', 'b'], slow)
  await clock.advance('1s')
  await first
  const asked: (readonly string[])[] = []
  await cache.getOrSetMany(['a', 'b'], (keys, context) => {
    asked.push(keys)
    // Only a load that has a stale value may report it as not modified.
    for (const key of keys) if (context.of(key).stale() !== undefined) context.notModified(key)
    return new Map(keys.map((key) => [key, key.toUpperCase()]))
  })
  await clock.advance('1s')
  await cache.idle()
  expect(asked).toEqual([
    ['a', 'b'],
    ['a', 'b'],
  ])
  expect(errors).toEqual([])
})

test('if `each` throws, the batch rejects before any load begins', async () => {
  await using cache = createCache()
  const refused: unknown[] = []
  const refuse = (error: unknown) => refused.push(error)
  process.on('unhandledRejection', refuse)
  let calls = 0
  const asked = cache.getOrSetMany(
    ['a', 'b'],
    () => {
      calls++
      throw new Error('The source failed')
    },
    {
      each: (key) => {
        if (key === 'b') throw new Error('each failed')
        return {}
      },
    },
  )
  await expect(asked).rejects.toThrow('each failed')
  await new Promise((resolve) => setTimeout(resolve, 200))
  process.off('unhandledRejection', refuse)
  expect(refused).toEqual([])
  expect(calls).toBe(0)
})
