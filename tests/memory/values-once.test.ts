import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Cache, createCache } from 'cachewright'
import { ManualClock } from 'cachewright/testing'
import { describe, expect, onTestFinished, test } from 'vitest'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** The second collection frees what the first one has only found to be unreachable. */
function bufferBytes(): number {
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}

function open(options: Parameters<typeof createCache>[0] = {}): { cache: Cache; clock: ManualClock } {
  const clock = new ManualClock()
  const cache = createCache({ clock, ttl: '1m', prefix: 'p:', ...options })
  onTestFinished(async () => {
    const closing = cache.shutdown()
    await clock.advance('1h')
    await closing
  })
  return { cache, clock }
}

describe('a cache in memory alone keeps a value once', () => {
  test('decoded values have no encoded copies', async () => {
    const { cache } = open()
    const before = bufferBytes()
    const text = 'x'.repeat(20_000)
    for (let id = 0; id < 1_000; id++) await cache.getOrSet(`key:${id}`, () => ({ id, text: text + id }))
    // Encoded, they would take 20 MB.
    expect(bufferBytes() - before).toBeLessThan(2_000_000)
    expect(await cache.get('key:7')).toEqual({ id: 7, text: `${text}7` })
  })

  test('an expired value is served stale during a reload and after a failed load', async () => {
    const { cache, clock } = open({ staleWhileRevalidate: '10s', staleIfError: '1h' })
    await cache.getOrSet('key', () => ({ name: 'old' }), { tags: ['t'] })
    await clock.advance('61s')
    const failing = () => Promise.reject(new Error('the source is away'))
    expect(await cache.getOrSet('key', failing)).toEqual({ name: 'old' })
    await cache.idle()
    await clock.advance('30s')
    expect(await cache.getOrSet('key', failing)).toEqual({ name: 'old' })
    expect(await cache.getOrSet('key', ({ stale }) => ({ name: 'new', was: typeof stale }))).toHaveProperty(
      'name',
      'new',
    )
  })

  test('get, tags, removals and explain() work on decoded values', async () => {
    const { cache } = open()
    await cache.getOrSet('key', () => ({ when: [1, 2] }), { tags: ['t'] })
    expect(await cache.plain.get('key')).toEqual({ when: [1, 2] })
    expect(await cache.get('key', { local: false })).toEqual({ when: [1, 2] })
    expect((await cache.explain('key')).shared).toMatchObject({ state: 'entry', isUsable: true })
    await cache.invalidateTags(['t'])
    expect(await cache.plain.get('key')).toBeUndefined()
    expect(await cache.get('key')).toBeUndefined()
    await cache.getOrSet('key', () => 'new')
    expect(await cache.delete('key')).toBe(true)
    expect(await cache.get('key')).toBeUndefined()
  })

  test('a value that the local tier has evicted is a miss', async () => {
    const { cache } = open({ local: { maxEntries: 2 } })
    let loads = 0
    const ask = (key: string) => cache.getOrSet(key, () => ++loads)
    for (const key of ['a', 'b', 'c', 'd']) await ask(key)
    expect(await ask('a')).toBe(5)
  })

  test('a written value stays encoded until it is read', async () => {
    const { cache } = open()
    await cache.set('key', { name: 'Ada' })
    expect(cache.peek('key')).toBeUndefined()
    expect(await cache.get('key')).toEqual({ name: 'Ada' })
    expect(cache.peek('key')).toEqual({ name: 'Ada' })
    expect(await cache.get('key', { local: false })).toEqual({ name: 'Ada' })
  })
})
