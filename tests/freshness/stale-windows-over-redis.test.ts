import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { elapsed, warmed } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

// These tests wait for real time, so they run concurrently, each with its own prefix.
const scene = useScene({ caches: IMPATIENT, flush: false, closeAfter: 'all' })

const OPTIONS = { ttl: '900ms', staleWhileRevalidate: '1500ms', staleIfError: '2700ms' } as const

for (const local of [{}, false] as const) {
  const where = local === false ? 'from Redis' : 'from the local tier'
  describe.concurrent(`P25 a stale entry is served only inside its window, ${where}`, () => {
    test('an entry is served fresh, then stale with one background load, then reloaded', async () => {
      const cache = scene.cache({ prefix: `timeline-${where}:`, local })
      const source = new Source(1)
      const stale: string[] = []
      cache.on('stale', ({ reason }) => stale.push(reason))
      const ask = () => cache.getOrSet('key', source.load, OPTIONS)
      expect(await ask()).toBe(1)
      const loadedAtMs = performance.now()
      source.value = 2
      expect(await ask()).toBe(1)
      expect(source.loads).toBe(1)
      expect(stale).toEqual([])
      await elapsed(loadedAtMs + 1_050 - performance.now())
      expect(await cache.get('key')).toBeUndefined()
      const answers = await Promise.all([ask(), ask(), ask()])
      expect(answers).toEqual([1, 1, 1])
      expect(stale.length).toBeGreaterThan(0)
      await waitUntil(async () => (await cache.get('key')) === 2, { what: 'the load in the background' })
      expect(source.loads).toBe(2)
      source.value = 3
      await elapsed(3_750)
      expect(await ask()).toBe(3)
      expect(source.loads).toBe(3)
    })

    test('when the loader fails, the stale value is served in the error window and the error after it', async () => {
      const cache = scene.cache({ prefix: `error-${where}:`, local })
      const source = new Source(1)
      const options = { ...OPTIONS, staleWhileRevalidate: false } as const
      const ask = () => cache.getOrSet('key', source.load, options)
      await ask()
      const loadedAtMs = performance.now()
      source.error = new Error('source away')
      expect(await ask()).toBe(1)
      expect(source.loads).toBe(1)
      await elapsed(loadedAtMs + 1_200 - performance.now())
      expect(await ask()).toBe(1)
      expect(source.loads).toBe(2)
      source.error = undefined
      source.value = 2
      expect(await ask()).toBe(2)
      const againAtMs = performance.now()
      source.error = new Error('source away')
      await elapsed(againAtMs + 3_750 - performance.now())
      await expect(ask()).rejects.toThrow('source away')
    })

    test('without a stale window no stale entry is served', async () => {
      const cache = scene.cache({ prefix: `none-${where}:`, local })
      const source = new Source(1)
      const ask = () => cache.getOrSet('key', source.load, { ttl: '200ms' })
      await ask()
      await elapsed(250)
      source.error = new Error('source away')
      await expect(ask()).rejects.toThrow('source away')
      source.error = undefined
      source.value = 2
      expect(await ask()).toBe(2)
    })

    test('an invalidated entry is not served stale', async () => {
      const cache = scene.cache({ prefix: `gone-${where}:`, local })
      const other = scene.cache({ prefix: `gone-${where}:` })
      const source = new Source(1)
      const options = { ...OPTIONS, ttl: '100ms', staleWhileRevalidate: '1m', tags: ['t'] } as const
      const ask = () => cache.getOrSet('key', source.load, { ...options, staleIfError: '1m' })
      for (const invalidate of [
        () => other.delete('key'),
        () => other.invalidateTags(['t']),
        () => other.clear(),
        () => cache.invalidateTags(['t']),
        () => other.invalidatePattern('*'),
      ]) {
        source.error = undefined
        await ask()
        await elapsed(120)
        source.error = new Error('source away')
        await invalidate()
        // The push may still be under way; it is at most one round trip behind.
        await cache.get('any', { local: false })
        await expect(ask()).rejects.toThrow('source away')
      }
    })
  })
}

test('P25 a local entry from before an outage is served if the loader fails, inside its window only', async () => {
  const server = await scene.server()
  const cache = scene.cache({ redis: server.url })
  const source = new Source('kept')
  const ask = () => cache.getOrSet('key', source.load, { ttl: '1s', staleIfError: '1s' })
  await warmed(cache, 'without', () => 'a window')
  await ask()
  const loadedAtMs = performance.now()
  expect(cache.peek('key')).toBe('kept')
  await server.kill()
  await waitUntil(() => cache.peek('key') === undefined, { what: 'the loss to be noticed' })
  source.error = new Error('source away')
  expect(await ask()).toBe('kept')
  await expect(cache.getOrSet('without', source.load)).rejects.toThrow('source away')
  await elapsed(loadedAtMs + 2_100 - performance.now())
  await expect(ask()).rejects.toThrow('source away')
})

test('P25 an entry that this process invalidates in an outage is not served, even if the loader fails', async () => {
  const server = await scene.server()
  const cache = scene.cache({ redis: server.url, staleIfError: '1m' })
  const source = new Source('kept')
  const options = { tags: ['t'] }
  for (const key of ['deleted', 'tagged', 'kept']) {
    await cache.getOrSet(key, source.load, key === 'tagged' ? options : {})
    await warmed(cache, key)
  }
  await server.kill()
  await waitUntil(() => cache.peek('kept') === undefined, { what: 'the loss to be noticed' })
  source.error = new Error('source away')
  expect(await cache.delete('deleted')).toBe(false)
  expect(await cache.invalidateTags(['t'])).toBe(false)
  expect(await cache.getOrSet('kept', source.load)).toBe('kept')
  await expect(cache.getOrSet('deleted', source.load)).rejects.toThrow('source away')
  await expect(cache.getOrSet('tagged', source.load, options)).rejects.toThrow('source away')
  expect(await cache.clear()).toBe(false)
  await expect(cache.getOrSet('kept', source.load)).rejects.toThrow('source away')
})
