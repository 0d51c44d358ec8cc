import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Cache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import type { Standalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, elapsed, firstHitMs, warmed } from '../support/cache-states.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'
import { trials } from '../support/trials.ts'

/** Every write is on disk before it is acknowledged, so that what was there is there again. */
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always']

/** A tenth of what the deletes would take if each were remembered, and more than what the runtime itself gathers. */
const MOST_GROWTH_BYTES = 6_000_000

const scene = useScene({ redis: false, caches: IMPATIENT })

/** Loaded, not set: what was set a moment ago is removed, too, where a server may have forgotten it. */
async function filled(redis: Standalone, cache: Cache): Promise<void> {
  await cache.getOrSet('key', () => 'old')
  await cache.getOrSet('tagged', () => 'old', { tags: ['t'] })
  await cache.getOrSet('kept', () => 'kept')
  await cache.namespace('space').getOrSet('key', () => 'old')
  for (const key of ['key', 'tagged', 'kept']) await warmed(cache, key)
  expect(await redis.ask('EXISTS', 'p:key', 'p:tagged', 'p:kept', 'p:space:key')).toBe(4)
}

interface Invalidation {
  readonly name: string
  readonly run: (cache: Cache) => Promise<unknown>
  readonly gone: readonly string[]
}

const INVALIDATIONS: readonly Invalidation[] = [
  { name: 'delete', run: (cache) => cache.delete('key'), gone: ['key'] },
  { name: 'deleteMany', run: (cache) => cache.deleteMany(['key', 'tagged']), gone: ['key', 'tagged'] },
  { name: 'invalidateTags', run: (cache) => cache.invalidateTags(['t']), gone: ['tagged'] },
  { name: 'set', run: (cache) => cache.set('key', 'new'), gone: ['key'] },
  { name: 'setMany', run: (cache) => cache.setMany({ key: 'new', tagged: 'new' }), gone: ['key', 'tagged'] },
  { name: 'clear', run: (cache) => cache.clear(), gone: ['key', 'tagged', 'kept', 'space:key'] },
  { name: 'clear of a namespace', run: (cache) => cache.namespace('space').clear(), gone: ['space:key'] },
  { name: 'invalidatePattern', run: (cache) => cache.invalidatePattern('k*'), gone: ['key', 'kept'] },
]

async function expectDelivered(redis: Standalone, cache: Cache, gone: readonly string[]): Promise<void> {
  const space = cache.namespace('space')
  const ask = (key: string) => (key === 'space:key' ? space.get('key') : cache.get(key))
  for (const key of gone) expect([key, await ask(key)]).toEqual([key, undefined])
  // Until it is reached, a cache that answers nothing proves nothing.
  await firstHitMs(cache)
  for (const key of gone) expect([key, await ask(key)]).toEqual([key, undefined])
  const afresh = scene.cache({ redis: redis.url })
  const freshSpace = afresh.namespace('space')
  for (const key of gone) {
    const found = key === 'space:key' ? await freshSpace.get('key') : await afresh.get(key)
    expect([key, found]).toEqual([key, undefined])
  }
}

describe.each(INVALIDATIONS)(
  'P39 a $name that answered false is delivered before any read',
  ({ gone, run }) => {
    test('after Redis was killed and restarted from disk', async () => {
      const redis = await scene.server({ args: DURABLE })
      const cache = scene.cache({ redis: redis.url })
      await filled(redis, cache)
      await redis.kill()
      await dropped(cache, 'kept')
      expect([false, 0]).toContain(await run(cache))
      await redis.restart()
      expect(await redis.ask('EXISTS', 'p:key', 'p:tagged', 'p:kept', 'p:space:key')).toBe(4)
      await expectDelivered(redis, cache, gone)
      if (!gone.includes('kept')) expect(await cache.get('kept')).toBe('kept')
    })

    test('after Redis was paused and resumed', async () => {
      const redis = await scene.server()
      const cache = scene.cache({ redis: redis.url, commandTimeout: '100ms' })
      await filled(redis, cache)
      redis.pause()
      expect([false, 0]).toContain(await run(cache))
      redis.resume()
      await expectDelivered(redis, cache, gone)
    })
  },
)

describe('P39 memory is bounded during an outage', () => {
  test('100,000 deletes are remembered as one, which invalidates every older entry', async () => {
    const redis = await scene.server({ args: DURABLE })
    const cache = scene.cache({ redis: redis.url })
    await filled(redis, cache)
    await redis.kill()
    await dropped(cache, 'kept')
    const deletes = async (count: number) => {
      for (let batch = 0; batch < count; batch += 1_000) {
        const keys = Array.from({ length: 1_000 }, (_, number) => `deleted:${batch + number}`)
        const answers = await Promise.all(keys.map((key) => cache.delete(key)))
        expect(answers.some(Boolean)).toBe(false)
      }
    }
    await deletes(12_000)
    const before = heapBytes()
    await deletes(trials(15_000, 25_000, 100_000))
    expect(heapBytes() - before).toBeLessThan(MOST_GROWTH_BYTES)
    await redis.restart()
    await expectDelivered(redis, cache, ['key', 'tagged', 'kept', 'space:key'])
    expect(await cache.set('kept', 'again')).toBe(true)
    expect(await cache.get('kept')).toBe('again')
  }, 120_000)

  test('tag invalidations are remembered as one, and loads retain no memory', async () => {
    const redis = await scene.server({ args: DURABLE })
    const cache = scene.cache({ redis: redis.url })
    await filled(redis, cache)
    await redis.kill()
    await dropped(cache, 'kept')
    for (let tag = 0; tag < 11_000; tag++) await cache.invalidateTags([`t:${tag}`])
    const load = (number: number) => cache.getOrSet(`loaded:${number}`, () => 'x'.repeat(100))
    for (let number = 0; number < 2_000; number++) await load(number)
    const before = heapBytes()
    for (let number = 2_000; number < trials(6_000, 12_000, 50_000); number++) await load(number)
    expect(heapBytes() - before).toBeLessThan(MOST_GROWTH_BYTES)
    await redis.restart()
    await expectDelivered(redis, cache, ['key', 'kept'])
  }, 120_000)
})

