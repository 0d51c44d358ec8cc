import { escapeGlob } from 'cachewright'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, Opened } from '../support/caches.ts'

let redis: Standalone
const opened = new Opened()
beforeAll(async () => {
  redis = await startStandalone()
})
beforeEach(() => redis.ask('FLUSHALL'))
afterEach(() => opened.close())
afterAll(() => redis.stop())

test('P39 what could not be delivered is delivered when Redis is back, though this process asks for nothing', async () => {
  const durable = await startStandalone({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  opened.later(() => durable.stop())
  const cache = opened.cache({ redis: durable.url })
  await cache.getOrSet('key', () => 'old')
  await durable.kill()
  await dropped(cache, 'key')
  expect(await cache.delete('key')).toBe(false)
  await durable.restart()
  await waitUntil(async () => (await durable.ask('EXISTS', 'p:key')) === 0, {
    what: 'the delivery',
    timeoutMs: 4_000,
  })
})

test('P36 no key, tag, namespace or prefix can look like a name of the library', async () => {
  const cache = opened.cache({ redis: redis.url })
  const refused = { code: 'CACHE_INVALID_KEY' }
  for (const name of ['x\0tag:one', 'x\0namespace', '\0']) {
    await expect(cache.set(name, 1)).rejects.toMatchObject(refused)
    await expect(cache.getOrSet(name, () => 1)).rejects.toMatchObject(refused)
    await expect(cache.backend.set(name, 1)).rejects.toMatchObject(refused)
    await expect(cache.invalidateTags([name])).rejects.toMatchObject(refused)
    expect(() => cache.namespace(name)).toThrow(expect.objectContaining(refused))
  }
  expect(() => opened.cache({ redis: redis.url, prefix: 'p\0tag:' })).toThrow(/prefix/)
})

test('P13 a local copy ends with its TTL, also within one turn of the event loop', async () => {
  const cache = opened.cache({ redis: redis.url })
  await cache.initialize()
  await waitUntil(
    async () => {
      await cache.getOrSet('key', () => 1, { ttl: '300ms' })
      return cache.peek('key') === 1
    },
    { what: 'a local copy' },
  )
  const endMs = performance.now() + 400
  while (performance.now() < endMs) escapeGlob('busy')
  expect(cache.peek('key')).toBeUndefined()
})
