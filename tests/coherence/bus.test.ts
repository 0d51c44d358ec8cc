import { createClient } from '@redis/client'
import type { Cache, CreateCacheOptions } from 'cachewright'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Standalone } from '../../testbed/redis-standalone.ts'
import { waitUntil } from '../../testbed/wait-until.ts'
import { dropped, elapsed, inMode, warmed } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { type Closing, IMPATIENT, useClosing, useScene } from '../support/scene.ts'

const scene = useScene({ simple: true, caches: IMPATIENT, flush: false })
const { redis, simple } = scene

function ioredis(client: Redis | Redis5, kept: Closing): CreateCacheOptions {
  client.on('error', () => {})
  kept.later(() => client.disconnect())
  return { client }
}

async function nodeRedis(kept: Closing): Promise<CreateCacheOptions> {
  const client = createClient({ url: redis.url })
  client.on('error', () => {})
  await client.connect()
  kept.later(() => client.destroy())
  return { client }
}

const WAYS: readonly (readonly [
  name: string,
  options: (kept: Closing) => CreateCacheOptions | Promise<CreateCacheOptions>,
  server: () => Standalone,
])[] = [
  ['a server without RESP3', () => ({ redis: simple.url }), () => simple],
  ["coherence: { mode: 'bus' }", () => ({ redis: redis.url, coherence: { mode: 'bus' } }), () => redis],
  ["a caller's @redis/client", nodeRedis, () => redis],
  ['ioredis 6', (kept) => ioredis(new Redis(redis.url), kept), () => redis],
  ['ioredis 5', (kept) => ioredis(new Redis5(redis.url), kept), () => redis],
]

describe.each(WAYS)('P31 the bus with %s', (_name, optionsOf, server) => {
  const kept = useClosing({ caches: IMPATIENT, closeAfter: 'all' })
  let mine: Cache
  let other: Cache

  async function onBus(): Promise<Cache> {
    const cache = kept.cache(await optionsOf(kept))
    await inMode(cache, 'bus')
    return cache
  }
  // Joining takes time: other caches must learn that the channel has a subscriber.
  beforeAll(async () => {
    ;[mine, other] = await Promise.all([onBus(), onBus()])
  })

  test('each kind of change by another cache drops the entry from the local tier', async () => {
    const changes: (() => Promise<unknown>)[] = [
      () => other.set('key', 'changed'),
      () => other.delete('key'),
      () => other.deleteMany(['key', 'none']),
      () => other.setMany({ key: 'changed' }),
      () => other.invalidatePattern('k*'),
      () => other.clear(),
      () => other.delete('key'),
      () => other.plain.set('key', 'changed'),
      () => other.invalidateTags(['users']),
    ]
    for (const change of changes) {
      await mine.delete('key')
      await waitUntil(
        async () => {
          await mine.getOrSet('key', () => 'loaded', { tags: ['users'] })
          return mine.peek('key') !== undefined
        },
        { what: 'a local copy' },
      )
      await change()
      await dropped(mine, 'key')
      expect(['changed', undefined]).toContain(await mine.get('key'))
    }
  })

  test('a lost subscriber empties the local tier before the next read and rejoins the channel', async () => {
    await warmed(mine, 'key')
    let epochs = 0
    mine.on('epoch', () => epochs++)
    await server().ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await other.set('key', 'changed')
    await waitUntil(() => epochs > 0, { what: 'the loss to be noticed' })
    expect([undefined, 'changed']).toContain(mine.peek('key'))
    expect(await mine.get('key')).toBe('changed')
    await inMode(mine, 'bus')
    await inMode(other, 'bus')
    await warmed(mine, 'key')
    await other.delete('key')
    await dropped(mine, 'key')
  })

  test('P33 an invalidation that overtakes a reply is honoured', async () => {
    for (let round = 0; round < 50; round++) {
      await mine.set('key', round)
      const reading = mine.get('key')
      await other.set('key', `${round}`)
      await reading
      const wanted = String(round)
      await waitUntil(async () => (await mine.get('key')) === wanted, {
        what: `the change of round ${round}`,
        timeoutMs: 2_000,
      })
    }
  })

  test('shutdown() leaves no subscriber', async () => {
    await Promise.all([mine.shutdown(), other.shutdown()])
    await waitUntil(async () => (await server().ask('CLIENT', 'LIST', 'TYPE', 'pubsub')) === '', {
      what: 'the subscriber to be gone',
    })
  })
})

