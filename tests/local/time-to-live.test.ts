import { escapeGlob } from 'cachewright'
import { describe, expect, test, vi } from 'vitest'
import { LocalEntry } from '../../src/cache/local/local-entry.ts'
import { localTimes } from '../../src/cache/local/local-times.ts'
import { NO_GENERATIONS } from '../../src/cache/tags/generation-set.ts'
import { askRedis } from '../../testbed/redis-command.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { elapsed, warmed } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

/** A round trip, on a busy machine. */
const ROUND_TRIP_MS = 100

const scene = useScene({ caches: IMPATIENT })
const { redis } = scene

const expiresAt = async (key: string) =>
  performance.now() + Number(await askRedis({ port: redis.port }, 'PTTL', key))

describe('P13 a local copy never outlives its Redis TTL by more than a round trip', () => {
  test('entries of many TTLs', async () => {
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

  test('plain values', async () => {
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

describe('P14 a jump of the local clock changes no expiry', () => {
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

test('P13 a local copy expires with its TTL, even within one turn of the event loop', async () => {
  const cache = scene.cache()
  await cache.initialize()
  await waitUntil(
    async () => {
      await cache.getOrSet('key', () => 1, { ttl: '300ms' })
      return cache.peek('key') === 1
    },
    { what: 'a local copy' },
  )
  const endMs = performance.now() + 400
  while (performance.now() < endMs) escapeGlob('busy')
  expect(cache.peek('key')).toBeUndefined()
})

test('an entry of unknown age is not served stale, since its stale windows may be over', () => {
  const nowMs = 50_000
  const facts = {
    ...{ stamp: '12345678', createdAtMs: 0, ttlMs: 4_000, loadCostMs: 1 },
    ...{ staleWhileRevalidateMs: 3_000, staleIfErrorMs: 9_000 },
  }
  const times = localTimes(facts, 0, { nowMs, serverNowMs: undefined }, undefined)
  const entry = new LocalEntry({ value: 1, isCloned: false }, facts, times, NO_GENERATIONS, 0)
  expect(entry.revalidatableUntilMs).toBeLessThanOrEqual(nowMs)
  expect(entry.staleIfErrorUntilMs).toBeLessThanOrEqual(nowMs)
})
