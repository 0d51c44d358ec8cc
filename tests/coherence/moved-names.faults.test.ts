import type { CreateCacheOptions } from 'cachewright'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { describe, expect, test } from 'vitest'
import { startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { warmed } from '../support/cache-states.ts'
import { useScene } from '../support/scene.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'

const scene = useScene({ caches: { prefix: 'p:', ttl: '5m', coherence: { trust: '600ms' } }, redis: false })

const CLIENTS: readonly (readonly [name: string, options: (proxy: TcpProxy) => CreateCacheOptions])[] = [
  ['its own client', ({ url }) => ({ redis: url })],
  ["a caller's ioredis 5", ({ url }) => lent(new Redis5(url))],
  ["a caller's ioredis 6", ({ url }) => lent(new Redis(url))],
]

function lent(client: Redis | Redis5): CreateCacheOptions {
  ;(client as Redis).on('error', () => {})
  scene.later(() => client.disconnect())
  return { client }
}

describe.each(CLIENTS)('a name that moves to the new primary, with %s', (_name, options) => {
  test('is followed, although the old primary still answers, as a replica', async () => {
    const [old, next] = await Promise.all([startStandalone(), startStandalone()])
    scene.later(() => Promise.all([old.stop(), next.stop()]))
    const name = await scene.proxy({ port: old.port })
    const cache = scene.cache(options(name))
    await cache.initialize()
    await warmed(cache, 'key')
    // What was made before keeps its connections: only new ones lead to the new primary.
    name.leadTo(next.port)
    await old.ask('REPLICAOF', '127.0.0.1', next.port)
    await waitUntil(() => cache.set('key', 'changed'), { what: 'a write that is acknowledged' })
    expect(Number(await next.ask('EXISTS', 'p:key'))).toBe(1)
  })
})
