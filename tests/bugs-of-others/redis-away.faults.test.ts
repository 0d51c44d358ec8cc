import { expect, test } from 'vitest'
import { inTime } from '../support/cache-states.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

/** Without a local tier: its copies are served until the loss is noticed, and nothing has changed. */
const scene = useScene({ redis: false, caches: { ...IMPATIENT, local: false } })

async function oneAfterTheOther(count: number, call: () => Promise<unknown>): Promise<void> {
  for (let number = 0; number < count; number++) await call()
}

// jaredwray/cacheable#1170
test('a get settles after Redis was killed, and a getOrSet loads', async () => {
  const redis = await scene.server()
  // No deadline of a command would end what waits in a queue for the connection to come back.
  const cache = await scene.open({ redis: redis.url, commandTimeout: '10m' })
  await cache.getOrSet('key', () => 'cached')
  redis.pause()
  const inFlight = cache.get('key')
  await redis.kill()
  expect(await inTime(inFlight)).toBeUndefined()
  expect(await inTime(cache.get('key'))).toBeUndefined()
  expect(await inTime(cache.getOrSet('key', () => 'loaded'))).toBe('loaded')
  expect(await inTime(cache.set('key', 'new'))).toBe(false)
})

// jaredwray/keyv#1496
test('a get settles if Redis was never there, or does not answer any more', async () => {
  const redis = await scene.server()
  const cache = await scene.open({ redis: redis.url })
  await cache.getOrSet('key', () => 'cached')
  redis.pause()
  scene.later(() => redis.resume())
  expect(await inTime(cache.get('key'))).toBeUndefined()
  expect(await inTime(cache.getOrSet('key', () => 'loaded'))).toBe('loaded')
  // If each of these calls waited for its timeout, all together would not be in time.
  for (let call = 0; call < 5; call++) await cache.get('key')
  await inTime(oneAfterTheOther(20, () => cache.get('key')))
  const never = scene.cache({ redis: 'redis://127.0.0.1:1' })
  expect(await inTime(never.get('key'))).toBeUndefined()
  expect(await inTime(never.getOrSet('key', () => 'loaded'))).toBe('loaded')
})
