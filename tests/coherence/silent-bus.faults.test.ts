import { setTimeout as pause } from 'node:timers/promises'
import type { Cache } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { BusStandIn } from '../support/bus-stand-in.ts'
import { inMode } from '../support/cache-states.ts'
import { clientKinds } from '../support/client-kinds.ts'
import { useScene } from '../support/scene.ts'

const TRUST_MS = 500
/** Far below the ten seconds after which `ioredis` gives up an attempt to connect, if nobody tells it otherwise. */
const SERVED_WITHIN_MS = 6_000

const scene = useScene({
  caches: {
    prefix: 'p:',
    ttl: '5m',
    commandTimeout: '250ms',
    connectTimeout: '1s',
    coherence: { mode: 'bus', trust: TRUST_MS / 1_000 },
  },
})

/** Resolves when the local tier serves a value that was just loaded. */
async function servesLocally(cache: Cache): Promise<void> {
  await waitUntil(
    async () => {
      await cache.getOrSet('key', () => 'value')
      return cache.coherence === 'bus' && cache.peek('key') === 'value'
    },
    { what: 'a local hit over the bus', timeoutMs: SERVED_WITHIN_MS },
  )
}

describe.each(clientKinds(scene))(
  'P31 a bus that has fallen silent is replaced, with %s',
  (_name, options) => {
    test('when connections fall silent, and new ones work', async () => {
      const proxy = await scene.proxy()
      const cache = scene.cache(options(proxy))
      await inMode(cache, 'bus')
      await servesLocally(cache)
      proxy.goSilent()
      proxy.healForNewConnections()
      await waitUntil(() => cache.peek('key') === undefined, { what: 'the end of the trust' })
      await servesLocally(cache)
    })

    test('when new connections are silent too, also while one is being made', async () => {
      const proxy = await scene.proxy()
      const cache = scene.cache(options(proxy))
      await inMode(cache, 'bus')
      proxy.goSilent()
      const dials = proxy.dials
      await waitUntil(() => proxy.dials >= dials + 3, { what: 'attempts in the silence' })
      proxy.healForNewConnections()
      await servesLocally(cache)
    })
  },
)

describe.each(clientKinds(scene))('P32 while a subscription is silent, with %s', (_name, options) => {
  test('no value of an invalidated tag is served once the trust is over', async () => {
    const proxy = await scene.proxy()
    const coherence = { mode: 'bus', trust: '1s' } as const
    const cache = scene.cache({ ...options(proxy), coherence })
    const other = scene.cache({ coherence })
    await Promise.all([inMode(cache, 'bus'), inMode(other, 'bus')])
    await servesLocally(cache)
    const reasons: string[] = []
    cache.on('epoch', ({ reason }) => reasons.push(reason))
    proxy.silenceSubscriptions()
    await cache.getOrSet('tagged', () => 'old', { tags: ['tag'] })
    expect(await other.invalidateTags(['tag'])).toBe(true)
    await waitUntil(() => cache.coherence === 'none', { what: 'the end of the trust' })
    expect(await cache.get('tagged')).toBeUndefined()
    expect((await cache.getMany(['tagged', 'other'])).get('tagged')).toBeUndefined()
    expect(reasons).toEqual([])
    await waitUntil(() => reasons.length > 0, { what: 'another subscription' })
  })
})

describe('P31 a subscription on which own heartbeats stay away', () => {
  test('is given up after twice the trust, and made again', async () => {
    const standIn = await new BusStandIn().join()
    standIn.pass(30)
    expect(standIn.abandoned).toBe(0)
    standIn.isSilent = true
    standIn.pass(6)
    expect(standIn.abandoned).toBe(0)
    standIn.pass(2)
    expect([standIn.abandoned, standIn.lost, standIn.bus.isJoined]).toEqual([1, 1, false])
    await waitUntil(() => standIn.joined === 2, { what: 'another subscription' })
  })

  test('is not made again at once if none has ever arrived, since the user may not publish', async () => {
    const standIn = new BusStandIn()
    standIn.isSilent = true
    await standIn.join()
    standIn.pass(8)
    expect([standIn.abandoned, standIn.lost, standIn.bus.isJoined]).toEqual([1, 1, false])
    await pause(400)
    expect(standIn.joined).toBe(1)
  })
})
