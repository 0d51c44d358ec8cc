import { createCache } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'

/** All but `nextTick`, which vitest cannot fake in a process of its own. */
const EVERYTHING = [
  ...(['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval'] as const),
  ...(['queueMicrotask', 'performance', 'Date'] as const),
]

const scene = useScene()
afterEach(() => {
  vi.useRealTimers()
})

describe('while a test fakes all timers', () => {
  test('a cache in memory goes on, and its entries age in real time', async () => {
    vi.useFakeTimers({ toFake: EVERYTHING })
    await using cache = createCache({ ttl: '1h' })
    const loaded: string[] = []
    const users = cache.collection({
      name: 'users',
      schema: z.string(),
      loadMany: async (ids: readonly string[]) => {
        loaded.push(...ids)
        return new Map(ids.map((id) => [id, `user ${id}`]))
      },
    })
    expect(await Promise.all([users.get('ann'), users.get('bob')])).toEqual(['user ann', 'user bob'])
    vi.advanceTimersByTime(2 * 3_600_000)
    expect(await users.get('ann')).toBe('user ann')
    expect(loaded).toEqual(['ann', 'bob'])
  })

  test('a clock that reads the fake time lets entries age by it', async () => {
    vi.useFakeTimers({ toFake: EVERYTHING })
    await using cache = createCache({ ttl: '1h', clock: { monotonicMs: () => performance.now() } })
    await cache.set('key', 1)
    vi.advanceTimersByTime(2 * 3_600_000)
    expect(await cache.get('key')).toBeUndefined()
  })
})

test('a call over Redis settles while a test fakes setImmediate, and calls succeed again after that', async () => {
  await using backend = new RedisCacheBackend({ url: scene.redis.url, commandTimeout: '250ms' })
  await backend.set('key', 1)
  vi.useFakeTimers({ toFake: ['setImmediate'] })
  expect(await backend.get('key')).toBeUndefined()
  vi.useRealTimers()
  await waitUntil(async () => (await backend.get('key')) === 1, { what: 'a value from Redis' })
})
