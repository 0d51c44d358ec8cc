import type { Cache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ caches: IMPATIENT })
const { redis } = scene

describe('P38 a key that holds another type', () => {
  for (const [type, command] of [
    ['hash', ['HSET', 'p:key', 'field', 'value']],
    ['list', ['RPUSH', 'p:key', 'value']],
    ['set', ['SADD', 'p:key', 'value']],
    ['sorted set', ['ZADD', 'p:key', '1', 'value']],
    ['stream', ['XADD', 'p:key', '*', 'field', 'value']],
  ] as const) {
    test(`T6 a ${type} is left as it is, and the loaded value is not cached`, async () => {
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

  test('values that other programs wrote', async () => {
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
