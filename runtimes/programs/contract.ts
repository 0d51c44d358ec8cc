// The contract of backends: in memory, in Redis by the library's own client, and over a caller's ioredis.
// Argument: the settings.
import { IoredisCacheBackend } from 'cachewright/ioredis'
import { MemoryCacheBackend } from 'cachewright/memory'
import { RedisCacheBackend } from 'cachewright/redis'
import { describeCacheBackend, ManualClock } from 'cachewright/testing'
import { Redis } from 'ioredis'
import { Checks, tell } from './checks.ts'
import { formChecks } from './form-checks.ts'
import { settings } from './settings.ts'

/** Most of the time passes while entries expire. With more at a time, an entry may expire before its check goes on. */
const LANES = 4

const { url } = settings.server
const client = new Redis(url)

// One at a time, since they share a clock.
const clock = new ManualClock()
const inMemory = new Checks()
describeCacheBackend({
  name: 'memory',
  describe: inMemory.describe,
  it: inMemory.it,
  elapse: async (ms) => clock.advance(ms),
  createBackend: (options) => new MemoryCacheBackend({ ...options, clock }),
})
formChecks(inMemory)
await inMemory.run(1)

const checks = new Checks()
const { describe, it } = checks
describeCacheBackend({
  name: 'Redis',
  describe,
  it,
  createBackend: (options) => new RedisCacheBackend({ ...options, url }),
})
describeCacheBackend({
  name: `a caller's ioredis`,
  describe,
  it,
  createBackend: (options) => new IoredisCacheBackend({ ...options, client }),
})

await checks.run(LANES)
client.disconnect()
tell({ done: true })
