import type { Cache, CreateCacheOptions, FillRefusal } from 'cachewright'
import type { Scene } from '../support/scene.ts'

type Options = (scene: Scene) => CreateCacheOptions

const nodesOf = ({ cluster }: Scene) => cluster.urls
export const MEMORY = 'memory'
/** The tiers that keys are reserved in. */
export const TIERS: readonly (readonly [name: string, options: Options])[] = [
  [MEMORY, () => ({ redis: false })],
  ['Redis in tracking mode', () => ({})],
  ['Redis without a local tier', () => ({ local: false })],
  ['Redis in bus mode', () => ({ coherence: { mode: 'bus' } })],
  ["Redis in mode 'ttl'", () => ({ coherence: { mode: 'ttl' } })],
  ['a cluster', (scene) => ({ redis: { cluster: { nodes: nodesOf(scene) } } })],
]

/** What touches a key, its tag or its namespace. */
export const TOUCHES: readonly (readonly [name: string, touch: (cache: Cache) => Promise<unknown>])[] = [
  ['a delete', (cache) => cache.delete('key')],
  ['a deleteMany', (cache) => cache.deleteMany(['other', 'key'])],
  ['a set', (cache) => cache.set('key', 'set')],
  ['a setMany', (cache) => cache.setMany({ key: 'set' })],
  ['an invalidation of its tag', (cache) => cache.invalidateTags(['tag'])],
  ['an invalidation by pattern', (cache) => cache.invalidatePattern('k*')],
  ['a clear', (cache) => cache.clear()],
  ['a plain set', (cache) => cache.plain.set('key', 'plain', '1m')],
  ['a counter', async (cache) => [await cache.delete('key'), await cache.counters.incr('key')]],
  ['a load', (cache) => cache.refresh('key', async () => 'loaded', { tags: ['tag'] })],
  [
    'the fill of another slot',
    async (cache) => (await cache.reserve('key', { tags: ['tag'] })).fill('another', { tags: ['tag'] }),
  ],
]

/** The reasons of the fills that this cache refuses from now on. */
export function refusals(cache: Cache): FillRefusal[] {
  const reasons: FillRefusal[] = []
  cache.on('fill-refused', ({ reason }) => reasons.push(reason))
  return reasons
}
