import { expect, test } from 'vitest'
import { inTime } from '../support/cache-states.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

/** Without a local tier: its copies are served until the loss is noticed, and nothing has changed. */
const scene = useScene({ redis: false, caches: { ...IMPATIENT, local: false } })

// jaredwray/cacheable#1170
test('a get settles after Redis was killed, and a getOrSet loads', async () => {
  const redis = await scene.server()
  const cache = await scene.open({ redis: redis.url })
  await cache.getOrSet('key', () => 'cached')
  await redis.kill()
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
  const never = scene.cache({ redis: 'redis://127.0.0.1:1' })
  expect(await inTime(never.get('key'))).toBeUndefined()
  expect(await inTime(never.getOrSet('key', () => 'loaded'))).toBe('loaded')
})
