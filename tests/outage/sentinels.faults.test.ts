import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { CacheEvents, CreateCacheOptions } from 'cachewright'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { describe, expect, test, vi } from 'vitest'
import type { RedisProcess } from '../../testbed/redis-process.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, warmed } from '../support/cache-states.ts'
import { lent } from '../support/client-kinds.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'

const scene = useScene({ redis: false, sentinel: {}, caches: IMPATIENT, flush: false })

/** By which client a cache reaches the primary. */
const CLIENTS: readonly (readonly [name: string, options: () => CreateCacheOptions])[] = [
  [
    'its own client',
    () => ({ redis: { sentinel: { name: scene.sentinel.name, nodes: scene.sentinel.urls } } }),
  ],
  ["a caller's ioredis 5", () => ({ redis: undefined, ...lent(scene, new Redis5(sentinelOptions())) })],
  ["a caller's ioredis 6", () => ({ redis: undefined, ...lent(scene, new Redis(sentinelOptions())) })],
]

function sentinelOptions() {
  const { name, sentinels } = scene.sentinel
  return { name, sentinels: sentinels.map(({ host, port }) => ({ host, port })) }
}

/** A cache that reaches every sentinel through a proxy of its own. */
async function cacheBehindProxies(trust: '1s') {
  const { name, sentinels } = scene.sentinel
  const proxies = await Promise.all(sentinels.map(({ port }) => scene.proxy({ port })))
  const cache = await scene.open({
    redis: { sentinel: { name, nodes: proxies.map(({ url }) => url) } },
    coherence: { trust },
  })
  const losses: CacheEvents['disconnect'][] = []
  cache.on('disconnect', (loss) => losses.push(loss))
  await warmed(cache, 'proxied', () => 'kept')
  return { cache, losses, proxies: proxies as [TcpProxy, TcpProxy, TcpProxy] }
}

describe('behind Sentinel', () => {
  test.each(CLIENTS)(
    'a primary is left when the sentinels name another one, though it still takes itself for one: %s',
    async (_client, options) => {
      const { name, replica, sentinels } = scene.sentinel
      const first = await scene.sentinel.current()
      const second = first === replica ? scene.sentinel.primary : replica
      const cache = await scene.open(options())
      // Another key each time: a delete of the last one would be repeated at the new primary.
      const key = randomUUID()
      await warmed(cache, key, () => 'old')
      // The sentinels cannot demote it, as in a network that is split.
      await first.ask('ACL', 'SETUSER', 'default', '-slaveof')
      scene.later(() => first.ask('ACL', 'SETUSER', 'default', '+@all'))
      await waitUntil(async () => (await sentinels[0]?.ask('SENTINEL', 'FAILOVER', name)) === 'OK', {
        what: 'a failover to begin',
      })
      await waitUntil(async () => (await second.ask('SET', `p:${key}`, '"new"')) === 'OK', {
        what: 'the new primary to be written to',
      })
      await waitUntil(async () => (await cache.get(key)) === 'new', { what: 'the new value' })
      expect(await first.ask('ROLE')).toContain('master')
      expect(await cache.set(`${key}:other`, 'written')).toBe(true)
      expect(await second.ask('EXISTS', `p:${key}:other`)).toBe(1)
      await first.ask('ACL', 'SETUSER', 'default', '+@all')
      await scene.sentinel.settled()
    },
    60_000,
  )

  test.each([
    ['ioredis 5', () => new Redis5(sentinelOptions())],
    ['ioredis 6', () => new Redis(sentinelOptions())],
  ])("over a caller's %s, a sentinel that is gone is not printed", async (_client, open) => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
    const [gone] = scene.sentinel.sentinels as [RedisProcess]
    await gone.kill()
    const cache = await scene.open({ redis: undefined, ...lent(scene, open()) })
    await warmed(cache, randomUUID())
    // Long enough for the sentinel to be dialled again.
    await pause(1_000)
    await gone.restart()
    await scene.sentinel.settled()
    expect(printed.mock.calls).toEqual([])
    printed.mockRestore()
  })

  test('one sentinel of three may be silent', async () => {
    const { cache, losses, proxies } = await cacheBehindProxies('1s')
    const [silent, ...others] = proxies
    silent.goSilent()
    for (const proxy of others) {
      proxy.trips = 0
      await waitUntil(() => proxy.trips > 10, { what: 'more questions than fit into the trust' })
    }
    expect(cache.peek('proxied')).toBe('kept')
    expect(losses).toEqual([])
  })

  test('who reaches one sentinel of three is served nothing older than the trust, until more of them answer', async () => {
    const { cache, losses, proxies } = await cacheBehindProxies('1s')
    const [first, second, reached] = proxies
    for (const proxy of [first, second]) proxy.goSilent()
    await dropped(cache, 'proxied')
    await waitUntil(() => losses.length > 0, { what: 'the primary to be left' })
    expect(losses[0]?.reason).toContain('sentinels')
    reached.trips = 0
    await waitUntil(() => reached.trips > 3, { what: 'the sentinel to be asked for the primary again' })
    expect(await cache.get('proxied', { local: false })).toBeUndefined()
    expect(await cache.set('proxied', 'unheard')).toBe(false)
    for (const proxy of [first, second]) proxy.healForNewConnections()
    await waitUntil(() => cache.set('proxied', 'written'), { what: 'the primary to be found' })
  })
})
