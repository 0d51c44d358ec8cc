import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { inMode, warmed } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const USERS = [
  'user default on nopass ~* &* +@all',
  'user mute on >secret ~* resetchannels +@all',
  'user plain on >secret ~* resetchannels +@all -client|tracking -subscribe -publish',
].join('\n')

const scene = useScene({ redis: { aclFile: USERS }, caches: IMPATIENT, flush: false })
const { redis } = scene

const urlOf = (user: string) => redis.url.replace('redis://', `redis://${user}:secret@`)

test("P31 with coherence: 'ttl' a local entry expires after the local TTL", async () => {
  const mine = scene.cache({ coherence: { mode: 'ttl' }, local: { ttl: '200ms' } })
  const other = scene.cache({ coherence: { mode: 'ttl' } })
  await mine.initialize()
  expect(mine.coherence).toBe('ttl')
  const source = new Source('old')
  await mine.getOrSet('key', source.load)
  await other.set('key', 'new')
  const changedAtMs = performance.now()
  await waitUntil(async () => (await mine.getOrSet('key', source.load)) === 'new', { what: 'the new value' })
  expect(performance.now() - changedAtMs).toBeLessThan(200 + 250)
  expect(source.loads).toBe(1)
  await mine.getOrSet('key', source.load)
  await mine.delete('key')
  expect(mine.peek('key')).toBeUndefined()
})

test("P31 with coherence: 'ttl' an invalidated entry is not served past the local TTL", async () => {
  const mine = scene.cache({ coherence: { mode: 'ttl' }, local: { ttl: '200ms' } })
  const other = scene.cache({ coherence: { mode: 'ttl' } })
  const source = new Source('old')
  await mine.getOrSet('tagged', source.load, { tags: ['t'] })
  source.value = 'new'
  await other.invalidateTags(['t'])
  const changedAtMs = performance.now()
  await waitUntil(async () => (await mine.getOrSet('tagged', source.load, { tags: ['t'] })) === 'new', {
    what: 'the new value',
  })
  expect(performance.now() - changedAtMs).toBeLessThan(200 + 250)
})

test('P31 a user without channel permissions can use tracking', async () => {
  const mine = scene.cache({ redis: urlOf('mute') })
  await inMode(mine, 'tracking')
  await warmed(mine, 'key')
  await redis.ask('SET', 'p:key', '"changed"')
  await waitUntil(async () => (await mine.get('key')) === 'changed', { what: 'the new value' })
})

test('P31 a local entry expires after the local TTL if neither tracking nor SUBSCRIBE is allowed', async () => {
  const mine = scene.cache({ redis: urlOf('plain'), local: { ttl: '200ms' } })
  await inMode(mine, 'ttl')
  const source = new Source('old')
  await mine.getOrSet('refused', source.load)
  await redis.ask('SET', 'p:refused', '"new"')
  await waitUntil(async () => (await mine.getOrSet('refused', source.load)) === 'new', {
    what: 'the new value',
    timeoutMs: 1_500,
  })
  expect(mine.coherence).toBe('ttl')
})

test("P31 a local entry expires after the local TTL if the user of the caller's client has no channels", async () => {
  const client = new Redis(urlOf('mute'))
  client.on('error', () => {})
  scene.later(() => client.disconnect())
  const mine = scene.cache({ client, local: { ttl: '200ms' } })
  await inMode(mine, 'ttl')
  const source = new Source('old')
  await mine.getOrSet('lent', source.load)
  await redis.ask('SET', 'p:lent', '"new"')
  await waitUntil(async () => (await mine.getOrSet('lent', source.load)) === 'new', {
    what: 'the new value',
    timeoutMs: 1_500,
  })
})

test('P42 a user without permission to track or publish can use the cache', async () => {
  const strict = await scene.server({
    aclFile:
      'user default on nopass ~* &* +@all\nuser app on >secret ~* resetchannels +@all -client|tracking',
    ...{ username: 'app', password: 'secret' },
  })
  const cache = scene.cache({ redis: strict.url })
  const errors: string[] = []
  cache.on('error', ({ error }) => errors.push(error.message))
  await inMode(cache, 'ttl')
  const source = new Source(1)
  expect(await cache.set('key', 1)).toBe(true)
  expect(await cache.get('key')).toBe(1)
  await cache.getOrSet('loaded', source.load)
  await cache.getOrSet('loaded', source.load)
  expect(await cache.delete('key')).toBe(true)
  expect(await cache.invalidateTags(['t'])).toBe(true)
  expect([source.loads, errors]).toEqual([1, []])
})
