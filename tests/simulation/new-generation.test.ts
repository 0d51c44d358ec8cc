import { expect, it } from 'vitest'
import { SimulatedProcess } from './simulated-process.ts'
import { SimulatedRedis } from './simulated-redis.ts'
import { VirtualTime } from './virtual-time.ts'

// The shortest schedule that breaks P21, taken from what `coherence.test.ts` found. The reader asks for the generation
// of a tag that nobody has met, which has its key tracked; the capture then makes it, and the push of that comes back
// to who made it. It is taken for a renewal, so that who comes while the loader runs begins a load of his own.
it('P21: one loader runs for a key whose tag is new', async () => {
  const time = new VirtualTime()
  const redis = new SimulatedRedis(time, [], () => {})
  const { cache, tier } = new SimulatedProcess(1, redis, time, { ttl: '1h' })
  const settle = async () => {
    for (let round = 0; round < 20; round++) {
      if (tier.isConnecting) tier.handshake()
      const { link } = tier
      while (link !== undefined && link.requests.length > 0) redis.execute(link)
      tier.deliver(link?.inbound.length ?? 0)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  let loads = 0
  const load = () => {
    loads++
    return new Promise(() => {})
  }
  void cache.getOrSet('a', load, { tags: ['t'] })
  await settle()
  expect(loads).toBe(1)
  void cache.getOrSet('a', load, { tags: ['t'] })
  await settle()
  expect(loads).toBe(1)
})
