import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { type EntryMeta, placeholder, withLease } from '../../src/codec/envelope/entry-meta.ts'
import { ValueCodec } from '../../src/codec/value-codec.ts'
import { askRedis } from '../../testbed/redis-command.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { elapsed, warmed } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

/** A round trip, on a busy machine. */
const ROUND_TRIP_MS = 100

let codec: ValueCodec
const scene = useScene({ caches: IMPATIENT })
const { redis } = scene
beforeAll(async () => {
  codec = new ValueCodec({
    ...{ serializer: 'json', readers: [], compression: undefined, maxValueBytes: 1_000_000 },
  })
  await codec.prepare()
})
afterEach(() => {
  vi.restoreAllMocks()
})

const expiresAt = async (key: string) =>
  performance.now() + Number(await askRedis({ port: redis.port }, 'PTTL', key))

describe('P13 a local copy never outlives its Redis TTL by more than a round trip', () => {
  test('entries of many TTLs, loaded, stored and read', async () => {
    const [mine, other] = [scene.cache(), scene.cache()]
    const deadlines = new Map<string, number>()
    for (let ttlMs = 60; ttlMs <= 900; ttlMs += 60) {
      const [loaded, stored] = [`loaded:${ttlMs}`, `stored:${ttlMs}`]
      await mine.getOrSet(loaded, () => 1, { ttl: ttlMs / 1_000 })
      await other.set(stored, 1, `${ttlMs}ms`)
      await mine.get(stored)
      for (const key of [loaded, stored]) deadlines.set(key, await expiresAt(`p:${key}`))
    }
    let wereLocal = 0
    while (deadlines.size > 0) {
      for (const [key, deadlineMs] of deadlines) {
        const isLocal = mine.peek(key) !== undefined
        if (isLocal) wereLocal++
        if (performance.now() < deadlineMs + ROUND_TRIP_MS) continue
        expect([key, mine.peek(key)]).toEqual([key, undefined])
        deadlines.delete(key)
      }
      await elapsed(5)
    }
    expect(wereLocal).toBeGreaterThan(100)
  })

  test('plain values, whose TTL is asked for', async () => {
    const mine = scene.cache()
    await mine.initialize()
    const deadlines = new Map<string, number>()
    for (let ttlMs = 100; ttlMs <= 700; ttlMs += 100) {
      const key = `plain:${ttlMs}`
      await redis.ask('SET', `p:${key}`, '1', 'PX', ttlMs)
      expect(await mine.get(key)).toBe(1)
      deadlines.set(key, await expiresAt(`p:${key}`))
    }
    await waitUntil(() => mine.peek('plain:700') === 1, { what: 'a local copy' })
    for (const [key, deadlineMs] of deadlines) {
      await elapsed(deadlineMs + ROUND_TRIP_MS - performance.now())
      expect([key, mine.peek(key)]).toEqual([key, undefined])
    }
  })

  test('a plain value that does not expire is kept until it changes', async () => {
    const mine = scene.cache()
    await redis.ask('SET', 'p:forever', '"old"')
    await waitUntil(async () => (await mine.get('forever')) === 'old' && mine.peek('forever') === 'old', {
      what: 'a local copy',
    })
    await redis.ask('SET', 'p:forever', '"new"')
    await waitUntil(async () => (await mine.get('forever')) === 'new', { what: 'the new value' })
    await redis.ask('PEXPIRE', 'p:forever', 200)
    const deadlineMs = await expiresAt('p:forever')
    await mine.get('forever')
    await elapsed(deadlineMs + ROUND_TRIP_MS - performance.now())
    expect(mine.peek('forever')).toBeUndefined()
  })

  test('an entry that does not expire', async () => {
    const mine = scene.cache({ ttl: Number.POSITIVE_INFINITY })
    await warmed(mine, 'entry')
    expect(await redis.ask('PTTL', 'p:entry')).toBe(-1)
    expect(await mine.getTtl('entry')).toBe(Number.POSITIVE_INFINITY)
    await redis.ask('DEL', 'p:entry')
    await waitUntil(() => mine.peek('entry') === undefined, { what: 'the push' })
  })
})

