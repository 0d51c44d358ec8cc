import type { CacheError } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { afterEach, describe, expect, test } from 'vitest'
import { useScene } from '../support/scene.ts'

const MAX_VALUE_BYTES = 1_000
const LARGE = 'x'.repeat(MAX_VALUE_BYTES)

const scene = useScene()
const { redis } = scene
afterEach(() => redis.ask('CONFIG', 'SET', 'maxmemory', 0))

async function opened(errors: 'absorb' | 'throw'): Promise<[RedisCacheBackend, CacheError[]]> {
  const backend = new RedisCacheBackend({ url: redis.url, maxValueBytes: MAX_VALUE_BYTES, errors })
  scene.later(() => backend.shutdown())
  const told: CacheError[] = []
  backend.on('error', ({ error }) => told.push(error))
  await backend.initialize()
  return [backend, told]
}

describe('P7 the client refuses an oversize value and its pipelined neighbours succeed', () => {
  test('a set in the same tick as other calls returns false and emits an error event', async () => {
    const [backend, told] = await opened('absorb')
    const written = await Promise.all([
      backend.set('before', 1),
      backend.set('large', LARGE),
      backend.incr('count'),
      backend.set('after', 2),
    ])
    expect(written).toEqual([true, false, 1, true])
    expect(told).toMatchObject([{ code: 'CACHE_VALUE_TOO_LARGE', operation: 'set', key: 'large' }])
    expect(await backend.getMany(['before', 'large', 'after'])).toEqual(
      new Map([
        ['before', 1],
        ['large', undefined],
        ['after', 2],
      ]),
    )
  })

  test("a set rejects with a CacheError if errors are 'throw'", async () => {
    const [backend] = await opened('throw')
    const neighbour = backend.set('neighbour', 1)
    await expect(backend.set('large', LARGE)).rejects.toMatchObject({
      name: 'CacheError',
      code: 'CACHE_VALUE_TOO_LARGE',
    })
    expect(await neighbour).toBe(true)
  })

  test('the failures of setMany name exactly the oversize keys', async () => {
    const [backend, told] = await opened('absorb')
    const entries = Array.from({ length: 100 }, (_, n) => [`key:${n}`, n % 10 === 3 ? LARGE : n] as const)
    expect(await backend.setMany(entries)).toBe(false)
    expect(told).toMatchObject([{ code: 'CACHE_PARTIAL_WRITE', operation: 'setMany' }])
    const oversize = entries.filter(([, value]) => value === LARGE).map(([key]) => key)
    expect([...(told[0]?.failures ?? [])].map(([key, { code }]) => [key, code])).toEqual(
      oversize.map((key) => [key, 'CACHE_VALUE_TOO_LARGE']),
    )
    const found = await backend.getMany(entries.map(([key]) => key))
    expect([...found]).toEqual(entries.map(([key, value]) => [key, value === LARGE ? undefined : value]))
  })

  test('the previous value of the key stays', async () => {
    const [backend] = await opened('absorb')
    await backend.set('large', 'small')
    expect(await backend.set('large', LARGE)).toBe(false)
    expect(await backend.get('large')).toBe('small')
  })

  test('a value of exactly the maximum size in bytes is stored, and one byte more is refused', async () => {
    const [backend] = await opened('absorb')
    const quotes = 2
    expect(await backend.set('exact', 'x'.repeat(MAX_VALUE_BYTES - quotes))).toBe(true)
    expect(await backend.set('over', 'x'.repeat(MAX_VALUE_BYTES - quotes + 1))).toBe(false)
    expect(await backend.set('wide', 'ü'.repeat(MAX_VALUE_BYTES / 2))).toBe(false)
    expect(await backend.set('wide', 'ü'.repeat(MAX_VALUE_BYTES / 2 - 1))).toBe(true)
  })
})

describe('P30 setMany reports each failed key when Redis is out of memory', () => {
  async function fillUp(): Promise<void> {
    await redis.ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', 1)
  }

  test('failures holds every refused key, and reads and deletes still work', async () => {
    const [backend, told] = await opened('absorb')
    await backend.setMany({ old: 1, other: 2 })
    await fillUp()
    expect(await backend.setMany({ a: 1, b: 2, large: LARGE })).toBe(false)
    expect(told).toMatchObject([{ code: 'CACHE_PARTIAL_WRITE' }])
    const failures = told[0]?.failures ?? new Map<string, CacheError>()
    expect([...failures].map(([key, { code, replyCode }]) => [key, code, replyCode]).sort()).toEqual([
      ['a', 'CACHE_REPLY', 'OOM'],
      ['b', 'CACHE_REPLY', 'OOM'],
      ['large', 'CACHE_VALUE_TOO_LARGE', undefined],
    ])
    expect(await backend.getMany(['old', 'other', 'a'])).toEqual(
      new Map([
        ['old', 1],
        ['other', 2],
        ['a', undefined],
      ]),
    )
    expect(await backend.deleteMany(['old', 'other'])).toBe(2)
  })

  test('when memory runs out midway, the failures name exactly the keys that are not stored', async () => {
    const [backend, told] = await opened('absorb')
    const used = Number(/used_memory:(\d+)/.exec(String(await redis.ask('INFO', 'memory')))?.[1])
    await redis.ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', used + 400_000)
    const entries = Array.from({ length: 3_000 }, (_, n) => [`key:${n}`, 'x'.repeat(900)] as const)
    expect(await backend.setMany(entries)).toBe(false)
    const failures = told[0]?.failures ?? new Map<string, CacheError>()
    expect(failures.size).toBeGreaterThan(0)
    expect(failures.size).toBeLessThan(entries.length)
    const found = await backend.getMany(entries.map(([key]) => key))
    for (const [key, value] of found) expect([key, value === undefined]).toEqual([key, failures.has(key)])
  })

  test('set and addToSet return false, incr rejects, and each emits the reply code OOM', async () => {
    const [backend, told] = await opened('absorb')
    await fillUp()
    expect(await backend.set('key', 1)).toBe(false)
    await expect(backend.incr('count')).rejects.toMatchObject({ code: 'CACHE_REPLY', replyCode: 'OOM' })
    expect(await backend.addToSet('set', 'member')).toBe(false)
    expect(told.map(({ code, replyCode }) => [code, replyCode])).toEqual(
      Array(3).fill(['CACHE_REPLY', 'OOM']),
    )
  })

  test("set and setMany reject if errors are 'throw'", async () => {
    const [backend] = await opened('throw')
    await fillUp()
    await expect(backend.set('key', 1)).rejects.toMatchObject({ code: 'CACHE_REPLY', replyCode: 'OOM' })
    const error = (await backend.setMany({ a: 1 }).catch((reason: unknown) => reason)) as CacheError
    expect(error.code).toBe('CACHE_PARTIAL_WRITE')
    expect([...(error.failures?.keys() ?? [])]).toEqual(['a'])
  })
})
