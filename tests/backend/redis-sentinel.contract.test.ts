import { RedisCacheBackend } from 'cachewright/redis'
import { describeCacheBackend } from 'cachewright/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type RedisSentinel, startSentinel } from '../../testbed/redis-sentinel.ts'

let sentinel: RedisSentinel

beforeAll(async () => {
  sentinel = await startSentinel()
})

afterAll(() => sentinel.stop())

for (const serializer of ['json', 'v8'] as const) {
  describeCacheBackend({
    name: `a primary behind Sentinel with ${serializer}`,
    describe,
    it,
    createBackend: (options) =>
      new RedisCacheBackend({
        ...options,
        serializer,
        sentinel: {
          name: sentinel.name,
          nodes: sentinel.urls,
        },
      }),
  })
}
