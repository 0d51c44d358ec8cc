import type { Cache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { placeholder, tokenAfter, withLease } from '../../src/codec/envelope/entry-meta.ts'
import { ServerClock } from '../../src/redis/coherence/server-clock.ts'
import { warmed } from '../support/cache-states.ts'
import { forgedEntry } from '../support/forged-entry.ts'
import { useScene } from '../support/scene.ts'

const LEASE = { lease: { ttl: '200ms', longestLoad: '300ms' } } as const
/** Far more than a lease and a load may take together, far less than a forged lease says. */
const BOUND_MS = 10 * 500
const TOKEN = `${'f'.repeat(15)}\0`

const { later, open, redis } = useScene({ caches: { prefix: 'p:', ttl: '1m', commandTimeout: '2s' } })

/** Writes the bytes over and over, as long as the test runs. */
function keepWriting(storedKey: string, bytes: () => Buffer | string): void {
  let isOver = false
  const write = async (): Promise<void> => {
    if (isOver) return
    await redis.ask('SET', storedKey, bytes())
    setTimeout(write, 5)
  }
  void write()
  later(() => {
    isOver = true
  })
}

async function loadedInTime(cache: Cache, key = 'key'): Promise<void> {
  const startMs = performance.now()
  expect(await cache.getOrSet(key, () => 'loaded')).toBe('loaded')
  expect(performance.now() - startMs).toBeLessThan(BOUND_MS)
}

/** A placeholder whose deadline is this text. */
function placeholderUntil(deadline: string): Buffer {
  const bytes = placeholder(TOKEN, 0)
  bytes.write(deadline.padEnd(14, ' ').slice(0, 14), 28, 'latin1')
  return bytes
}

describe('a forged lease of an absent key', () => {
  test.each([
    '99999999999999',
    '-9999999999999',
    'nan',
    '           nan',
    'inf',
    '-inf',
    'Infinity',
    '1e308',
    '0x7fffffffffff',
    'no number',
    '\xff\xff\xff',
    '',
  ])('with the deadline %j holds nobody up', async (deadline) => {
    const cache = await open(LEASE)
    await redis.ask('SET', 'p:key', placeholderUntil(deadline))
    await loadedInTime(cache)
    expect(await (await open()).get('key')).toBe('loaded')
  })

  test('is taken over after the longest time that a load may hold it', async () => {
    const cache = await open(LEASE)
    await redis.ask('SET', 'p:key', placeholder(TOKEN, Date.now() + 50_000))
    await loadedInTime(cache)
    expect(await (await open()).get('key')).toBe('loaded')
  })

  test('holds nobody up for longer if it is renewed all the time', async () => {
    const cache = await open(LEASE)
    keepWriting('p:key', () => placeholder(TOKEN, Date.now() + 50_000))
    await loadedInTime(cache)
  })

  test.each([0, 1, 254, 255])('may count %i fruitless loads', async (fruitless) => {
    const cache = await open(LEASE)
    await redis.ask('SET', 'p:key', placeholder(tokenAfter(TOKEN, fruitless), Date.now() + 50_000))
    await loadedInTime(cache)
    expect(await (await open()).get('key')).toBe('loaded')
  })

  test('whose key holds something else at every look holds nobody up', async () => {
    const cache = await open(LEASE)
    let count = 0
    keepWriting('p:key', () => `{"garbage": ${count++}`)
    await loadedInTime(cache)
  })
})

test('a forged lease of an entry that is stale holds nobody up', async () => {
  const cache = await open(LEASE)
  await warmed(cache, 'any')
  const generations = await namespaceGeneration(cache)
  const stale = forgedEntry('p:key', 'old', { generations, createdAtMs: Date.now() - 3_600_000 })
  keepWriting('p:key', () => withLease(stale, TOKEN, Date.now() + 50_000))
  await loadedInTime(cache)
})

describe('forged times of an entry', () => {
  const NOT_TIMES = [Number.NaN, Number.NEGATIVE_INFINITY, -1, -1e300]
  const FIELDS = ['createdAtMs', 'ttlMs', 'staleWhileRevalidateMs', 'staleIfErrorMs', 'loadCostMs'] as const
  const FORGED = FIELDS.flatMap((field) => NOT_TIMES.map((value) => ({ [field]: value })))

  test.each([...FORGED, { createdAtMs: Number.POSITIVE_INFINITY }, { loadCostMs: Number.POSITIVE_INFINITY }])(
    '%j make it a miss that heals',
    async (times) => {
      const cache = await open()
      await warmed(cache, 'any')
      const codes: string[] = []
      cache.on('error', ({ error }) => codes.push(error.code))
      const generations = await namespaceGeneration(cache)
      await redis.ask('SET', 'p:key', forgedEntry('p:key', 'forged', { generations, ...times }))
      expect((await cache.explain('key')).toString()).toContain('cannot be decoded')
      expect(await cache.getOrSet('key', () => 'loaded')).toBe('loaded')
      expect(codes).toEqual(['CACHE_UNDECODABLE'])
      expect(await cache.plain.get('key')).toBe('loaded')
    },
  )

  test('a load cost beyond all measure costs one load in the background', async () => {
    const cache = await open({ earlyRefresh: { beta: 1 } })
    await warmed(cache, 'any')
    const generations = await namespaceGeneration(cache)
    await redis.ask('SET', 'p:key', forgedEntry('p:key', 'forged', { generations, loadCostMs: 1e300 }))
    let loads = 0
    const load = () => `loaded ${++loads}`
    for (let call = 0; call < 100; call++) {
      await cache.getOrSet('key', load)
      await cache.idle()
    }
    expect(loads).toBe(1)
    expect(await cache.get('key')).toBe('loaded 1')
  })
})

test('the clock of a server that jumps is followed with the next sample', () => {
  let nowMs = 0
  const clock = new ServerClock({ monotonicMs: () => nowMs })
  const answer = (serverMs: number, roundTripMs: number) => {
    const sentMs = nowMs
    nowMs += roundTripMs
    clock.learn(serverMs, sentMs)
  }
  answer(10_000_000, 1)
  for (const jumpMs of [3_600_000, -1_800_000]) {
    const serverMs = 10_000_000 + jumpMs + nowMs
    answer(serverMs, 40)
    expect(Math.abs((clock.nowMs() ?? 0) - serverMs)).toBeLessThan(50)
  }
})

async function namespaceGeneration(cache: Cache) {
  const storedKey = 'p:\0namespace'
  const hex = await redis.ask(
    'EVAL',
    "return (string.gsub(redis.call('GET', KEYS[1]), '.', function(c) return string.format('%02x', string.byte(c)) end))",
    1,
    storedKey,
  )
  expect(cache.coherence).toBe('tracking')
  return [{ storedKey, generation: Buffer.from(String(hex), 'hex').toString('latin1') }]
}
