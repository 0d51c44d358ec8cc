import { type Cache, createCache } from 'cachewright'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { deferred } from '../support/loaders.ts'

const KEY = 'foreign:key'

let redis: Standalone
let cache: Cache
let other: Cache
let lost: string[]

beforeAll(async () => {
  redis = await startStandalone()
})

beforeEach(async () => {
  cache = createCache({ redis: redis.url, prefix: 'foreign:' })
  other = createCache({ redis: redis.url, prefix: 'foreign:' })
  await Promise.all([cache.initialize(), other.initialize()])
  lost = []
  cache.on('lease-lost', ({ key }) => lost.push(key))
})

afterEach(async () => {
  await Promise.all([cache.shutdown(), other.shutdown()])
  await redis.ask('FLUSHALL')
})

afterAll(async () => {
  await redis.stop()
})

/** Something happens while the value `loaded` is on its way, which goes to its caller all the same. */
async function duringLoad(happens: () => Promise<unknown>): Promise<void> {
  const began = deferred()
  const mayEnd = deferred()
  const loading = cache.getOrSet(
    'key',
    async () => {
      began.resolve()
      await mayEnd.promise
      return 'loaded'
    },
    { tags: ['tag'] },
  )
  await began.promise
  await happens()
  mayEnd.resolve()
  expect(await loading).toBe('loaded')
}

const REMOVALS = [
  ['DEL', KEY],
  ['UNLINK', KEY],
  ['GETDEL', KEY],
  ['PEXPIREAT', KEY, 1],
  ['RENAME', KEY, 'elsewhere'],
  ['FLUSHALL'],
  ['FLUSHDB', 'ASYNC'],
] as const

const WRITES = [
  ['SET', KEY, '"foreign"'],
  ['SET', KEY, '"foreign"', 'XX'],
  ['SETEX', KEY, 60, '"foreign"'],
  ['MSET', KEY, '"foreign"'],
  ['GETSET', KEY, '"foreign"'],
] as const

describe('a change by another program during a load defeats the fill', () => {
  for (const command of REMOVALS) {
    test(`${command[0]}: nothing is stored, and the next caller loads anew`, async () => {
      await duringLoad(() => redis.ask(...command))
      expect(lost).toEqual(['key'])
      expect(await redis.ask('EXISTS', KEY)).toBe(0)
      expect(await other.getOrSet('key', () => 'anew', { tags: ['tag'] })).toBe('anew')
      expect(await cache.get('key', { local: false })).toBe('anew')
      expect(await cache.getOrSet('key', () => 'again', { tags: ['tag'] })).toBe('anew')
    })
  }

  for (const command of WRITES) {
    test(`${command.join(' ')}: the foreign value stays, and every process reads it`, async () => {
      await duringLoad(() => redis.ask(...command))
      expect(lost).toEqual(['key'])
      expect(await redis.ask('GET', KEY)).toBe('"foreign"')
      for (const one of [other, cache]) {
        expect(await one.get('key', { local: false })).toBe('foreign')
        expect(await one.getOrSet('key', () => 'loaded again')).toBe('foreign')
      }
    })
  }

  test('RPUSH: the list stays, and loads are not stored', async () => {
    await duringLoad(async () => {
      await redis.ask('DEL', KEY)
      await redis.ask('RPUSH', KEY, 'a')
    })
    expect(await redis.ask('LRANGE', KEY, 0, -1)).toEqual(['a'])
    expect(await other.getOrSet('key', () => 'anew')).toBe('anew')
    expect(await redis.ask('LRANGE', KEY, 0, -1)).toEqual(['a'])
  })

  test('removing a tag: the value is stored and is invalid', async () => {
    await duringLoad(() => redis.ask('EVAL', REMOVE_TAGS, 0))
    expect(await cache.get('key', { local: false })).toBeUndefined()
    expect(await other.getOrSet('key', () => 'anew', { tags: ['tag'] })).toBe('anew')
  })
})

const REMOVE_TAGS = `
  for _, key in ipairs(redis.call('KEYS', '*tag:tag')) do redis.call('DEL', key) end
`
