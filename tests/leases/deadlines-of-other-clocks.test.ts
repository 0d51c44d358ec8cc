import { beforeAll, describe, expect, test } from 'vitest'
import { type EntryMeta, placeholder, withLease } from '../../src/codec/envelope/entry-meta.ts'
import { ValueCodec } from '../../src/codec/value-codec.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { warmed } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

let codec: ValueCodec

const scene = useScene({ caches: IMPATIENT })
const { redis } = scene

beforeAll(async () => {
  codec = new ValueCodec({
    ...{ serializer: 'json', readers: [], compression: undefined, maxValueBytes: 1_000_000 },
  })
  await codec.prepare()
})

describe('T7 deadlines set by another clock', () => {
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
  /** Reads through a script, since the testbed reads replies as text. */
  async function redisBytes(key: string): Promise<string> {
    const hex = await redis.ask(
      'EVAL',
      "return (string.gsub(redis.call('GET', KEYS[1]), '.', function(c) return string.format('%02x', string.byte(c)) end))",
      1,
      key,
    )
    return Buffer.from(String(hex), 'hex').toString('latin1')
  }

  test('an entry created in the future counts as stale', async () => {
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

  test('a lease with a deadline beyond the longest lease counts as free, in a placeholder and in an entry', async () => {
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
