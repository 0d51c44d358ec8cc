import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Redis } from 'ioredis'
import { createCache } from 'cachewright'
import { type Standalone, startStandalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, elapsed, inMode, Opened, Source, warmed } from './caches.ts'
import { startHoldingProxy } from './holding-proxy.ts'

let redis: Standalone
const opened = new Opened()
beforeAll(async () => {
  redis = await startStandalone()
})
beforeEach(() => redis.ask('FLUSHALL'))
afterEach(() => opened.close())
afterAll(() => redis.stop())

describe('plain values', () => {
  test('a batch of plain values', async () => {
    const cache = opened.cache({ redis: redis.url })
    await cache.initialize()
    const big = JSON.stringify(Array.from({ length: 2000 }, (_, n) => ({ n })))
    const keys = Array.from({ length: 100 }, (_, n) => `plain:${n}`)
    for (const key of keys) await redis.ask('SET', `p:${key}`, big)
    const values = await cache.getMany(keys)
    expect([...values.values()].filter((value) => value === undefined)).toHaveLength(0)
  })
  test('a large plain value', async () => {
    const cache = opened.cache({ redis: redis.url })
    await cache.initialize()
    await redis.ask('SET', 'p:k', JSON.stringify(Array.from({ length: 200_000 }, (_, n) => ({ n }))))
    expect(await cache.get('k', { local: false })).toBeDefined()
    const s = new Source(1)
    await cache.getOrSet('k', s.load)
    expect(s.loads).toBe(0)
  })
})

