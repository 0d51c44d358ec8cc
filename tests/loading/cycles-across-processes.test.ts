import type { Cache } from 'cachewright'
import { expect, test } from 'vitest'
import { deferred } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene({
  caches: { prefix: 'shop:', ttl: '5m', lease: { ttl: '200ms', longestLoad: '300ms' } },
})

test('a cycle through two processes is found once the lease of one is no longer renewed', async () => {
  const [a, b] = [await scene.open(), await scene.open()]
  const [xBegan, yBegan] = [deferred(), deferred()]
  const x = (cache: Cache) => async (): Promise<number> => {
    xBegan.resolve()
    await yBegan.promise
    return cache.getOrSet('y', y(cache))
  }
  const y = (cache: Cache) => async (): Promise<number> => {
    yBegan.resolve()
    await xBegan.promise
    return cache.getOrSet('x', x(cache))
  }
  const answers = await Promise.allSettled([a.getOrSet('x', x(a)), b.getOrSet('y', y(b))])
  for (const answer of answers) expect(answer).toMatchObject({ reason: { code: 'CACHE_CYCLE' } })
})
