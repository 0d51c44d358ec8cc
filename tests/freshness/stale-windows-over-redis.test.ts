import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { elapsed, warmed } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

// These wait for time to pass, so they run side by side, each under a prefix of its own.
const scene = useScene({ caches: IMPATIENT, flush: false, closeAfter: 'all' })

const OPTIONS = { ttl: '300ms', staleWhileRevalidate: '500ms', staleIfError: '900ms' } as const

for (const local of [{}, false] as const) {
  const where = local === false ? 'from Redis' : 'from the local tier'
  describe.concurrent(`P25 stale is served only inside its window, ${where}`, () => {
    test('fresh, then at once with one load behind it, then not at all', async () => {
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
      await elapsed(loadedAtMs + 350 - performance.now())
      expect(await cache.get('key')).toBeUndefined()
      const answers = await Promise.all([ask(), ask(), ask()])
      expect(answers).toEqual([1, 1, 1])
      expect(stale.length).toBeGreaterThan(0)
      await waitUntil(async () => (await cache.get('key')) === 2, { what: 'the load in the background' })
      expect(source.loads).toBe(2)
      source.value = 3
      await elapsed(1_250)
      expect(await ask()).toBe(3)
      expect(source.loads).toBe(3)
    })

    test('a loader that fails: stale in the error window, and after it the error', async () => {
      const cache = scene.cache({ prefix: `error-${where}:`, local })
      const source = new Source(1)
      const options = { ...OPTIONS, staleWhileRevalidate: 0 } as const
      const ask = () => cache.getOrSet('key', source.load, options)
      await ask()
      const loadedAtMs = performance.now()
      source.error = new Error('source away')
      expect(await ask()).toBe(1)
      expect(source.loads).toBe(1)
      await elapsed(loadedAtMs + 400 - performance.now())
      expect(await ask()).toBe(1)
      expect(source.loads).toBe(2)
      source.error = undefined
      source.value = 2
      expect(await ask()).toBe(2)
      const againAtMs = performance.now()
      source.error = new Error('source away')
      await elapsed(againAtMs + 1_250 - performance.now())
      await expect(ask()).rejects.toThrow('source away')
    })

    test('without a window nothing stale is served', async () => {
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

    test('what was invalidated is not served as stale', async () => {
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
        // Its push may be on its way still; it is one round trip off at most.
        await cache.get('any', { local: false })
        await expect(ask()).rejects.toThrow('source away')
      }
    })
  })
}

test('P25 a local copy of before an outage is served where the loader fails, inside its window only', async () => {
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

test('P25 what this process invalidated in an outage is not served, though the loader fails', async () => {
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
