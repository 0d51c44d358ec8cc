import { describe, expect, test } from 'vitest'
import { elapsed } from '../support/cache-states.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

/** A hook, and the promises that it was handed. */
function hook() {
  const works: Promise<void>[] = []
  return { works, background: (work: Promise<void>) => void works.push(work) }
}

describe('over Redis, a process that ends when the promises it was handed have resolved', () => {
  test.each([{}, false] as const)('has stored the newer value (local: %j)', async (local) => {
    const { background, works } = hook()
    const [cache, other] = [await scene.open({ local, background }), await scene.open()]
    const options = { ttl: '50ms', staleWhileRevalidate: '1m' } as const
    await cache.getOrSet('key', () => 'old', options)
    await elapsed(80)
    const load = async () => {
      await elapsed(50)
      return 'new'
    }
    expect(await cache.getOrSet('key', load, { ...options, ttl: '1m' })).toBe('old')
    expect(works).toHaveLength(1)
    expect(await other.get('key', { local: false })).toBeUndefined()
    await Promise.all(works)
    expect(await other.get('key', { local: false })).toBe('new')
    expect(await cache.getOrSet('key', () => 'newer')).toBe('new')
    expect(works).toHaveLength(1)
  })

  test('has given back the lease of a load that failed', async () => {
    const { background, works } = hook()
    const proxy = await scene.proxy()
    const [cache, other] = [await scene.open({ redis: proxy.url, background }), await scene.open()]
    const failing = cache.getOrSet('key', () => {
      // What is sent from now on does not arrive before the call has ended.
      proxy.holdRequests()
      throw new Error('away')
    })
    await expect(failing).rejects.toThrow('away')
    expect(works).toHaveLength(1)
    let isBack = false
    const returning = works[0]?.then(() => {
      isBack = true
    })
    const lease = String(await scene.redis.ask('GET', 'shop:key'))
    expect(isBack).toBe(false)
    proxy.release()
    await returning
    expect(String(await scene.redis.ask('GET', 'shop:key'))).not.toBe(lease)
    expect(await other.getOrSet('key', () => 'loaded')).toBe('loaded')
  })

  test('has verified a hit, and has reclaimed the memory of what was cleared', async () => {
    const { background, works } = hook()
    const cache = await scene.open({ background, verify: { sample: 1, grace: '10ms' } })
    const told: string[] = []
    cache.on('verify', ({ verdict }) => told.push(verdict))
    cache.on('invalidate', () => told.push('reclaimed'))
    await cache.getOrSet('key', () => 'old')
    await cache.getOrSet('key', () => 'new')
    await Promise.all(works.splice(0))
    expect(told).toEqual(['stale'])
    await cache.clear()
    expect(works).toHaveLength(1)
    await Promise.all(works)
    expect(told).toEqual(['stale', 'reclaimed'])
    expect(await scene.redis.ask('EXISTS', 'shop:key')).toBe(0)
  })
})
