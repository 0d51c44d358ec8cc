import { type Cache, escapeGlob } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ caches: IMPATIENT })
const { redis } = scene

/** A load that is under way: its placeholder lies under the key until it is told to finish. */
async function loading(key = 'key') {
  const cache = scene.cache()
  const lost: string[] = []
  cache.on('lease-lost', ({ key: lostKey }) => lost.push(lostKey))
  let finish = (_value: unknown) => {}
  const value = cache.getOrSet(key, () => new Promise((resolve) => (finish = resolve)), { ttl: '1m' })
  await waitUntil(async () => (await redis.ask('GETRANGE', `p:${key}`, 0, 1)) === '\u0002\u0001', {
    what: 'the placeholder',
  })
  return { cache, lost, finish: (what: unknown) => finish(what), value }
}

const BACKENDS: readonly (readonly [string, (cache: Cache) => Promise<Cache['backend']>])[] = [
  ['cache.backend', async (cache) => cache.backend],
  [
    'a bare RedisCacheBackend',
    async () => {
      const backend = new RedisCacheBackend({ url: redis.url, prefix: 'p:' })
      scene.later(() => backend.shutdown())
      await backend.initialize()
      return backend
    },
  ],
]

describe.each(BACKENDS)('T6 a placeholder is absent for %s', (_name, backendOf) => {
  test('reads find nothing, tell no error, and leave the load alone', async () => {
    const { cache, finish, lost, value } = await loading()
    const backend = await backendOf(cache)
    const errors: unknown[] = []
    backend.on('error', ({ error }) => errors.push(error))
    expect(await backend.get('key')).toBeUndefined()
    expect(await backend.exists('key')).toBe(false)
    expect(await backend.getTtl('key')).toBeUndefined()
    expect([...(await backend.getMany(['key', 'none'])).values()]).toEqual([undefined, undefined])
    expect(errors).toEqual([])
    finish('loaded')
    expect(await value).toBe('loaded')
    expect(await cache.get('key', { local: false })).toBe('loaded')
    expect(lost).toEqual([])
  })

  test('removals do not count it, and the load has lost', async () => {
    for (const remove of [
      async (backend: Cache['backend']) => expect(await backend.delete('key')).toBe(false),
      async (backend: Cache['backend']) => expect(await backend.deleteMany(['key', 'none'])).toBe(0),
      async (backend: Cache['backend']) => expect(await backend.invalidatePattern('k*')).toBe(0),
      async (backend: Cache['backend']) => expect(await backend.clear()).toBe(true),
    ]) {
      const { cache, finish, lost, value } = await loading()
      await remove(await backendOf(cache))
      expect(await redis.ask('EXISTS', 'p:key')).toBe(0)
      finish('loaded')
      expect(await value).toBe('loaded')
      expect(lost).toEqual(['key'])
      expect(await cache.get('key', { local: false })).toBeUndefined()
    }
  })

  test('a counter starts as if nothing were there, with its own time to live', async () => {
    for (const amount of [1, 5]) {
      const { cache, finish, lost, value } = await loading()
      const backend = await backendOf(cache)
      expect(await backend.incr('key', amount, { default: 10, ttl: '1h' })).toBe(10 + amount)
      expect(Number(await redis.ask('TTL', 'p:key'))).toBeGreaterThan(3_000)
      finish('loaded')
      await value
      expect(lost).toEqual(['key'])
      expect(await backend.incr('key', 0)).toBe(10 + amount)
      await redis.ask('DEL', 'p:key')
    }
  })

  test('a set starts as if nothing were there', async () => {
    const { cache, finish, value } = await loading()
    const backend = await backendOf(cache)
    expect(await backend.addToSet('key', 'member')).toBe(true)
    finish('loaded')
    await value
    expect(await backend.getSetMembers('key')).toEqual(['member'])
  })

  test('a value is written over it, with its own time to live', async () => {
    const { cache, finish, value } = await loading()
    const backend = await backendOf(cache)
    expect(await backend.set('key', 'written', '1h')).toBe(true)
    finish('loaded')
    expect(await value).toBe('loaded')
    expect(await cache.get('key')).toBe('written')
    expect(Number(await redis.ask('TTL', 'p:key'))).toBeGreaterThan(3_000)
  })
})

describe('T6 a placeholder is absent for a cache', () => {
  test('of another process', async () => {
    const { finish, value } = await loading()
    const other = scene.cache()
    expect(await other.get('key')).toBeUndefined()
    expect(await other.has('key')).toBe(false)
    expect(await other.getTtl('key')).toBeUndefined()
    expect([...(await other.getMany(['key'])).values()]).toEqual([undefined])
    expect(other.peek('key')).toBeUndefined()
    finish('loaded')
    await value
    expect(await other.get('key')).toBe('loaded')
  })

  test('that removes', async () => {
    for (const remove of [
      async (cache: Cache) => expect(await cache.delete('key')).toBe(false),
      async (cache: Cache) => expect(await cache.deleteMany(['key'])).toBe(0),
      async (cache: Cache) => expect(await cache.invalidatePattern(escapeGlob('key'))).toBe(0),
    ]) {
      const { cache, finish, lost, value } = await loading()
      await remove(cache)
      finish('loaded')
      await value
      expect(lost).toEqual(['key'])
      expect(await cache.get('key')).toBeUndefined()
    }
  })
})

