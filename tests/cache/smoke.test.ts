import assert from 'node:assert/strict'
import { createCache } from 'cachewright'
import { it } from 'vitest'
import { startStandalone } from '../../testbed/redis-standalone.ts'

it('smoke', async () => {
  const redis = await startStandalone()
  const cache = createCache({ redis: redis.url, prefix: 'shop:' })
  const other = createCache({ redis: redis.url, prefix: 'shop:' })
  for (const c of [cache, other])
    c.on('error', (e) => console.log('ERR', e.error.message, e.error.stack, e.operation))
  for (const c of [cache])
    for (const ev of ['load', 'hit', 'lease-lost', 'epoch', 'stale'] as const)
      c.on(ev, (e) => console.log(ev, JSON.stringify(e)))
  let loads = 0
  const load = async () => ({ n: ++loads })
  console.log(await cache.getOrSet('a', load, { ttl: '5m', tags: ['t'] }))
  console.log(await cache.getOrSet('a', load, { ttl: '5m', tags: ['t'] }))
  console.log(await other.getOrSet('a', load, { ttl: '5m', tags: ['t'] }), cache.peek('a'), other.peek('a'))
  await cache.delete('a')
  console.log(await other.getOrSet('a', load, { ttl: '5m', tags: ['t'] }))
  await other.invalidateTags(['t'])
  console.log(await cache.getOrSet('a', load, { ttl: '5m', tags: ['t'] }), cache.coherence)
  console.log(
    await cache.set('b', 5, '1m'),
    await cache.get('b'),
    await other.get('b'),
    await cache.getTtl('b'),
    await cache.has('b'),
  )
  console.log(await cache.clear(), await cache.get('b'))
  console.log(
    await Promise.all(
      Array.from({ length: 5 }, () =>
        cache.getOrSet('c', async () => {
          await new Promise((r) => setTimeout(r, 20))
          return ++loads
        }),
      ),
    ),
  )
  const ns = cache.namespace('x')
  console.log(
    await ns.set('k', 1),
    await ns.get('k'),
    await cache.get('x:k'),
    await ns.clear(),
    await ns.get('k'),
    await cache.get('c'),
  )
  await ns.backend.incr('n')
  console.log(await cache.backend.get('x:n'))
  assert.ok(true)
  await cache.shutdown()
  await other.shutdown()
  await redis.stop()
})
