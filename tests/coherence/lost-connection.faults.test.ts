import { randomBytes } from 'node:crypto'
import type { Cache, CreateCacheOptions } from 'cachewright'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { inMode, warmed } from '../support/cache-states.ts'
import { Source } from '../support/loaders.ts'
import { IMPATIENT, useScene } from '../support/scene.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'

const scene = useScene({ cluster: { replicasPerMaster: 0 }, caches: IMPATIENT })
const { redis, cluster } = scene

async function tracked(options: CreateCacheOptions): Promise<Cache> {
  const cache = scene.cache(options)
  await inMode(cache, 'tracking')
  return cache
}

describe('P31 a lost connection empties the local tier before it serves', () => {
  test('a change during CLIENT KILL is seen, and the old value is not served', async () => {
    const cache = await tracked({ redis: redis.url })
    let isLost = false
    cache.on('disconnect', () => {
      isLost = true
    })
    for (let round = 0; round < 10; round++) {
      await warmed(cache, 'key', () => `loaded ${round}`)
      isLost = false
      await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal')
      await redis.ask('SET', 'p:key', `"changed ${round}"`)
      await waitUntil(() => isLost, { what: 'the loss' })
      expect([undefined, `changed ${round}`]).toContain(cache.peek('key'))
      await waitUntil(async () => (await cache.get('key')) === `changed ${round}`, { what: 'the new value' })
      await cache.delete('key')
    }
  })

  test('a value read before the loss is not kept when its reply arrives after it', async () => {
    const proxy = await scene.proxy()
    const cache = await tracked({ redis: proxy.url, commandTimeout: '2s' })
    await warmed(cache, 'other')
    await redis.ask('SET', 'p:key', '"old"')
    proxy.holdReplies()
    const reading = cache.get('key')
    await waitUntil(() => proxy.heldReplyBytes > 0, { what: 'the reply' })
    proxy.cutClients()
    await redis.ask('SET', 'p:key', '"new"')
    expect(await reading).toBeUndefined()
    proxy.release()
    await waitUntil(async () => (await cache.get('key')) === 'new', { what: 'the new value' })
  })

  test('P32 a silent connection is trusted for the trust time and no longer', async () => {
    for (const trustMs of [300, 600]) {
      const proxy = await scene.proxy()
      const cache = await tracked({
        redis: proxy.url,
        coherence: { trust: `${trustMs}ms` },
        commandTimeout: '100ms',
      })
      await warmed(cache, 'key', () => 'old')
      proxy.goSilent()
      await redis.ask('SET', 'p:key', '"new"')
      const changedAtMs = performance.now()
      await waitUntil(() => cache.peek('key') === undefined, { what: 'the end of the trust' })
      expect(performance.now() - changedAtMs).toBeLessThan(trustMs + 150)
      const source = new Source('from the source')
      expect(await cache.getOrSet('key', source.load)).toBe('from the source')
      expect(await cache.get('key')).toBeUndefined()
      proxy.healForNewConnections()
      await waitUntil(async () => (await cache.get('key')) === 'new', { what: 'the new value' })
      await cache.shutdown()
    }
  })

  test('an idle healthy connection stays trusted', async () => {
    const cache = await tracked({ redis: redis.url, coherence: { trust: '200ms' } })
    await warmed(cache, 'key')
    const endMs = performance.now() + 800
    let local = 0
    let asked = 0
    await waitUntil(
      () => {
        asked++
        if (cache.peek('key') !== undefined) local++
        return performance.now() > endMs
      },
      { what: 'the time to pass' },
    )
    expect(local).toBeGreaterThan(asked * 0.8)
  })
})

