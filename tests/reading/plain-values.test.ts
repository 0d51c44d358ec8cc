import { createCache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

// Each of these was a defect once, or looked like one in the code.

const scene = useScene({ caches: IMPATIENT })
const { redis } = scene

describe('plain values', () => {
  test('P38 are found even if many are read at once', async () => {
    const cache = scene.cache({ commandTimeout: '5s' })
    await cache.initialize()
    const text = JSON.stringify(Array.from({ length: 2_000 }, (_, n) => ({ n })))
    const keys = Array.from({ length: 100 }, (_, number) => `plain:${number}`)
    for (const key of keys) await redis.ask('SET', `p:${key}`, text)
    const values = await cache.getMany(keys)
    expect([...values.values()].filter((value) => value === undefined)).toHaveLength(0)
  })

  test('P38 are found even if they are large, and are not overwritten by a load', async () => {
    const cache = scene.cache({ commandTimeout: '5s' })
    await cache.initialize()
    await redis.ask('SET', 'p:large', JSON.stringify(Array.from({ length: 200_000 }, (_, n) => ({ n }))))
    expect(await cache.get('large', { local: false })).toBeDefined()
    const source = new Source(1)
    await cache.getOrSet('large', source.load)
    expect(source.loads).toBe(0)
  })
  test('P28 a counter beyond 2^53 comes back exactly, from Redis and from memory', async () => {
    const cache = scene.cache({ commandTimeout: '5s' })
    await using memory = createCache({ prefix: 'memory:' })
    for (const counted of [cache, memory]) {
      await counted.initialize()
      await counted.counters.incrBig('n', 2n ** 53n + 1n)
      expect(await counted.get('n')).toBe(2n ** 53n + 1n)
      expect(await counted.get('n')).toBe(2n ** 53n + 1n)
      expect(await counted.getMany(['n'])).toEqual(new Map([['n', 2n ** 53n + 1n]]))
      expect(await counted.counters.incrBig('n')).toBe(2n ** 53n + 2n)
      expect(await counted.get('n')).toBe(2n ** 53n + 2n)
    }
  })
})