describe('P31 the bus', () => {
  beforeEach(() => simple.ask('FLUSHALL'))

  test('a local entry is not served past the trust time when the message about its change is lost', async () => {
    const proxy = await scene.proxy({ port: simple.port })
    const mine = scene.cache({ redis: proxy.url, coherence: { trust: '300ms' } })
    const other = scene.cache({ redis: simple.url })
    await Promise.all([inMode(mine, 'bus'), inMode(other, 'bus')])
    await warmed(mine, 'key')
    proxy.holdReplies()
    await other.set('key', 'changed')
    const changedAtMs = performance.now()
    await dropped(mine, 'key')
    expect(performance.now() - changedAtMs).toBeLessThan(300 + 250)
    proxy.release()
    await waitUntil(async () => (await mine.get('key')) === 'changed', { what: 'the new value' })
  })

  test('a gap in the messages begins a new epoch', async () => {
    const mine = scene.cache({ redis: simple.url, coherence: { trust: '600ms' } })
    await inMode(mine, 'bus')
    await warmed(mine, 'key')
    const epochs: string[] = []
    mine.on('epoch', ({ reason }) => epochs.push(reason))
    for (const number of [1, 2, 4]) await simple.ask('PUBLISH', 'p:\0bus', `["other",${number},[]]`)
    await waitUntil(() => epochs.some((reason) => reason.includes('stayed away')), { what: 'the gap' })
    await warmed(mine, 'key')
  })

  test('ignores malformed messages and drops a key that a well-formed message from a stranger names', async () => {
    const mine = scene.cache({ redis: simple.url })
    await inMode(mine, 'bus')
    await warmed(mine, 'key')
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '[1,2,3]',
      '["x","1",[]]',
      '["x",1,[1]]',
      '["x",1,{}]',
      '\0',
    ]) {
      await simple.ask('PUBLISH', 'p:\0bus', text)
    }
    await simple.ask('PUBLISH', 'p:\0bus', '["stranger",1,["p:other"]]')
    expect(mine.peek('key')).toBe('loaded')
    await simple.ask('PUBLISH', 'p:\0bus', '["stranger",2,["p:key"]]')
    await dropped(mine, 'key')
  })

  test('sees a change by another program only when the TTL ends', async () => {
    const mine = scene.cache({ redis: simple.url, ttl: '400ms' })
    await inMode(mine, 'bus')
    const source = new Source('old')
    await mine.getOrSet('key', source.load)
    await simple.ask('DEL', 'p:key')
    source.value = 'new'
    await waitUntil(async () => (await mine.getOrSet('key', source.load)) === 'new', {
      what: 'the TTL to end the local copy',
      timeoutMs: 1_500,
    })
  })

  test('is trusted again after a gap in the messages', async () => {
    const cache = scene.cache({ redis: simple.url, coherence: { trust: '300ms' } })
    await inMode(cache, 'bus')
    const epochs: string[] = []
    cache.on('epoch', ({ reason }) => epochs.push(reason))
    for (const number of [1, 3]) await simple.ask('PUBLISH', 'p:\0bus', `["x",${number},[]]`)
    await waitUntil(() => epochs.length > 0, { what: 'the gap' })
    await waitUntil(() => cache.coherence === 'bus', { what: 'the bus again', timeoutMs: 3_000 })
  })

  test('delivers the changes of a cache in tracking mode', async () => {
    const mine = scene.cache(lent(redis.url))
    const other = scene.cache()
    await inMode(mine, 'bus')
    await inMode(other, 'tracking')
    await warmed(mine, 'key')
    await other.delete('key')
    await waitUntil(() => mine.peek('key') === undefined, { what: 'the message', timeoutMs: 3_000 })
  })

  test('delivers the changes of a backend whose cache has lost its subscriber', async () => {
    const proxy = await scene.proxy({ port: simple.port })
    const mine = scene.cache({ redis: simple.url })
    const other = scene.cache({ redis: proxy.url })
    await Promise.all([inMode(mine, 'bus'), inMode(other, 'bus')])
    proxy.isRefusing = true
    await simple.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await inMode(other, 'ttl')
    await inMode(mine, 'bus')
    await warmed(mine, 'key')
    expect(await other.delete('key')).toBe(true)
    await waitUntil(() => mine.peek('key') === undefined, { what: 'the message', timeoutMs: 2_000 })
  })

  test('has one subscriber after the server hung during the rejoin', async () => {
    const cache = scene.cache({ ...lent(simple.url), connectTimeout: '300ms' })
    await inMode(cache, 'bus')
    await simple.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
    simple.pause()
    await elapsed(1_500)
    simple.resume()
    await inMode(cache, 'bus')
    const subscribers = async () =>
      String(await simple.ask('CLIENT', 'LIST', 'TYPE', 'pubsub'))
        .split('\n')
        .filter(Boolean).length
    await waitUntil(async () => (await subscribers()) === 1, { what: 'one subscriber', timeoutMs: 2_000 })
  })
})

function lent(url: string): CreateCacheOptions {
  const client = new Redis(url)
  client.on('error', () => {})
  scene.later(() => client.disconnect())
  return { client }
}

test('P31 clearing namespace a clears namespace b within a, also for a cache that used the name a:b', async () => {
  const mine = scene.cache(lent(redis.url))
  const other = scene.cache(lent(redis.url))
  await Promise.all([inMode(mine, 'bus'), inMode(other, 'bus')])
  await warmed(mine.namespace('a:b'), 'key')
  await other.namespace('a').clear()
  await other.getOrSet('beacon', () => 1)
  const within = mine.namespace('a').namespace('b')
  await waitUntil(async () => (await within.get('key')) === undefined, {
    what: 'the key to go',
    timeoutMs: 2_000,
  })
})
