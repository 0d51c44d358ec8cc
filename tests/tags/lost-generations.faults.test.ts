import type { Cache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { inMode } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ caches: IMPATIENT })
const { redis } = scene

const tagKey = (tag: string) => `p:\0tag:${tag}`

const ONE = { tags: ['one'] }

function caches(): readonly [Cache, Cache] {
  return [scene.cache(), scene.cache()]
}

describe('P19 entries whose tag metadata is lost are invalid', () => {
  for (const [what, lose] of [
    ['deleted', (key: string) => redis.ask('DEL', key)],
    ['replaced by something else', (key: string) => redis.ask('SET', key, 'foreign')],
    ['another type', async (key: string) => [await redis.ask('DEL', key), await redis.ask('SADD', key, 'x')]],
    ['expired', (key: string) => redis.ask('PEXPIRE', key, 0)],
  ] as const) {
    for (const [whose, key] of [
      ['of a tag', tagKey('one')],
      ['of the namespace', 'p:\0namespace'],
    ] as const) {
      test(`the generation ${whose} is ${what}`, async () => {
        const [mine, other] = caches()
        const source = new Source(1)
        await mine.getOrSet('key', source.load, ONE)
        expect(await other.get('key')).toBe(1)
        await lose(key)
        await waitUntil(() => mine.peek('key') === undefined && other.peek('key') === undefined, {
          what: 'the pushes',
        })
        source.value = 2
        for (const cache of [mine, other]) expect(await cache.get('key')).toBeUndefined()
        expect(await mine.getOrSet('key', source.load, ONE)).toBe(2)
        if (what === 'another type') return
        expect(await other.getOrSet('key', source.load, ONE)).toBe(2)
        expect(source.loads).toBe(2)
      })
    }
  }

  test.each([
    ['of a tag', tagKey('one')],
    ['of the namespace', 'p:\0namespace'],
  ])('on the bus, which tells of no eviction, the generation %s is made anew', async (_whose, key) => {
    const cache = scene.cache({ coherence: { mode: 'bus' } })
    await inMode(cache, 'bus')
    const source = new Source(1)
    const read = () => cache.getOrSet('key', source.load, { ...ONE, local: false })
    await read()
    await read()
    expect(source.loads).toBe(1)
    await redis.ask('DEL', key)
    for (let round = 0; round < 5; round++) await read()
    expect(source.loads).toBe(2)
  })

  test('an entry whose generation Redis evicts is never served', async () => {
    const small = await scene.server({ args: ['--maxmemory-policy', 'allkeys-random'] })
    const cache = scene.cache({ redis: small.url, local: false })
    const keys = Array.from({ length: 60 }, (_, number) => `key:${number}`)
    for (const [number, key] of keys.entries()) {
      await cache.getOrSet(key, () => `first:${key}`, { tags: [`tag:${number}`] })
    }
    const used = /used_memory:(\d+)/.exec(String(await small.ask('INFO', 'memory')))?.[1]
    await small.ask('CONFIG', 'SET', 'maxmemory', Number(used) + 100_000)
    const isThere = (key: string) => small.ask('EXISTS', key).then((count) => count === 1)
    await waitUntil(
      async () => {
        await small.ask('SET', `filler:${Math.random()}`, 'x'.repeat(20_000))
        const kept = await Promise.all(
          keys.map(
            async (key, number) => (await isThere(`p:${key}`)) && !(await isThere(tagKey(`tag:${number}`))),
          ),
        )
        return kept.some(Boolean) || !(await isThere('p:\0namespace'))
      },
      { what: 'the eviction of a generation whose entry is still there' },
    )
    await small.ask('CONFIG', 'SET', 'maxmemory', 0)
    const lost = await Promise.all(
      keys.map(async (_key, number) => !(await isThere(tagKey(`tag:${number}`)))),
    )
    const isAllLost = !(await isThere('p:\0namespace'))
    for (const [number, key] of keys.entries()) {
      const value = await cache.get(key)
      if (lost[number] || isAllLost) expect(value).toBeUndefined()
      expect(await cache.getOrSet(key, () => `second:${key}`, { tags: [`tag:${number}`] })).toBe(
        value ?? `second:${key}`,
      )
    }
  })

  test('a generation that comes back with other bytes does not bring its entries back', async () => {
    const [mine, other] = caches()
    const source = new Source(1)
    await mine.getOrSet('key', source.load, ONE)
    await redis.ask('DEL', tagKey('one'))
    await other.getOrSet('another', source.load, ONE)
    expect(await mine.get('key', { local: false })).toBeUndefined()
  })
})
