// The contract of backends, kept in memory, in Redis by @redis/client, and over a caller's ioredis.
// Argument: the settings.
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend } from 'cachewright/redis'
import { describeCacheBackend } from 'cachewright/testing'
import { Redis } from 'ioredis'
import { Checks, tell } from './checks.ts'
import { settings } from './settings.ts'

/** Most of the time passes while entries expire. */
const LANES = 12

const { url } = settings.server
const client = new Redis(url)
const checks = new Checks()
const { describe, it } = checks

describeCacheBackend({
  name: 'memory',
  describe,
  it,
  createBackend: (options) => new MemoryCacheBackend(options),
})
for (const serializer of ['json', 'v8', 'msgpack'] as const) {
  describeCacheBackend({
    name: `Redis with ${serializer}`,
    describe,
    it,
    createBackend: (options) => new RedisCacheBackend({ ...options, serializer, url }),
  })
}
describeCacheBackend({
  name: `a caller's ioredis`,
  describe,
  it,
  createBackend: (options) => new IoredisCacheBackend({ ...options, client }),
})

await checks.run(LANES)
client.disconnect()
tell({ done: true })
