import type { CreateCacheOptions, Duration } from 'cachewright'
import type { Scene } from './scene.ts'

/**
 * Every way to hear of a change, for `test.each`: tracking, the bus and a `ttl` on one server, and tracking on a cluster.
 * The scene has a cluster.
 * @param localTtl how long copies are served in the mode `ttl`
 */
export function coherencePlaces(
  { cluster, redis }: Scene,
  localTtl: Duration,
): (readonly [name: string, options: () => CreateCacheOptions])[] {
  return [
    ['tracking', () => ({ redis: redis.url })],
    ['bus', () => ({ redis: redis.url, coherence: { mode: 'bus' } })],
    ['ttl', () => ({ redis: redis.url, coherence: { mode: 'ttl' }, local: { ttl: localTtl } })],
    ['tracking on a cluster', () => ({ redis: { cluster: { nodes: cluster.urls } } })],
  ]
}
