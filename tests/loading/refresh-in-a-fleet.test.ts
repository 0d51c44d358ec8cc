import type { LoadContext } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, elapsed } from '../support/cache-states.ts'
import { commandCalls } from '../support/command-calls.ts'
import { heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()

const open = async (count: number, options = {}) =>
  Promise.all(Array.from({ length: count }, () => scene.open(options)))

describe('early refresh in a fleet', () => {
  test('one process loads if every hit is due', async () => {
    const caches = await open(4, { ttl: '1h', earlyRefresh: { beta: 1e12 } })
    const [first] = caches
    // Its cost is what XFetch weighs.
    await first?.getOrSet('key', async () => {
      await elapsed(20)
      return 'old'
    })
    const held = heldLoader('new')
    let loads = 0
    const load = () => {
      loads++
      return held.load()
    }
    const ask = () => Promise.all(caches.map((cache) => cache.getOrSet('key', load)))
    expect(await ask()).toEqual(['old', 'old', 'old', 'old'])
    await held.begun
    // All know of the lease by now, or are told that it is held.
    for (let round = 0; round < 20; round++) expect(await ask()).toEqual(['old', 'old', 'old', 'old'])
    expect(loads).toBe(1)
    held.release()
    await waitUntil(async () => (await ask()).every((value) => value === 'new'), { what: 'the new value' })
  })

  test('a hit that sees the lease of another process does not try to acquire it', async () => {
    const [mine, other] = await open(2, { ttl: '1h', earlyRefresh: { beta: 1e12 } })
    await other?.getOrSet('key', async () => {
      await elapsed(20)
      return 'old'
    })
    const held = heldLoader('new')
    await other?.getOrSet('key', held.load)
    await held.begun
    await mine?.get('key')
    await waitUntil(async () => (await mine?.get('key')) === 'old' && mine?.peek('key') === 'old', {
      what: 'a copy that shows the lease',
    })
    const before = (await commandCalls(scene.redis)).get('evalsha') ?? 0
    for (let hit = 0; hit < 100; hit++) await mine?.getOrSet('key', () => 'mine')
    await mine?.idle()
    const after = (await commandCalls(scene.redis)).get('evalsha') ?? 0
    // The other process renews its lease meanwhile.
    expect(after - before).toBeLessThanOrEqual(2)
    held.release()
  })
})

describe('a process that reloads a key serves its own callers the old value', () => {
  for (const local of [{}, false] as const) {
    const where = local === false ? 'without a local tier' : 'with a local tier'

    test(`during stale-while-revalidate, ${where}`, async () => {
      const [cache] = await open(1, { ttl: '50ms', staleWhileRevalidate: '1m', local })
      await cache?.getOrSet('key', () => 'old')
      await elapsed(80)
      const held = heldLoader('new')
      const stale: string[] = []
      cache?.on('stale', ({ reason }) => stale.push(reason))
      expect(await cache?.getOrSet('key', held.load)).toBe('old')
      await held.begun
      for (let call = 0; call < 50; call++) expect(await cache?.getOrSet('key', held.load)).toBe('old')
      expect(stale).toEqual(new Array(51).fill('revalidate'))
      held.release()
      await cache?.idle()
      expect(await cache?.getOrSet('key', () => 'late', { ttl: '1h' })).toMatch(/new|old/)
    })

    test(`during refresh(), until another process deletes the key, ${where}`, async () => {
      const [mine, other] = await open(2, { lease: { ttl: '1m' }, local })
      await mine?.getOrSet('key', () => 'old')
      const held = heldLoader('refreshed')
      const refreshed = mine?.refresh('key', held.load)
      await held.begun
      for (let call = 0; call < 50; call++) expect(await mine?.getOrSet('key', () => 'wrong')).toBe('old')
      expect(await other?.delete('key')).toBe(true)
      // Its push may be on its way still; it is one round trip off at most.
      await mine?.get('any', { local: false })
      expect(await mine?.getOrSet('key', () => 'new')).toBe('new')
      held.release()
      expect(await refreshed).toBe('refreshed')
      expect(await mine?.getOrSet('key', () => 'wrong')).toBe('new')
    })

    test(`during refresh(), until a tag is invalidated, ${where}`, async () => {
      const [mine, other] = await open(2, { lease: { ttl: '1m' }, local })
      const tags = ['t']
      await mine?.getOrSet('key', () => 'old', { tags })
      const held = heldLoader('refreshed')
      const refreshed = mine?.refresh('key', held.load, { tags })
      await held.begun
      expect(await mine?.getOrSet('key', () => 'wrong', { tags })).toBe('old')
      expect(await other?.invalidateTags(tags)).toBe(true)
      await mine?.get('any', { local: false })
      expect(await mine?.getOrSet('key', () => 'new', { tags })).toBe('new')
      held.release()
      expect(await refreshed).toBe('refreshed')
      expect(await mine?.getOrSet('key', () => 'wrong', { tags })).toBe('new')
    })
  }
})

describe('timeouts', () => {
  test('softTimeout: a process that waits for the load of another serves a stale value', async () => {
    const options = { ttl: '50ms', staleIfError: '1m', softTimeout: '100ms' } as const
    const [mine, other] = await open(2, options)
    await other?.getOrSet('key', () => 'old')
    await elapsed(80)
    const held = heldLoader('new')
    const theirs = other?.getOrSet('key', held.load)
    await held.begun
    const stale: string[] = []
    mine?.on('stale', ({ reason }) => stale.push(reason))
    expect(await mine?.getOrSet('key', () => 'mine')).toBe('old')
    expect(stale).toEqual(['timeout'])
    expect(await theirs).toBe('old')
    held.release()
    await other?.idle()
    await mine?.idle()
  })

  test('hardTimeout: a caller does not wait for a hung Redis', async () => {
    const [cache] = await open(1, { hardTimeout: '200ms' })
    scene.redis.pause()
    await expect(cache?.getOrSet('key', () => 1)).rejects.toMatchObject({ code: 'CACHE_LOADER_TIMEOUT' })
    scene.redis.resume()
    await waitUntil(async () => (await cache?.getOrSet('key', () => 2).catch(() => 0)) === 2, {
      what: 'Redis',
    })
  })

  test('hardTimeout: an abandoned load releases its lease to another process', async () => {
    const [mine, other] = await open(2, { lease: { ttl: '1m' } })
    const hung = mine?.getOrSet('key', () => new Promise(() => {}), { hardTimeout: '100ms' })
    await expect(hung).rejects.toMatchObject({ code: 'CACHE_LOADER_TIMEOUT' })
    expect(await other?.getOrSet('key', () => 'theirs')).toBe('theirs')
    expect(await mine?.getOrSet('key', () => 'mine')).toBe('theirs')
  })
})

describe('a value confirmed by notModified()', () => {
  test('is stored again with a new time to live and its old tags', async () => {
    const [mine, other] = await open(2, { ttl: '100ms', staleIfError: '1m' })
    const load = (context: LoadContext) => {
      if (context.stale() !== undefined) context.notModified()
      return { etag: 'a' }
    }
    await mine?.getOrSet('key', load, { tags: ['t'] })
    await elapsed(150)
    expect(await mine?.get('key')).toBeUndefined()
    expect(await mine?.getOrSet('key', load, { ttl: '1h', tags: ['t'] })).toEqual({ etag: 'a' })
    expect(await other?.get('key')).toEqual({ etag: 'a' })
    expect(await other?.getTtl('key')).toBeGreaterThan(3_500)
    await other?.invalidateTags(['t'])
    await dropped(mine as never, 'key')
    expect(await mine?.get('key')).toBeUndefined()
  })

  test('is not stored if its tag is invalidated while the loader runs', async () => {
    const [mine, other] = await open(2, { ttl: '100ms', staleIfError: '1m' })
    await mine?.getOrSet('key', () => 'old', { tags: ['t'] })
    await elapsed(150)
    const held = heldLoader(undefined)
    const answer = mine?.getOrSet(
      'key',
      async (context) => {
        await held.load()
        return context.notModified()
      },
      { tags: ['t'] },
    )
    await held.begun
    expect(await other?.invalidateTags(['t'])).toBe(true)
    held.release()
    expect(await answer).toBe('old')
    expect(await other?.get('key')).toBeUndefined()
    expect(await mine?.getOrSet('key', () => 'new', { tags: ['t'] })).toBe('new')
  })
})

test('refresh() replaces the local copies of other processes', async () => {
  const [mine, other] = await open(2)
  await mine?.getOrSet('key', () => 'old')
  await other?.getOrSet('key', () => 'never')
  expect(await mine?.refresh('key', () => 'new')).toBe('new')
  await waitUntil(async () => (await other?.get('key')) === 'new', { what: 'the new value' })
})

test('a value loaded by refresh() is not stored over a later delete', async () => {
  const [mine, other] = await open(2)
  await mine?.getOrSet('key', () => 'old')
  const held = heldLoader('late')
  const refreshed = mine?.refresh('key', held.load)
  await held.begun
  expect(await other?.delete('key')).toBe(true)
  held.release()
  expect(await refreshed).toBe('late')
  expect(await other?.get('key')).toBeUndefined()
  expect(await mine?.getOrSet('key', () => 'new')).toBe('new')
})

test('refresh() that loads undefined removes the entry for all processes, but not a later write', async () => {
  const [mine, other] = await open(2)
  const gone = () => undefined as string | undefined
  await mine?.getOrSet('key', () => 'old')
  await other?.getOrSet('key', () => 'never')
  expect(await mine?.refresh('key', gone)).toBeUndefined()
  await dropped(other as never, 'key')
  expect(await other?.get('key')).toBeUndefined()
  await mine?.getOrSet('key', () => 'old')
  const held = heldLoader(undefined as string | undefined)
  const refreshed = mine?.refresh('key', held.load)
  await held.begun
  expect(await other?.set('key', 'stored')).toBe(true)
  held.release()
  expect(await refreshed).toBeUndefined()
  expect(await other?.get('key')).toBe('stored')
  expect(await mine?.get('key', { local: false })).toBe('stored')
})