describe('P39 a server that forgets acknowledged invalidations', () => {
  async function forgetful(afterRestart: 'replay' | 'invalidate'): Promise<readonly [Standalone, Cache]> {
    const redis = await scene.server()
    const cache = scene.cache({ redis: redis.url, coherence: { afterRestart } })
    await filled(redis, cache)
    await redis.ask('SAVE')
    expect(await cache.delete('key')).toBe(true)
    expect(await cache.invalidateTags(['t'])).toBe(true)
    expect(await cache.namespace('space').clear()).toBe(true)
    await redis.kill()
    await redis.restart()
    expect(await redis.ask('EXISTS', 'p:key', 'p:tagged', 'p:kept', 'p:space:key')).toBe(4)
    return [redis, cache]
  }

  test("'replay' delivers the latest invalidations again, and removes no other entry", async () => {
    const [redis, cache] = await forgetful('replay')
    await expectDelivered(redis, cache, ['key', 'tagged', 'space:key'])
    await waitUntil(async () => (await cache.get('kept')) === 'kept', { what: 'what was not touched' })
  })

  test("'invalidate' invalidates everything", async () => {
    const [redis, cache] = await forgetful('invalidate')
    await expectDelivered(redis, cache, ['key', 'tagged', 'space:key', 'kept'])
  })

  test('a connection lost without a restart replays nothing', async () => {
    const redis = await scene.server()
    const cache = scene.cache({ redis: redis.url, coherence: { afterRestart: 'invalidate' } })
    await filled(redis, cache)
    expect(await cache.delete('key')).toBe(true)
    await redis.ask('SET', 'p:key', '"back"')
    await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal')
    await dropped(cache, 'kept')
    await waitUntil(async () => (await cache.get('kept')) === 'kept', { what: 'the connection' })
    expect(await cache.get('key')).toBe('back')
  })
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heapBytes(): number {
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().heapUsed
}

describe('P39 an undelivered invalidation', () => {
  test('blocks every read, even if Redis refuses the delivery', async () => {
    const durable = await scene.server({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
    const cache = scene.cache({ redis: durable.url })
    await cache.getOrSet('key', () => 'old')
    await durable.kill()
    await dropped(cache, 'key')
    expect(await cache.delete('key')).toBe(false)
    await durable.restart()
    await durable.ask('CONFIG', 'SET', 'min-replicas-to-write', '1')
    const seen: unknown[] = []
    for (let round = 0; round < 40; round++) {
      seen.push(...(await Promise.all([cache.get('other'), cache.get('key'), cache.get('key')])))
      await elapsed(20)
    }
    expect(seen.filter((value) => value !== undefined)).toEqual([])
  })

  test('is delivered again after each restart that forgets it', async () => {
    const forgetful = await scene.server()
    const cache = scene.cache({ redis: forgetful.url })
    await cache.getOrSet('key', () => 'old')
    await forgetful.ask('SAVE')
    expect(await cache.delete('key')).toBe(true)
    const seen: unknown[] = []
    for (let restart = 0; restart < 3; restart++) {
      const connected = new Promise((resolve) => cache.on('connect', resolve))
      await forgetful.kill()
      await forgetful.restart()
      await connected
      await waitUntil(async () => (await cache.set('other', restart)) && cache.circuit === 'closed', {
        what: 'the cache to work',
      })
      seen.push(await cache.get('key'))
    }
    expect(seen).toEqual([undefined, undefined, undefined])
  })
})

test('P39 an undelivered invalidation is delivered when Redis is back, even if this process is idle', async () => {
  const durable = await scene.server({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  const cache = scene.cache({ redis: durable.url })
  await cache.getOrSet('key', () => 'old')
  await durable.kill()
  await dropped(cache, 'key')
  expect(await cache.delete('key')).toBe(false)
  await durable.restart()
  await waitUntil(async () => (await durable.ask('EXISTS', 'p:key')) === 0, {
    what: 'the delivery',
    timeoutMs: 4_000,
  })
})

describe('P48 a Redis that is full and evicts nothing', () => {
  test('invalidations take effect, and block no reads', async () => {
    const full = await scene.server()
    const cache = scene.cache({ redis: full.url })
    await filled(full, cache)
    await cache.plain.set('plain', 'old')
    await full.ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', 1)
    expect(await cache.set('other', 'new')).toBe(false)
    expect(await cache.invalidateTags(['t'])).toBe(true)
    expect(await cache.get('tagged')).toBeUndefined()
    expect(await cache.get('key', { local: false })).toBe('old')
    expect(await cache.namespace('space').clear()).toBe(true)
    expect(await cache.namespace('space').get('key')).toBeUndefined()
    expect(await cache.get('key', { local: false })).toBe('old')
    expect(await cache.clear()).toBe(true)
    for (const key of ['key', 'kept', 'plain']) expect(await cache.get(key)).toBeUndefined()
    expect(cache.circuit).toBe('closed')
  })
})
