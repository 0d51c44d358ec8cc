import type { Cache } from 'cachewright'
import { expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'

/** Far longer than a test takes: a caller that waits for a lease to expire fails the test. */
const LEASE = '50s'

const scene = useScene({
  caches: { prefix: 'p:', lease: { ttl: LEASE }, commandTimeout: '1s', connectTimeout: '3s' },
})
const { redis } = scene

const isLeaseGone = async () => (await redis.ask('EXISTS', 'p:key')) === 0
const returned = { what: 'the lease to be given back' }

/** Resolves when the cache has lost its connection since this was called, and has another one. */
function reconnected(cache: Cache): () => Promise<void> {
  let isLost = false
  cache.on('disconnect', () => {
    isLost = true
  })
  return () => waitUntil(() => isLost && cache.coherence !== 'none', { what: 'another connection' })
}

/** A cache whose connections a proxy can cut, with a load under way. */
async function loading(): Promise<{
  readonly cache: Cache
  readonly held: ReturnType<typeof heldLoader<string>>
  readonly late: Promise<unknown>
  readonly proxy: TcpProxy
}> {
  const proxy = await scene.proxy()
  const cache = await scene.open({ redis: proxy.url })
  const held = heldLoader('late')
  const late = cache.getOrSet('key', held.load).catch((error: unknown) => error)
  await held.begun
  return { cache, held, late, proxy }
}

test('a load that outlasts its connection gives its lease back when it ends', async () => {
  const { cache, held, late, proxy } = await loading()
  const isBack = reconnected(cache)
  proxy.cutClients()
  await isBack()
  held.release()
  expect(await late).toBe('late')
  expect(await cache.getOrSet('key', () => 'new')).toBe('new')
})

test('a load that ends while Redis is away gives its lease back when Redis is there again', async () => {
  const { held, late, proxy } = await loading()
  proxy.isRefusing = true
  proxy.cutClients()
  held.release()
  expect(await late).toBe('late')
  expect(await isLeaseGone()).toBe(false)
  proxy.isRefusing = false
  await waitUntil(isLeaseGone, returned)
})

test('so does a load that fails while Redis is away', async () => {
  const { held, late, proxy } = await loading()
  const error = new Error('no value')
  proxy.isRefusing = true
  proxy.cutClients()
  held.fail(error)
  expect(await late).toBe(error)
  proxy.isRefusing = false
  await waitUntil(isLeaseGone, returned)
})

test('a lease whose grant is lost with the connection is given back later', async () => {
  const proxy = await scene.proxy()
  const cache = await scene.open({ redis: proxy.url })
  proxy.cutReplyTo('replace')
  const loaded = cache.getOrSet('key', () => 'loaded')
  await waitUntil(() => proxy.cuts > 0, { what: 'the cut' })
  proxy.isRefusing = true
  expect(await loaded).toBe('loaded')
  expect(await isLeaseGone()).toBe(false)
  proxy.cutNothing()
  proxy.isRefusing = false
  await waitUntil(isLeaseGone, returned)
})

test('so is one whose grant is lost right after a load that failed', async () => {
  const proxy = await scene.proxy()
  const cache = await scene.open({ redis: proxy.url })
  const fail = () => Promise.reject(new Error('no value'))
  await expect(cache.getOrSet('key', fail)).rejects.toThrow('no value')
  proxy.cutReplyTo('replace')
  const loaded = cache.getOrSet('key', () => 'loaded')
  await waitUntil(() => proxy.cuts > 0, { what: 'the cut' })
  proxy.cutNothing()
  expect(await loaded).toBe('loaded')
  await waitUntil(isLeaseGone, returned)
})

test('a cache that is closed meanwhile gives it back once more, and waits no longer', async () => {
  const { cache, held, late, proxy } = await loading()
  const isBack = reconnected(cache)
  proxy.isRefusing = true
  proxy.cutClients()
  held.release()
  await late
  proxy.isRefusing = false
  await isBack()
  await cache.shutdown()
  const other = await scene.open()
  expect(await other.getOrSet('key', () => 'new')).toBe('new')
})