test("T8 a placeholder that is evicted costs only efficiency, and is told as 'lease-lost'", async () => {
  const { cache, finish, lost, value } = await loading()
  await redis.ask('DEL', 'p:key')
  finish('loaded')
  expect(await value).toBe('loaded')
  expect(lost).toEqual(['key'])
  expect(await cache.get('key')).toBeUndefined()
  expect(await cache.getOrSet('key', () => 'again')).toBe('again')
  expect(await cache.get('key')).toBe('again')
})

test('T8 a placeholder that another process has taken over is not stored under', async () => {
  const cache = scene.cache({ lease: '300ms', longestLoad: '300ms' })
  const other = scene.cache()
  let finish = (_value: unknown) => {}
  const slow = cache.getOrSet('key', () => new Promise((resolve) => (finish = resolve)))
  await waitUntil(async () => (await redis.ask('EXISTS', 'p:key')) === 1, { what: 'the lease' })
  expect(await other.getOrSet('key', () => 'second')).toBe('second')
  finish('first')
  expect(await slow).toBe('first')
  expect(await other.get('key', { local: false })).toBe('second')
})

describe('P38 a key that holds another type', () => {
  for (const [type, command] of [
    ['hash', ['HSET', 'p:key', 'field', 'value']],
    ['list', ['RPUSH', 'p:key', 'value']],
    ['set', ['SADD', 'p:key', 'value']],
    ['sorted set', ['ZADD', 'p:key', '1', 'value']],
    ['stream', ['XADD', 'p:key', '*', 'field', 'value']],
  ] as const) {
    test(`T6 a ${type} is loaded without being cached, and left as it is`, async () => {
      await redis.ask(...command)
      const cache = scene.cache()
      const source = new Source(1)
      expect(await cache.getOrSet('key', source.load)).toBe(1)
      expect(await cache.getOrSet('key', source.load, { tags: ['t'] })).toBe(1)
      expect(source.loads).toBe(2)
      const flight = await Promise.all(Array.from({ length: 20 }, () => cache.getOrSet('key', source.load)))
      expect(new Set(flight)).toEqual(new Set([1]))
      expect(source.loads).toBe(3)
      expect(await cache.get('key')).toBeUndefined()
      expect(await redis.ask('TYPE', 'p:key')).toBe(type === 'sorted set' ? 'zset' : type)
      expect(await cache.set('key', 2)).toBe(true)
      expect(await cache.get('key')).toBe(2)
    })
  }
})

describe('P38 bytes that cannot be read', () => {
  /** What lies under the key, garbled by a script, since the testbed reads replies as text. */
  const garble = (key: string, expression: string, argument: number | string) =>
    redis.ask(
      'EVAL',
      `local b = redis.call('GET', KEYS[1]); redis.call('SET', KEYS[1], ${expression})`,
      1,
      key,
      argument,
    )

  async function reloads(cache: Cache, key: string, what: string): Promise<void> {
    const source = new Source('good')
    expect([what, await cache.get(key, { local: false })]).toEqual([what, undefined])
    expect([what, await cache.getOrSet(key, source.load)]).toEqual([what, 'good'])
    expect([what, await cache.getOrSet(key, source.load)]).toEqual([what, 'good'])
    expect([what, source.loads]).toEqual([what, 1])
    expect([what, await cache.get(key, { local: false })]).toEqual([what, 'good'])
  }

  test('P3 an entry that is truncated, at every length', async () => {
    const cache = scene.cache()
    await cache.set('first', 'good')
    const length = Number(await redis.ask('STRLEN', 'p:first'))
    for (let bytes = 0; bytes < length; bytes++) {
      const key = `cut:${bytes}`
      await cache.set(key, 'good')
      await garble(`p:${key}`, 'string.sub(b, 1, tonumber(ARGV[1]))', bytes)
      await reloads(cache, key, `cut at ${bytes}`)
    }
  })

  test('P2 an entry of which a bit is flipped, in every byte but those of the lease', async () => {
    const cache = scene.cache()
    await cache.set('first', 'good')
    const length = Number(await redis.ask('STRLEN', 'p:first'))
    const flip =
      'string.sub(b, 1, ARGV[1]) .. string.char(bit.bxor(string.byte(b, ARGV[1] + 1), 1)) .. string.sub(b, ARGV[1] + 2)'
    for (let at = 0; at < length; at += at > 60 ? 3 : 1) {
      if (at >= 12 && at < 42) continue
      const key = `bit:${at}`
      await cache.set(key, 'good')
      await garble(`p:${key}`, flip, at)
      await reloads(cache, key, `bit of byte ${at}`)
    }
  })

  test('P1 the entry of another key', async () => {
    const cache = scene.cache()
    await cache.set('mine', 'mine')
    await redis.ask('COPY', 'p:mine', 'p:copied')
    await reloads(cache, 'copied', 'a copy')
    await redis.ask('RENAME', 'p:mine', 'p:moved')
    await reloads(cache, 'moved', 'a renamed key')
  })

  test('what other programs left', async () => {
    const cache = scene.cache()
    const foreign = [
      '',
      'hello',
      '{',
      '\0',
      '\u0001',
      '\u0001\u0001',
      '\u0002',
      'PK\u0003\u0004',
      '\u0080',
      'a:1:{}',
    ]
    for (const [number, text] of foreign.entries()) {
      await redis.ask('SET', `p:foreign:${number}`, text)
      await reloads(cache, `foreign:${number}`, JSON.stringify(text))
    }
  })
})
