import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { elapsed, warmed } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene()
const POLICIES = { ttl: '50ms', staleIfError: '10m' } as const
const NOT_FOUND: Error = Object.assign(new Error('not found'), { status: 404 })
const DOWN = new Error('down')

describe.each(['tracking', 'bus'] as const)('an answer of the source, in mode %s', (mode) => {
  test('drops the value in Redis and in all processes', async () => {
    const coherence = { mode }
    const mine = await scene.open({ ...POLICIES, coherence })
    const other = await scene.open({ ...POLICIES, coherence })
    await waitUntil(() => mine.coherence === mode && other.coherence === mode, { what: mode })
    const source = new Source('old')
    await mine.getOrSet('key', source.load)
    await other.getOrSet('key', source.load)
    await elapsed(80)
    source.error = DOWN
    expect(await other.getOrSet('key', source.load)).toBe('old')
    source.error = NOT_FOUND
    await expect(mine.getOrSet('key', source.load)).rejects.toBe(NOT_FOUND)
    source.error = DOWN
    await expect(other.getOrSet('key', source.load)).rejects.toBe(DOWN)
    await expect(mine.getOrSet('key', source.load)).rejects.toBe(DOWN)
    expect(await scene.redis.ask('STRLEN', 'shop:key')).toBeLessThanOrEqual(42)
  })

  test('does not drop what another process has stored meanwhile', async () => {
    const coherence = { mode }
    const mine = await scene.open({ ...POLICIES, coherence })
    const other = await scene.open({ coherence })
    await mine.getOrSet('key', () => 'old')
    await elapsed(80)
    const failing = mine.getOrSet('key', async () => {
      expect(await other.set('key', 'newer', '1h')).toBe(true)
      throw NOT_FOUND
    })
    await expect(failing).rejects.toBe(NOT_FOUND)
    expect(await other.get('key', { local: false })).toBe('newer')
    expect(await mine.get('key', { local: false })).toBe('newer')
  })

  test('by a refresh in the background', async () => {
    const cache = await scene.open({ ttl: '50ms', staleWhileRevalidate: '10m', coherence: { mode } })
    await cache.getOrSet('key', () => 'old')
    await elapsed(80)
    expect(await cache.getOrSet('key', () => Promise.reject(NOT_FOUND))).toBe('old')
    await cache.idle()
    expect(await cache.getOrSet('key', () => 'new')).toBe('new')
  })
})

test('an answer while Redis is away: this process no longer serves its copy, also in the next outage of the source', async () => {
  const server = await scene.server()
  const cache = scene.cache({ ...IMPATIENT, redis: server.url, staleIfError: '10m' })
  const source = new Source('old')
  for (const key of ['answered', 'none', 'kept']) {
    await cache.getOrSet(key, source.load)
    await warmed(cache, key)
  }
  await server.kill()
  await waitUntil(() => cache.peek('kept') === undefined, { what: 'the loss to be noticed' })
  source.error = DOWN
  for (const key of ['answered', 'none', 'kept']) expect(await cache.getOrSet(key, source.load)).toBe('old')
  source.error = NOT_FOUND
  await expect(cache.getOrSet('answered', source.load)).rejects.toBe(NOT_FOUND)
  expect(await cache.getOrSet('none', () => undefined)).toBeUndefined()
  source.error = DOWN
  await expect(cache.getOrSet('answered', source.load)).rejects.toBe(DOWN)
  await expect(cache.getOrSet('none', source.load)).rejects.toBe(DOWN)
  expect(await cache.getOrSet('kept', source.load)).toBe('old')
})
