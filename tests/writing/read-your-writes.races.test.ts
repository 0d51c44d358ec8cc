import { type Cache, createCache } from 'cachewright'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { useBuild } from '../support/build.ts'
import { type ChildParticipant, startChildren } from '../support/participant.ts'
import { trials } from '../support/trials.ts'

/** Loops that go on at the same time, each on a key and a tag of its own. */
const LANES = 16
const NOISY_PROCESSES = 2
const KEYS = Array.from({ length: LANES }, (_, lane) => `key-${lane}`)
const TAGS = KEYS.map((key) => `tag-${key}`)

useBuild('package')

let redis: Standalone
let source: Standalone
let cache: Cache
let noisy: ChildParticipant[]

beforeAll(async () => {
  ;[redis, source] = await Promise.all([startStandalone(), startStandalone()])
  const options = { redis: redis.url, source: source.url, cache: { prefix: 'own:' } }
  noisy = await startChildren(NOISY_PROCESSES, options)
  cache = createCache({ redis: redis.url, prefix: 'own:', errors: 'throw', commandTimeout: '20s' })
})

afterAll(async () => {
  await Promise.all([cache.shutdown(), ...noisy.map((one) => one.end())])
  await Promise.all([redis.stop(), source.stop()])
})

test('P20 a process reads its own writes while others change the same keys and tags', async () => {
  // What they load is never newer than nothing: any number that this process wrote is more than 0.
  await Promise.all(KEYS.map((key) => source.ask('SET', `source:${key}`, -1)))
  const noise = noisy.map((one) => one.disturb({ keys: KEYS, tags: TAGS, options: { ttl: '10m' } }))
  const loops = trials(800, 4_000, 24_000)
  const wrong: string[] = []
  let next = 0
  let hits = 0
  const lane = async (key: string) => {
    const options = { tags: [`tag-${key}`] }
    while (next < loops) {
      const value = ++next
      const expectOwn = (what: string, found: unknown, ...right: unknown[]) => {
        if (found === value) hits++
        if (!right.includes(found)) wrong.push(`${what} of ${key}: ${found} instead of ${value}`)
      }
      // What another process has loaded meanwhile is -1; what this one wrote before is older.
      switch (value % 4) {
        case 0:
          await cache.set(key, value, options)
          expectOwn('set, get', await cache.get(key), value, undefined, -1)
          break
        case 1:
          await cache.delete(key)
          expectOwn('delete, get', await cache.get(key), undefined, -1)
          break
        case 2:
          await cache.set(key, value - 0.5, options)
          await cache.invalidateTags(options.tags)
          expectOwn('invalidateTags, getOrSet', await cache.getOrSet(key, () => value, options), value, -1)
          break
        default:
          await cache.set(key, value - 0.5, options)
          await cache.clear()
          expectOwn('clear, getOrSet', await cache.getOrSet(key, () => value, options), value, -1)
      }
    }
  }
  await Promise.all(KEYS.map(lane))
  await Promise.all(noisy.map((one) => one.rest()))
  await Promise.all(noise)
  expect(wrong).toEqual([])
  // Else it was the others alone who were read.
  expect(hits).toBeGreaterThan(loops / 4)
}, 300_000)
