import { expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { deferred, heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

/** Far longer than a test takes: whoever waits for a lease to expire waits in vain. */
const LEASE = '50s'

const scene = useScene({ caches: { prefix: 'p:', lease: { ttl: LEASE }, commandTimeout: '10s' } })

test('P48 a cache that is shut down gives its leases back, and another process loads at once', async () => {
  const leaving = await scene.open()
  const staying = await scene.open()
  const held = heldLoader('late')
  const late = leaving.getOrSet('key', held.load)
  await held.begun
  const waiting = staying.getOrSet('key', () => 'loaded here')
  await staying.get('key', { local: false })
  await leaving.shutdown()
  expect(await waiting).toBe('loaded here')
  held.release()
  expect(await late).toBe('late')
  expect(await staying.get('key', { local: false })).toBe('loaded here')
})

test('P48 also the lease of an entry that is being refreshed, and of a load that others have replaced', async () => {
  const leaving = await scene.open({ shutdown: { drain: '1ms' }, staleIfError: '1h' })
  const staying = await scene.open({ staleIfError: '1h' })
  await leaving.set('stale', 'old', { ttl: '1ms' })
  await waitUntil(async () => (await leaving.get('stale')) === undefined, { what: 'the entry to be stale' })
  const refresh = heldLoader('late')
  const first = heldLoader('outdated')
  const second = heldLoader('late')
  const late = [leaving.getOrSet('stale', refresh.load), leaving.getOrSet('key', first.load)]
  await Promise.all([refresh.begun, first.begun])
  await leaving.delete('key')
  late.push(leaving.getOrSet('key', second.load))
  await second.begun
  await leaving.shutdown()
  expect(await staying.getOrSet('stale', () => 'new')).toBe('new')
  expect(await staying.getOrSet('key', () => 'new')).toBe('new')
  for (const loader of [refresh, first, second]) loader.release()
  expect(await Promise.all(late)).toEqual(['late', 'outdated', 'late'])
})

test('P48 a lease that is granted while the cache is being shut down is given back too', async () => {
  const proxy = await scene.proxy({ latencyMs: 200 })
  const leaving = await scene.open({ redis: proxy.url })
  const staying = await scene.open()
  const mayEnd = deferred()
  const late = leaving.getOrSet('key', async () => {
    await mayEnd.promise
    return 'late'
  })
  await waitUntil(async () => (await scene.redis.ask('EXISTS', 'p:key')) === 1, {
    what: 'the lease to be taken',
  })
  await leaving.shutdown()
  expect(await staying.getOrSet('key', () => 'loaded here')).toBe('loaded here')
  mayEnd.resolve()
  expect(await late).toBe('late')
})
