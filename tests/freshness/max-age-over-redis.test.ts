import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { elapsed } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

describe.each([
  ['the local tier', {}],
  ['Redis alone', { local: false }],
] as const)('maxAge in a fleet, with %s', (_name, options) => {
  test('counts from the load, in whichever process that was', async () => {
    const [one, other] = [await scene.open(options), await scene.open(options)]
    const source = new Source(1)
    await one.getOrSet('key', source.load)
    expect(await other.getOrSet('key', source.load, { maxAge: '1m' })).toBe(1)
    await elapsed(300)
    source.value = 2
    expect(await other.getOrSet('key', source.load)).toBe(1)
    expect(await other.get('key', { maxAge: '200ms' })).toBeUndefined()
    expect(await other.getOrSet('key', source.load, { maxAge: '200ms' })).toBe(2)
    await waitUntil(async () => (await one.get('key')) === 2, { what: 'the new value' })
    expect(source.loads).toBe(2)
  })

  test('shares a load that takes longer, and serves others meanwhile', async () => {
    const caches = await Promise.all(Array.from({ length: 3 }, () => scene.open(options)))
    await caches[0]?.getOrSet('key', () => 'old')
    await elapsed(150)
    let loads = 0
    const load = async () => {
      loads++
      await elapsed(300)
      return 'new'
    }
    const strict = caches.map((cache) => cache.getOrSet('key', load, { maxAge: '100ms' }))
    await elapsed(50)
    for (const cache of caches) expect(await cache.getOrSet('key', load)).toBe('old')
    expect(await Promise.all(strict)).toEqual(['new', 'new', 'new'])
    expect(loads).toBe(1)
  })
})

test('maxAge counts what another program has written as too old', async () => {
  const cache = await scene.open()
  await scene.redis.ask('SET', 'shop:key', '"plain"')
  expect(await cache.get('key')).toBe('plain')
  expect(await cache.get('key', { maxAge: '1h' })).toBeUndefined()
  expect(await cache.getOrSet('key', () => 'loaded', { maxAge: '1h' })).toBe('loaded')
  expect(await cache.get('key', { maxAge: '1h' })).toBe('loaded')
})
