import { expect, test } from 'vitest'
import { elapsed } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

test('that there is no value is remembered by the whole fleet, on both tiers, until it is invalidated', async () => {
  const [mine, other] = [await scene.open({ absentTtl: '1m' }), await scene.open({ absentTtl: '1m' })]
  const source = new Source<string | undefined>(undefined)
  const ask = (cache: typeof mine) => cache.getOrSet('key', source.load, { tags: ['t'] })
  for (const cache of [mine, other, mine, other]) expect(await ask(cache)).toBeUndefined()
  expect(source.loads).toBe(1)
  expect(other.stats().total).toMatchObject({ localHits: 1, sharedHits: 1 })
  expect(await other.plain.get('key')).toBeUndefined()
  source.value = 'there'
  await other.invalidateTags(['t'])
  expect(await ask(other)).toBe('there')
  expect(await mine.get('key', { local: false })).toBe('there')
})

test('a value that is gone from its source gives way to that knowledge, unless a newer one was stored', async () => {
  const [mine, other] = [await scene.open({ absentTtl: '1m' }), await scene.open()]
  await mine.getOrSet('key', () => 'old', { ttl: '50ms' })
  await elapsed(80)
  const load = async () => {
    await other.set('key', 'newer')
    return undefined
  }
  expect(await mine.getOrSet('key', load)).toBeUndefined()
  expect(await mine.get('key', { local: false })).toBe('newer')
  expect(await mine.refresh('key', () => undefined)).toBeUndefined()
  expect(await other.getOrSet('key', () => 'loaded')).toBeUndefined()
})
