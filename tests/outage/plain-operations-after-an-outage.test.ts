import { type Cache, createCache } from 'cachewright'
import { SimulatedRedis } from 'cachewright/testing'
import { describe, expect, test } from 'vitest'

/** A cache whose Redis refuses commands while `invalidate` is called. Nothing has been delivered when it resolves. */
async function afterFailed(invalidate: (cache: Cache) => Promise<unknown>) {
  const redis = new SimulatedRedis()
  const cache = createCache({ backend: redis.backend({ prefix: 'p:' }), ttl: '5m' })
  await cache.plain.set('plain', 'old')
  await cache.plain.set('other', 'kept')
  await cache.set('entry', 'old', { tags: ['tag'] })
  await cache.counters.incr('count', 5)
  await cache.sets.addToSet('set', 'old')
  redis.faults.fail()
  await invalidate(cache)
  expect(cache.stats().undelivered).toBeGreaterThan(0)
  return { cache, redis }
}

const ALL = ['plain', 'entry', 'count', 'set']

describe('after an invalidation that Redis has not acknowledged', () => {
  const READS: Record<string, (cache: Cache) => Promise<unknown>> = {
    get: async (cache) => [
      await cache.plain.get('plain'),
      await cache.plain.get('entry'),
      await cache.plain.get('count'),
    ],
    getMany: async ({ plain }) => [...(await plain.getMany(['plain', 'entry', 'count'])).values()],
    getAndDelete: async ({ plain }) => [
      ...[
        await plain.getAndDelete('plain'),
        await plain.getAndDelete('entry'),
        await plain.getAndDelete('count'),
      ],
    ],
    getTtl: async ({ plain }) => [
      await plain.getTtl('plain'),
      await plain.getTtl('entry'),
      await plain.getTtl('count'),
    ],
  }

  test.each(Object.entries(READS))('plain %s finds nothing of what it removed', async (_name, read) => {
    for (const invalidate of [
      (cache: Cache) => cache.deleteMany(ALL),
      (cache: Cache) => cache.invalidatePattern('[pecs]*'),
    ]) {
      const { cache, redis } = await afterFailed(invalidate)
      redis.faults.heal()
      expect(await read(cache)).toEqual([undefined, undefined, undefined])
      expect(await cache.plain.get('other')).toBe('kept')
    }
  })

  test('an entry whose tag was invalidated is not read either', async () => {
    const { cache, redis } = await afterFailed((one) => one.invalidateTags(['tag']))
    redis.faults.heal()
    expect(await cache.plain.get('entry')).toBeUndefined()
    expect([...(await cache.plain.getMany(['entry', 'plain'])).values()]).toEqual([undefined, 'old'])
  })

  test('counters and sets begin anew', async () => {
    const { cache, redis } = await afterFailed((one) => one.deleteMany(ALL))
    redis.faults.heal()
    expect(await cache.counters.incr('count')).toBe(1)
    expect(await cache.sets.addToSet('set', 'new')).toBe(true)
    expect(await cache.sets.getSetMembers('set')).toEqual(['new'])
    expect(await cache.plain.exists('plain')).toBe(false)
    expect(await cache.plain.touch('entry')).toBe(false)
  })

  test('what is written then stays', async () => {
    for (const write of [
      (cache: Cache) => cache.plain.set('plain', 'new'),
      (cache: Cache) => cache.plain.setIfAbsent('plain', 'new'),
      (cache: Cache) => cache.plain.setMany({ plain: 'new', fresh: 1 }),
    ]) {
      const { cache, redis } = await afterFailed((one) => one.deleteMany(ALL))
      redis.faults.heal()
      expect(await write(cache)).toBe(true)
      expect(await cache.plain.get('plain')).toBe('new')
      // The redelivery in the background, which comes half a second later, finds nothing left to do for it.
      await new Promise((resolve) => setTimeout(resolve, 700))
      expect(cache.stats().undelivered).toBe(0)
      expect(await cache.plain.get('plain')).toBe('new')
    }
  }, 20_000)

  test('while it cannot be delivered, reads miss, and a batch keeps its other keys', async () => {
    const { cache, redis } = await afterFailed((one) => one.delete('plain'))
    const reasons: unknown[] = []
    cache.on('miss', ({ key, reason }) => reasons.push([key, reason]))
    redis.faults.heal()
    redis.faults.fail({ commands: 'writes' })
    expect(await cache.plain.get('plain')).toBeUndefined()
    expect([...(await cache.plain.getMany(['plain', 'other'])).values()]).toEqual([undefined, 'kept'])
    expect(reasons).toEqual([
      ['plain', 'unavailable'],
      ['plain', 'unavailable'],
    ])
  })
})
