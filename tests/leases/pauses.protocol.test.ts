import type { CacheError, CreateCacheOptions } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { elapsed, warmed } from '../support/cache-states.ts'
import { commandCalls } from '../support/command-calls.ts'
import { heldLoader, Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'

const scene = useScene({ cluster: { replicasPerMaster: 0 } })
const DOWN = new Error('the password is hunter2')

const openTwo = (options: CreateCacheOptions) => Promise.all([scene.open(options), scene.open(options)])

describe.each(['tracking', 'bus', 'ttl'] as const)('in mode %s', (mode) => {
  const coherence = { mode }

  test('retryAfterError: after a failure, no process tries for that long, and all serve the stale value', async () => {
    const policies = { staleIfError: '10m', retryAfterError: '1s' } as const
    const [mine, other] = await openTwo({ ttl: '50ms', ...policies, coherence })
    const source = new Source('old')
    await mine.getOrSet('key', source.load)
    await elapsed(80)
    source.error = DOWN
    const beganMs = performance.now()
    for (let round = 0; round < 5; round++) {
      expect(await mine.getOrSet('key', source.load)).toBe('old')
      expect(await other.getOrSet('key', source.load)).toBe('old')
    }
    if (performance.now() - beganMs < 900) expect(source.loads).toBe(2)
    await elapsed(1_050)
    expect(await other.getOrSet('key', source.load)).toBe('old')
    expect(source.loads).toBe(3)
  })

  test('errorTtl: who ran the loader throws its error, others a CacheError, and nobody calls the loader', async () => {
    const [mine, other] = await openTwo({ errorTtl: '20s', coherence })
    const source = new Source('new')
    source.error = DOWN
    for (let call = 0; call < 2; call++) await expect(mine.getOrSet('key', source.load)).rejects.toBe(DOWN)
    const failure: CacheError = await other.getOrSet('key', source.load).catch((error) => error)
    expect(failure).toMatchObject({ code: 'CACHE_SOURCE_FAILED', key: 'key', operation: 'getOrSet' })
    expect(failure.message).toMatch(
      /^The load of key failed \d+\.\d s ago in another process, and is not tried again for 1\d\.\d s$|not tried again for 20\.0 s$/,
    )
    expect(source.loads).toBe(1)
    expect(await scene.redis.ask('GET', 'shop:key')).not.toContain('hunter2')
    await other.delete('key')
    source.error = undefined
    expect(await mine.getOrSet('key', source.load)).toBe('new')
  })
})

test('those who wait for a load that fails are told at once, and call no loader', async () => {
  const [mine, other] = await openTwo({ errorTtl: '10s' })
  const held = heldLoader('never')
  const failing = mine.getOrSet('key', held.load)
  await held.begun
  const source = new Source('own')
  const waiting = other.getOrSet('key', source.load)
  const both = Promise.allSettled([failing, waiting])
  await elapsed(50)
  held.fail(DOWN)
  const [own, told] = await both
  expect(own).toEqual({ status: 'rejected', reason: DOWN })
  expect(told).toMatchObject({ status: 'rejected', reason: { code: 'CACHE_SOURCE_FAILED' } })
  expect(source.loads).toBe(0)
})

test('a pause that another process began stops refreshes in the background without a command', async () => {
  const policies = { staleWhileRevalidate: '10m', retryAfterError: '20s' } as const
  const [mine, other] = await openTwo({ ttl: '50ms', ...policies })
  const source = new Source('old')
  await mine.getOrSet('key', source.load)
  await elapsed(80)
  source.error = DOWN
  await mine.getOrSet('key', source.load)
  await mine.idle()
  expect(await other.getOrSet('key', source.load)).toBe('old')
  await other.idle()
  expect(source.loads).toBe(2)
  const before = (await commandCalls(scene.redis)).get('evalsha') ?? 0
  for (let call = 0; call < 50; call++) expect(await other.getOrSet('key', source.load)).toBe('old')
  await other.idle()
  expect((await commandCalls(scene.redis)).get('evalsha') ?? 0).toBe(before)
  expect(source.loads).toBe(2)
})

test.each<readonly [string, (command: typeof scene.redis.ask) => Promise<unknown>]>([
  ['DEL', (ask) => ask('DEL', 'shop:key')],
  ['SET', (ask) => ask('SET', 'shop:key', '"by hand"')],
  ['FLUSHALL', (ask) => ask('FLUSHALL')],
])('%s by another program ends a remembered failure', async (_name, touch) => {
  const cache = await scene.open({ errorTtl: '20s' })
  const source = new Source('new')
  source.error = DOWN
  await expect(cache.getOrSet('key', source.load)).rejects.toBe(DOWN)
  await touch(scene.redis.ask.bind(scene.redis))
  source.error = undefined
  expect(await cache.getOrSet('key', source.load)).toMatch(/new|by hand/)
})

test('while Redis is away, a process remembers for itself, and an own write ends that', async () => {
  const server = await scene.server()
  const cache = scene.cache({ ...IMPATIENT, redis: server.url, retryAfterError: '30s', errorTtl: '30s' })
  const source = new Source('old')
  const stale = { staleIfError: '10m' } as const
  await cache.getOrSet('kept', source.load, stale)
  await warmed(cache, 'kept')
  await server.kill()
  await waitUntil(() => cache.peek('kept') === undefined, { what: 'the loss to be noticed' })
  source.error = DOWN
  source.loads = 0
  for (let call = 0; call < 3; call++) expect(await cache.getOrSet('kept', source.load, stale)).toBe('old')
  expect(source.loads).toBe(1)
  for (let call = 0; call < 3; call++) await expect(cache.getOrSet('new', source.load)).rejects.toBe(DOWN)
  expect(source.loads).toBe(2)
  await expect(cache.getOrSet('new', source.load, { errorTtl: false })).rejects.toBe(DOWN)
  expect(source.loads).toBe(3)
  expect(await cache.delete('new')).toBe(false)
  await expect(cache.getOrSet('new', source.load)).rejects.toBe(DOWN)
  expect(await cache.delete('kept')).toBe(false)
  await expect(cache.getOrSet('kept', source.load, stale)).rejects.toBe(DOWN)
  expect(source.loads).toBe(5)
})

test('on a cluster, and for an entry past its windows', async () => {
  const nodes = scene.cluster.urls
  const [mine, other] = await openTwo({ redis: { cluster: { nodes } }, ttl: '50ms', errorTtl: '20s' })
  const source = new Source('old')
  await mine.getOrSet('key', source.load)
  await elapsed(80)
  source.error = DOWN
  await expect(mine.getOrSet('key', source.load)).rejects.toBe(DOWN)
  await expect(other.getOrSet('key', source.load)).rejects.toMatchObject({ code: 'CACHE_SOURCE_FAILED' })
  expect(source.loads).toBe(2)
})