describe('P33 a change to a key during its read is honoured', () => {
  for (const [what, change] of [
    ['changed', () => redis.ask('SET', 'p:key', '"new"')],
    ['deleted', () => redis.ask('DEL', 'p:key')],
    ['flushed', () => redis.ask('FLUSHALL')],
    ['flushed with the database', () => redis.ask('FLUSHDB', 'ASYNC')],
    ['cleared', () => redis.ask('SET', 'p:\0namespace', randomBytes(8).toString('hex'))],
    ['invalidated by its tag', () => redis.ask('DEL', 'p:\0tag:t')],
  ] as const) {
    test(`a key that is ${what} is not kept when reply and push arrive in one chunk`, async () => {
      const writer = scene.cache()
      const proxy = await scene.proxy()
      const cache = await tracked({ redis: proxy.url, commandTimeout: '2s' })
      await warmed(cache, 'other')
      for (const isTagKnown of [false, true]) {
        await writer.set('key', 'old', { tags: ['t'] })
        if (isTagKnown) await cache.getOrSet('another', () => 1, { tags: ['t'] })
        proxy.holdReplies()
        const reading = cache.getOrSet('key', () => 'loaded', { tags: ['t'] })
        await waitUntil(() => proxy.heldReplyBytes > 0, { what: 'the reply' })
        const before = proxy.heldReplyBytes
        await change()
        await waitUntil(() => proxy.heldReplyBytes > before, { what: 'the push' })
        proxy.release()
        expect(['old', 'loaded']).toContain(await reading)
        const after = await cache.get('key')
        expect(after).not.toBe('old')
        expect(cache.peek('key')).not.toBe('old')
        await cache.delete('key')
        await warmed(cache, 'other')
      }
    })
  }

  test('a loaded value that is deleted before the reply to its fill arrives is not kept', async () => {
    const proxy = await scene.proxy()
    const cache = await tracked({ redis: proxy.url, commandTimeout: '2s' })
    await warmed(cache, 'other')
    const loading = cache.getOrSet('key', () => {
      proxy.holdReplies()
      return 'old'
    })
    await waitUntil(async () => Number(await redis.ask('STRLEN', 'p:key')) > 80, { what: 'the fill' })
    await redis.ask('DEL', 'p:key')
    proxy.release()
    expect(await loading).toBe('old')
    expect(await cache.get('key')).toBeUndefined()
    expect(cache.peek('key')).toBeUndefined()
  })
})

describe('P34 a slot move drops local entries and misses', () => {
  test('the cache sees a change at the new owner of the slot', async () => {
    const nodes = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)
    const cache = await tracked({ redis: { cluster: { nodes } } })
    const key = 'moving'
    const slot = await cluster.slotOf(`p:${key}`)
    await warmed(cache, key, () => 'old')
    expect(await cache.get('{p:moving}none')).toBeUndefined()
    for (let move = 0; move < 2; move++) {
      const from = await cluster.masterOf(slot)
      const to = (await cluster.masters()).find((other) => other !== from) as number
      await cluster.beginMigration(slot, from, to)
      await cluster.finishMigration(slot, from, to)
      expect(cache.peek(key)).toBeUndefined()
      await cluster.ask(to, 'SET', `p:${key}`, `"new ${move}"`)
      await waitUntil(async () => (await cache.get(key)) === `new ${move}`, { what: 'the new value' })
      await waitUntil(
        async () => {
          await cache.get(key)
          return cache.peek(key) === `new ${move}`
        },
        { what: 'a local copy' },
      )
      await cluster.ask(to, 'SET', `p:${key}`, '"newer"')
      await waitUntil(() => cache.peek(key) === undefined, { what: 'the push of the new owner' })
    }
  })

  test('the move of an empty slot, without a push, begins an epoch and drops a known miss', async () => {
    const nodes = cluster.nodes.map(({ host, port }) => `redis://${host}:${port}`)
    const cache = await tracked({ redis: { cluster: { nodes } } })
    let epochs = 0
    cache.on('epoch', () => epochs++)
    const slot = await cluster.slotOf('p:empty')
    expect(await cache.get('empty')).toBeUndefined()
    await warmed(cache, 'elsewhere')
    const from = await cluster.masterOf(slot)
    const to = (await cluster.masters()).find((other) => other !== from) as number
    const before = epochs
    await cluster.beginMigration(slot, from, to)
    await cluster.finishMigration(slot, from, to)
    await cluster.ask(to, 'SET', 'p:empty', '"there"')
    expect(await cache.get('empty')).toBe('there')
    expect(epochs).toBeGreaterThan(before)
  })
})

describe('T1 a command sent on a lost connection is never executed late', () => {
  test('a delayed write is not executed after a newer write', async () => {
    const proxy = await scene.proxy()
    const cache = await tracked({ redis: proxy.url, commandTimeout: '300ms' })
    await cache.set('key', 'before')
    proxy.holdRequests()
    const delayed = cache.set('key', 'delayed')
    await waitUntil(() => proxy.heldRequestBytes > 0, { what: 'the command to be on its way' })
    const held = proxy.heldRequestBytes
    expect(held).toBeGreaterThan(0)
    const { toRelease } = await redialledPast(proxy, cache)
    expect(await delayed).toBe(false)
    expect(await cache.set('key', 'newer')).toBe(true)
    toRelease()
    await redis.ask('PING')
    for (let look = 0; look < 10; look++) {
      await redis.ask('PING')
      expect(await cache.get('key', { local: false })).toBe('newer')
    }
  })
})

/** Keeps the old connection open on the server, with its bytes held back, while the client reconnects. */
async function redialledPast(proxy: TcpProxy, cache: Cache): Promise<{ toRelease: () => void }> {
  const connected = new Promise((resolve) => cache.on('connect', resolve))
  const release = proxy.setAside()
  proxy.cutClients()
  await connected
  return { toRelease: release }
}
