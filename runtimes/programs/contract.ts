// The contract of backends, kept in memory, in Redis by @redis/client, and over a caller's ioredis.
// Argument: the settings.
import assert from 'node:assert/strict'
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend } from 'cachewright/redis'
import { describeCacheBackend, ManualClock } from 'cachewright/testing'
import { Redis } from 'ioredis'
import { Checks, tell } from './checks.ts'
import { settings } from './settings.ts'

/** Most of the time passes while entries expire. With more at a time, an entry may expire before its check goes on. */
const LANES = 4

const { url } = settings.server
const client = new Redis(url)
const checks = new Checks()
const { describe, it } = checks

// Time does not pass by itself here, since the checks of the others would hold these up.
const clock = new ManualClock()
describeCacheBackend({
  name: 'memory',
  describe,
  it,
  elapse: async (ms) => clock.advance(ms),
  createBackend: (options) => new MemoryCacheBackend({ ...options, clock }),
})
const serializers = hasV8() ? (['json', 'v8'] as const) : (['json'] as const)
for (const serializer of serializers) {
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

/** Bun runs on another engine, and has to refuse the serializer then. */
function hasV8(): boolean {
  if (!('bun' in process.versions)) return true
  assert.throws(
    () => new MemoryCacheBackend({ serializer: 'v8' }),
    (error: Error) => {
      tell({ left: "serializer 'v8'", why: error.message })
      return (error as { code?: unknown }).code === 'CACHE_MISSING_PEER'
    },
  )
  return false
}
