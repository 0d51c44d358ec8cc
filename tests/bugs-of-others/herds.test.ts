import type { Cache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { elapsed } from '../support/cache-states.ts'
import { heldLoader, Source } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'
import { openTimed } from '../support/timed-source.ts'

const scene = useScene()

const open = (count: number, options = {}): Promise<readonly Cache[]> =>
  Promise.all(Array.from({ length: count }, () => scene.open(options)))

describe('many ask at once', () => {
  // dotnet/extensions#6759
  test('for a key that is nowhere: eight processes load it once', async () => {
    const caches = await open(8)
    const source = new Source('loaded')
    const calls = caches.flatMap((cache) =>
      Array.from({ length: 50 }, () => cache.getOrSet('key', () => elapsed(50).then(source.load))),
    )
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['loaded']))
    expect(source.loads).toBe(1)
  })

  // mcollina/async-cache-dedupe#164
  test('for a stale key: it is served, and loaded once', async () => {
    const { cache, clock } = openTimed({ ttl: '1m', staleWhileRevalidate: '1m' })
    await cache.getOrSet('key', () => 'old')
    await clock.advance('90s')
    const held = heldLoader('new')
    let loads = 0
    const load = () => {
      loads++
      return held.load()
    }
    const answers = await Promise.all(Array.from({ length: 10 }, () => cache.getOrSet('key', load)))
    expect(answers).toEqual(new Array(10).fill('old'))
    held.release()
    await cache.idle()
    expect(loads).toBe(1)
    expect(await cache.get('key')).toBe('new')
  })
})

// ZiggyCreatures/FusionCache#651
test('a process whose copy is due for an early refresh takes what another has stored meanwhile', async () => {
  // Nothing tells of changes here, so the copy outlives the value in Redis.
  const options = { ttl: '1h', local: { ttl: '1m' }, coherence: { mode: 'ttl' } } as const
  const [mine, other] = (await open(2, options)) as [Cache, Cache]
  const slow = (value: string) => () => elapsed(20).then(() => value)
  await mine.getOrSet('key', slow('old'))
  await other.refresh('key', slow('new'))
  expect(mine.peek('key')).toBe('old')
  let loads = 0
  const ask = () => mine.getOrSet('key', () => `loaded again ${++loads}`, { earlyRefresh: { beta: 1e12 } })
  expect(await ask()).toBe('old')
  await mine.idle()
  expect(mine.peek('key')).toBe('new')
  expect(loads).toBe(0)
})

// symfony/symfony#41130
test('loads that wait for other loads do not block one another across processes', async () => {
  const caches = await open(4)
  const inner = Array.from({ length: 30 }, (_, number) => `inner:${number}`)
  const pageOf = (cache: Cache, number: number) =>
    cache.getOrSet(`outer:${number}`, async () => {
      const parts = [number, number + 7, number + 13].map((other) => inner[other % inner.length] as string)
      const values = []
      for (const part of parts) values.push(await cache.getOrSet(part, () => elapsed(1).then(() => part)))
      return values
    })
  const pages = await Promise.all(caches.flatMap((cache) => inner.map((_, number) => pageOf(cache, number))))
  expect(pages).toHaveLength(120)
  expect(pages[0]).toEqual(['inner:0', 'inner:7', 'inner:13'])
})