describe('P14 jumps of the local clock change nothing', () => {
  for (const jumpMs of [3_600_000, -3_600_000]) {
    test(`by ${jumpMs / 3_600_000} hours`, async () => {
      const now = Date.now
      const mine = scene.cache()
      const options = { ttl: '900ms', staleIfError: '1m' } as const
      const source = new Source(1)
      await mine.getOrSet('before', source.load, options)
      const loadedAtMs = performance.now()
      vi.spyOn(Date, 'now').mockImplementation(() => now() + jumpMs)
      expect(mine.peek('before')).toBe(1)
      const late = scene.cache()
      expect(await late.get('before')).toBe(1)
      await waitUntil(() => late.peek('before') === 1, { what: 'a local copy', timeoutMs: 500 }).catch(
        () => {},
      )
      await late.set('after', 2, '900ms')
      expect(await mine.get('after')).toBe(2)
      expect(await mine.getTtl('after')).toBeGreaterThan(0.3)
      expect(await mine.getTtl('after')).toBeLessThan(0.9 + ROUND_TRIP_MS / 1_000)
      await mine.getOrSet('loaded', () => 3, { ttl: '10m' })
      expect(await late.getTtl('loaded')).toBeGreaterThan(590)
      expect(await late.getTtl('loaded')).toBeLessThan(600 + ROUND_TRIP_MS / 1_000)
      expect(await mine.invalidateTags(['t'])).toBe(true)
      await elapsed(loadedAtMs + 900 + ROUND_TRIP_MS - performance.now())
      for (const cache of [mine, late]) expect(cache.peek('before')).toBeUndefined()
      source.value = 2
      expect(await mine.getOrSet('before', source.load, options)).toBe(2)
      await waitUntil(() => mine.peek('after') === undefined, {
        what: 'the end of its TTL',
        timeoutMs: 1_500,
      })
    })
  }
})

describe('T7 deadlines of another clock', () => {
  async function write(key: string, value: unknown, change: Partial<EntryMeta>): Promise<Buffer> {
    const generation = await redisBytes('p:\0namespace')
    const meta: EntryMeta = {
      ...{ stamp: 'stamp678', createdAtMs: Date.now(), ttlMs: 60_000, loadCostMs: 0 },
      ...{ staleWhileRevalidateMs: 0, staleIfErrorMs: 0 },
      generations: [{ storedKey: 'p:\0namespace', generation }],
      ...change,
    }
    const bytes = codec.encodeEntry(`p:${key}`, value, meta)
    await redis.ask('SET', `p:${key}`, bytes, 'PX', 60_000)
    return bytes
  }
  /** Through a script, since the testbed reads replies as text. */
  async function redisBytes(key: string): Promise<string> {
    const hex = await redis.ask(
      'EVAL',
      "return (string.gsub(redis.call('GET', KEYS[1]), '.', function(c) return string.format('%02x', string.byte(c)) end))",
      1,
      key,
    )
    return Buffer.from(String(hex), 'hex').toString('latin1')
  }

  test('an entry that was created in the future counts as stale', async () => {
    const mine = scene.cache()
    await warmed(mine, 'any')
    const source = new Source('loaded')
    await write('now', 'written', {})
    expect(await mine.get('now')).toBe('written')
    await write('soon', 'written', { createdAtMs: Date.now() + 500 })
    expect(await mine.get('soon')).toBe('written')
    for (const aheadMs of [2_000, 3_600_000, 1e15]) {
      const key = `ahead:${aheadMs}`
      await write(key, 'written', { createdAtMs: Date.now() + aheadMs })
      expect(await mine.get(key)).toBeUndefined()
      expect(await mine.has(key)).toBe(false)
      expect(await mine.getOrSet(key, source.load)).toBe('loaded')
      expect(await mine.get(key)).toBe('loaded')
    }
    await write('bad', 'written', { createdAtMs: Number.NaN })
    expect(await mine.getOrSet('bad', source.load)).toBe('loaded')
  })

  test('a lease deadline beyond the longest lease is free, in a placeholder and in an entry', async () => {
    const mine = scene.cache()
    await warmed(mine, 'any')
    const source = new Source('loaded')
    const far = Date.now() + 3_600_000
    await redis.ask('SET', 'p:held', placeholder('t'.repeat(16), far), 'PX', 60_000)
    const startMs = performance.now()
    expect(await mine.getOrSet('held', source.load)).toBe('loaded')
    expect(performance.now() - startMs).toBeLessThan(400)
    expect(await mine.get('held')).toBe('loaded')
    const options = { ttl: '1m', staleWhileRevalidate: '1m' } as const
    const bytes = await write('stale', 'old', {
      createdAtMs: Date.now() - 61_000,
      staleWhileRevalidateMs: 60_000,
    })
    await redis.ask('SET', 'p:stale', withLease(bytes, 't'.repeat(16), far), 'PX', 60_000)
    expect(await mine.getOrSet('stale', source.load, options)).toBe('old')
    await waitUntil(async () => (await mine.get('stale')) === 'loaded', { what: 'the refresh' })
  })

  test('T3 the lease of an entry may change without breaking its checksum', async () => {
    const mine = scene.cache({ local: false })
    await warmed(scene.cache(), 'any')
    const bytes = await write('leased', 'written', {})
    for (let round = 0; round < 20; round++) {
      const token = Buffer.from(Array.from({ length: 16 }, () => Math.random() * 256)).toString('latin1')
      await redis.ask('SET', 'p:leased', withLease(bytes, token, Math.random() * 1e14))
      expect(await mine.get('leased')).toBe('written')
    }
    const broken = Buffer.from(bytes)
    broken[50] = (broken[50] as number) ^ 1
    await redis.ask('SET', 'p:leased', broken)
    expect(await mine.get('leased')).toBeUndefined()
  })
})