test('buffer stays buffer', async () => {
  const cache = opened.cache({ redis: redis.url, serializer: 'v8' })
  const v = await cache.getOrSet('b', () => Buffer.from('abc'))
  expect(Buffer.isBuffer(v)).toBe(true)
})
test('oversize, Redis away', async () => {
  const cache = opened.cache({ redis: 'redis://127.0.0.1:1', maxValueBytes: 100 })
  expect(await cache.getOrSet('b', () => 'x'.repeat(200))).toHaveLength(200)
})
test('oversize value is shared by callers of one flight', async () => {
  const cache = opened.cache({ redis: redis.url, maxValueBytes: 100 })
  const load = async () => ({ text: 'x'.repeat(200), list: [1] })
  const [a, b] = await Promise.all([cache.getOrSet('b', load), cache.getOrSet('b', load)])
  try { a.list.push(2) } catch {}
  expect(b.list).toEqual([1])
})
test('skipped value is shared by callers of one flight', async () => {
  const cache = opened.cache({ redis: redis.url })
  const load = async (c: any) => { c.skip(); return { list: [1] } }
  const [a, b] = await Promise.all([cache.getOrSet('b', load), cache.getOrSet('b', load)])
  try { a.list.push(2) } catch {}
  expect(b.list).toEqual([1])
})
test('clear spares generations of namespaces', async () => {
  const cache = opened.cache({ redis: redis.url })
  const ns = cache.namespace('x')
  await ns.set('k', 1)
  const before = await redis.ask('KEYS', '*')
  const done = new Promise((r) => cache.on('invalidate', r))
  await cache.clear()
  await ns.set('after', 2)
  await done
  expect(await ns.get('after')).toBe(2)
})
test('namespace a:b and a > b', async () => {
  const mine = opened.cache({ redis: redis.url })
  const other = opened.cache({ redis: redis.url })
  await inMode(mine, 'tracking')
  await warmed(mine.namespace('a:b'), 'k')
  await other.namespace('a').clear()
  await elapsed(100)
  expect(await mine.namespace('a').namespace('b').get('k', { local: false })).toBe(undefined)
  expect(await mine.namespace('a').namespace('b').get('k')).toBe(undefined)
})
test('gap on the bus: the mode comes back', async () => {
  const cache = opened.cache({ redis: redis.url, coherence: 'bus', trust: '300ms' })
  await inMode(cache, 'bus')
  await redis.ask('PUBLISH', 'p:\0bus', '["x",1,[]]')
  await redis.ask('PUBLISH', 'p:\0bus', '["x",3,[]]')
  await waitUntil(() => cache.coherence === 'ttl', { what: 'ttl' })
  await waitUntil(() => cache.coherence === 'bus', { what: 'bus again', timeoutMs: 4000 })
})
test('tracking cache changes are told on the bus', async () => {
  const mine = opened.cache({ redis: redis.url, coherence: 'bus' })
  const other = opened.cache({ redis: redis.url })
  await inMode(mine, 'bus')
  await inMode(other, 'tracking')
  await warmed(mine, 'k')
  await other.delete('k')
  await waitUntil(() => mine.peek('k') === undefined, { what: 'drop', timeoutMs: 3000 })
})
test('no channels and no tracking', async () => {
  const r = await startStandalone({
    aclFile: 'user default on nopass ~* &* +@all\nuser app on >secret ~* resetchannels +@all -client|tracking',
    username: 'app', password: 'secret',
  })
  opened.later(() => r.stop())
  const cache = opened.cache({ redis: r.url })
  const errors: string[] = []
  cache.on('error', (e) => errors.push(`${e.operation} ${e.error.code} ${e.error.message}`))
  await inMode(cache, 'ttl')
  expect.soft(await cache.set('k', 1)).toBe(true)
  expect.soft(await cache.get('k')).toBe(1)
  const s = new Source(1)
  await cache.getOrSet('l', s.load)
  await cache.getOrSet('l', s.load)
  expect.soft(s.loads).toBe(1)
  expect.soft(errors).toEqual([])
})
test('a subscriber that came too late is not leaked', async () => {
  const cache = opened.cache({ redis: redis.url, coherence: 'bus', connectTimeout: '300ms' })
  await inMode(cache, 'bus')
  await redis.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
  redis.pause()
  await elapsed(2500)
  redis.resume()
  await waitUntil(() => cache.coherence === 'bus', { what: 'bus again', timeoutMs: 8000 })
  await elapsed(500)
  const n = String(await redis.ask('CLIENT', 'LIST', 'TYPE', 'pubsub')).split('\n').filter(Boolean).length
  expect(n).toBe(1)
})
test('generation outlives entries', async () => {
  const cache = opened.cache({ redis: redis.url })
  await cache.set('k', 1, { ttl: '60d' })
  expect(Number(await redis.ask('PTTL', 'p:\0namespace'))).toBeGreaterThan(60 * 86_400_000)
})
test('backend writes are announced while this process is off the bus', async () => {
  const proxy = await startHoldingProxy(redis.port)
  opened.later(() => proxy.stop())
  const mine = opened.cache({ redis: redis.url, coherence: 'bus' })
  const other = opened.cache({ redis: proxy.url, coherence: 'bus' })
  await inMode(mine, 'bus')
  await inMode(other, 'bus')
  await warmed(mine, 'k')
  proxy.isRefusing = true
  await redis.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await waitUntil(() => other.coherence === 'ttl', { what: 'ttl' })
  await inMode(mine, 'bus')
  await warmed(mine, 'k')
  expect(await other.backend.delete('k')).toBe(true)
  await waitUntil(() => mine.peek('k') === undefined, { what: 'drop', timeoutMs: 2000 })
})
test('truncated entries', async () => {
  const cache = opened.cache({ redis: redis.url })
  await cache.initialize()
  for (let n = 0; n < 60; n++) {
    await redis.ask('SET', `p:k${n}`, Buffer.concat([Buffer.from([1, 1, 1, 0, 0, 90, 0, 6]), Buffer.alloc(60)]).subarray(0, n))
    const s = new Source(1)
    await cache.getOrSet(`k${n}`, s.load)
    await cache.getOrSet(`k${n}`, s.load)
    expect.soft([n, s.loads]).toEqual([n, 1])
  }
})
test('concurrent read while a delivery is refused', async () => {
  const r = await startStandalone({ args: ['--appendonly', 'yes'] })
  opened.later(() => r.stop())
  const cache = opened.cache({ redis: r.url })
  await cache.set('k', 'old')
  await r.kill()
  await waitUntil(async () => (await cache.delete('k')) === false, { what: 'refusal' })
  const lines = r.process
  await r.restart()
  await r.ask('CONFIG', 'SET', 'min-replicas-to-write', '1')
  const seen: unknown[] = []
  for (let n = 0; n < 40; n++) {
    seen.push(...(await Promise.all([cache.get('x'), cache.get('k'), cache.get('k', { local: false })])))
    await elapsed(20)
  }
  expect(seen.filter((v) => v !== undefined)).toEqual([])
})
test('two restarts that lose an acknowledged delete', async () => {
  const r = await startStandalone()
  opened.later(() => r.stop())
  const cache = opened.cache({ redis: r.url })
  await cache.set('k', 'old')
  await r.ask('SAVE')
  expect(await cache.delete('k')).toBe(true)
  for (let n = 0; n < 3; n++) {
    await r.kill()
    const back = new Promise((res) => cache.on('connect', res))
    await r.restart()
    await back
    let v: unknown
    await waitUntil(async () => { v = await cache.get('k'); return cache.circuit === 'closed' && (await cache.getOrSet('other', () => n)) !== undefined && cache.peek('other') !== undefined }, { what: 'work' })
    expect.soft([n, v, await cache.get('k')]).toEqual([n, undefined, undefined])
  }
})
test('set(undefined) leaves the value', async () => {
  const cache = opened.cache({ redis: redis.url })
  await cache.set('k', 'old')
  await expect(cache.set('k', undefined)).rejects.toThrow()
  expect(await cache.get('k')).toBe('old')
})
test('sets on placeholder', async () => {
  const cache = opened.cache({ redis: redis.url, errors: 'throw' })
  let go = () => {}
  const load = cache.getOrSet('k', () => new Promise((r) => { go = () => r(1) }))
  await waitUntil(async () => (await redis.ask('EXISTS', 'p:k')) === 1, { what: 'p' })
  expect.soft(await cache.backend.getSetMembers('k').catch((e) => e.code)).toEqual([])
  expect.soft(await cache.backend.removeFromSet('k', 'm').catch((e) => e.code)).toEqual(false)
  go()
  await load
})
