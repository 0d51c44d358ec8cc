import assert from 'node:assert/strict'
import { type Cache, type CacheBackend, createCache } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { describe, it } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene({ cluster: { replicasPerMaster: 0 } })
const common = { prefix: 'lent:', commandTimeout: '10s' } as const
const nodes = () => scene.cluster.urls

for (const [kind, make] of [
  ['one server', () => new RedisCacheBackend({ ...common, url: scene.redis.url })],
  ['a cluster', () => new RedisCacheBackend({ ...common, cluster: { nodes: nodes() } })],
] as const) {
  describe(`a backend of ${kind} in use`, () => {
    it('is lent without a disturbance, given back, and lent again', async () => {
      await using backend = make()
      await using other = make()
      let losses = 0
      backend.on('disconnect', () => losses++)
      await backend.initialize()
      for (let time = 1; time <= 2; time++) {
        const counting = count(backend)
        const cache = createCache({ backend, coherence: { afterRestart: 'invalidate' } })
        assert.throws(() => createCache({ backend }), { code: 'CACHE_INVALID_OPTIONS' })
        const counts = await Promise.all([...counting, ...count(backend)])
        assert.equal(Math.max(...counts), time * 100)
        await cache.initialize()
        await keeps(cache, 'key')
        assert.equal(await other.set('key', 'elsewhere'), true)
        await waitUntil(() => cache.peek('key') === undefined, { what: 'the push' })
        await cache.shutdown()
        assert.equal(await backend.get('key'), 'elsewhere')
      }
      assert.equal(losses, 0)
    })
  })
}

it('a connection that was lent is tracked no more when it is given back', async () => {
  await using backend = new RedisCacheBackend({ ...common, url: scene.redis.url })
  await backend.initialize()
  const cache = createCache({ backend })
  await keeps(cache, 'key')
  assert.equal(await trackedConnections(), 1)
  await cache.shutdown()
  await backend.get('key')
  assert.equal(await trackedConnections(), 0)
})

/** Fifty increments that are on their way. */
function count(backend: CacheBackend): readonly Promise<number>[] {
  return Array.from({ length: 50 }, () => backend.incr('count'))
}

/** Resolves when the cache keeps a copy, for which its connection must be tracked. */
async function keeps(cache: Cache, key: string): Promise<void> {
  await waitUntil(
    async () => {
      await cache.getOrSet(key, () => 'loaded')
      return cache.coherence === 'tracking' && cache.peek(key) !== undefined
    },
    { what: 'a connection that is tracked' },
  )
}

async function trackedConnections(): Promise<number> {
  const list = String(await scene.redis.ask('CLIENT', 'LIST'))
  return list.split('\n').filter((line) => / flags=\S*t/.test(line)).length
}
