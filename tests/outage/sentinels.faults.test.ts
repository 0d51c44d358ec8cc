import type { CacheEvents } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, warmed } from '../support/cache-states.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'

const scene = useScene({ redis: false, sentinel: {}, caches: IMPATIENT, flush: false })

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
  test('a primary is left when the sentinels name another one, though it still takes itself for one', async () => {
    const { name, replica, sentinels, urls } = scene.sentinel
    const first = await scene.sentinel.current()
    const second = first === replica ? scene.sentinel.primary : replica
    const cache = await scene.open({ redis: { sentinel: { name, nodes: urls } } })
    await warmed(cache, 'key', () => 'old')
    // The sentinels cannot demote it, as in a network that is split.
    await first.ask('ACL', 'SETUSER', 'default', '-slaveof')
    scene.later(() => first.ask('ACL', 'SETUSER', 'default', '+@all'))
    await waitUntil(async () => (await sentinels[0]?.ask('SENTINEL', 'FAILOVER', name)) === 'OK', {
      what: 'a failover to begin',
    })
    await waitUntil(async () => (await second.ask('SET', 'p:key', '"new"')) === 'OK', {
      what: 'the new primary to be written to',
    })
    await waitUntil(async () => (await cache.get('key')) === 'new', { what: 'the new value' })
    expect(await first.ask('ROLE')).toContain('master')
    expect(await cache.set('other', 'written')).toBe(true)
    expect(await second.ask('EXISTS', 'p:other')).toBe(1)
    await first.ask('ACL', 'SETUSER', 'default', '+@all')
    await scene.sentinel.settled()
  }, 60_000)

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
