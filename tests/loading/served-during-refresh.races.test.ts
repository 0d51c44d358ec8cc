import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { deferred, heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

const scene = useScene()
const LONG = '10m'

/** What a call comes to, or that it waits for a loader that does not end. */
function atOnce(call: Promise<unknown>): Promise<unknown> {
  return Promise.race([call, sleep(1_000, 'it waits')])
}

// The lease that a refresh takes is a change of the key: its push drops the copy of the process that refreshes, too.
test('P25 a caller gets the stale value while this process refreshes it', async () => {
  const cache = await scene.open()
  const options = { ttl: '50ms', staleWhileRevalidate: LONG } as const
  await cache.getOrSet('k', () => 'old', options)
  await sleep(100)
  const refresh = heldLoader('new')
  expect(await cache.getOrSet('k', refresh.load, options)).toBe('old')
  await refresh.begun
  await sleep(50)
  expect(cache.peek('k')).toBe(undefined)
  expect(await atOnce(cache.getOrSet('k', () => 'unused', options))).toBe('old')
  refresh.release()
  await cache.idle()
  expect(await cache.getOrSet('k', () => 'unused', { ...options, ttl: LONG })).toBe('new')
})

// A load whose value lives longer prolongs the generations, which announces them as changed.
test('P25 a caller gets the stale value while a load prolongs the generations that it is bound to', async () => {
  const cache = await scene.open({ staleWhileRevalidate: LONG })
  await cache.set('k', 'old', { ttl: '50ms', staleWhileRevalidate: '10s' })
  await sleep(60)
  const refresh = heldLoader('new')
  const refreshed = cache.refresh('k', refresh.load, { ttl: '1h' })
  await refresh.begun
  await sleep(50)
  expect((await cache.explain('k')).next.step).toBe('serve-stale')
  expect(await atOnce(cache.getOrSet('k', () => 'unused'))).toBe('old')
  refresh.release()
  expect(await refreshed).toBe('new')
})

test('a caller during an early refresh gets the fresh value', async () => {
  const cache = await scene.open()
  const options = { ttl: LONG, earlyRefresh: { beta: 1e12 } } as const
  await cache.getOrSet('k', () => sleep(20, 'old'), options)
  const refresh = heldLoader('new')
  expect(await cache.getOrSet('k', refresh.load, options)).toBe('old')
  await refresh.begun
  await sleep(50)
  expect(await atOnce(cache.getOrSet('k', () => 'unused', options))).toBe('old')
  refresh.release()
  await cache.idle()
})

test('a caller during refresh() gets the old value', async () => {
  const cache = await scene.open()
  await cache.getOrSet('k', () => 'old')
  const refresh = heldLoader('new')
  const refreshed = cache.refresh('k', refresh.load)
  await refresh.begun
  await sleep(50)
  expect(await atOnce(cache.getOrSet('k', () => 'unused'))).toBe('old')
  refresh.release()
  expect(await refreshed).toBe('new')
})

test('a caller gets the old value while refresh() waits for the load of another process', async () => {
  const [one, two] = [await scene.open(), await scene.open()]
  await one.getOrSet('k', () => 'old')
  const [first, second] = [heldLoader('first'), heldLoader('second')]
  const refreshed = one.refresh('k', first.load)
  await first.begun
  const again = two.refresh('k', second.load)
  await sleep(50)
  expect(await atOnce(two.getOrSet('k', () => 'unused'))).toBe('old')
  first.release()
  expect(await refreshed).toBe('first')
  await second.begun
  second.release()
  expect(await again).toBe('second')
})

test('P16 a caller after an invalidation does not get the old value, even during refresh()', async () => {
  const cache = await scene.open()
  const others = await scene.open()
  await cache.getOrSet('k', () => 'old', { tags: ['t'] })
  for (const invalidate of [
    () => cache.delete('k'),
    () => others.delete('k'),
    () => cache.invalidateTags(['t']),
    () => scene.redis.ask('DEL', 'shop:k'),
  ]) {
    const refresh = heldLoader('late')
    const refreshed = cache.refresh('k', refresh.load, { tags: ['t'] })
    await refresh.begun
    await invalidate()
    await sleep(50)
    expect(await atOnce(cache.getOrSet('k', () => 'newer', { tags: ['t'] }))).toBe('newer')
    refresh.release()
    expect(await refreshed).toBe('late')
    await cache.delete('k')
    await cache.getOrSet('k', () => 'old', { tags: ['t'] })
  }
})

test('a caller that joins a load as its last caller leaves begins its own load', async () => {
  const cache = await scene.open()
  const going = new AbortController()
  const begun = deferred()
  const call = (signal?: AbortSignal) =>
    cache.getOrSet(
      'k',
      (context) =>
        new Promise((_resolve, reject) => {
          begun.resolve()
          context.signal.addEventListener('abort', () => reject(context.signal.reason))
        }),
      signal && { signal },
    )
  const first = call(going.signal)
  first.catch(() => {})
  await begun.promise
  // The push of the lease raises a doubt, which the first to come afterwards settles.
  await sleep(50)
  const second = call(going.signal)
  second.catch(() => {})
  await sleep(50)
  const joined = cache.getOrSet('k', () => 'of his own')
  going.abort()
  expect(await joined).toBe('of his own')
  await expect(first).rejects.toThrow('abort')
  await expect(second).rejects.toThrow('abort')
})
