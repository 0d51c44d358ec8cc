import assert from 'node:assert/strict'
import type { Cache } from 'cachewright'
import { describe, it } from 'vitest'
import { waitUntil } from '../../testbed/wait-until.ts'
import { heldLoader } from '../support/loaders.ts'
import { useScene } from '../support/scene.ts'

describe('tags and generations', () => {
  const scene = useScene()
  const ask = (...command: readonly (string | number | Buffer)[]) => scene.redis.ask(...command)

  it('G1 a generation is the server time and 64 random bits, and is never used again', async () => {
    const cache = await scene.open()
    const seen = new Set<unknown>()
    for (let round = 0; round < 500; round++) {
      await cache.invalidateTags(['a'])
      // As the server dumps it, since most generations are no text.
      seen.add(await ask('EVAL', "return redis.sha1hex(redis.call('GET', KEYS[1]))", 1, 'shop:\0tag:a'))
    }
    assert.equal(seen.size, 500)
    assert.equal(await ask('STRLEN', 'shop:\0tag:a'), 16)
    const seconds = await ask(
      'EVAL',
      "return struct.unpack('>I4', redis.call('GET', KEYS[1]))",
      1,
      'shop:\0tag:a',
    )
    assert.ok(Math.abs(Number(seconds) - Date.now() / 1_000) < 60)
  })

  it('G2 an invalidation between capture and load, and one during the load, defeat the fill', async () => {
    const cache = await scene.open()
    const other = await scene.open()
    for (const tag of ['fresh', 'known']) {
      if (tag === 'known') await cache.getOrSet('first', () => 0, { tags: [tag] })
      const held = heldLoader('old')
      const load = cache.getOrSet('key', held.load, { tags: [tag] })
      await held.begun
      assert.equal(await other.invalidateTags([tag]), true)
      held.release()
      assert.equal(await load, 'old')
      assert.equal(await other.getOrSet('key', () => `new ${tag}`, { tags: [tag] }), `new ${tag}`)
      assert.equal(await cache.get('key', { local: false }), `new ${tag}`)
      await cache.delete('key')
    }
  })

  it('G3 a tag that the loader adds binds to a generation known before the load, or not at all', async () => {
    const cache = await scene.open()
    const load = (value: string) =>
      cache.getOrSet('key', (context) => {
        context.addTags(['late'])
        return value
      })
    assert.equal(await load('first'), 'first')
    assert.equal(await cache.get('key'), undefined, 'the tag was not known, so nothing was stored')
    assert.equal(await load('second'), 'second')
    assert.equal(await load('third'), 'second', 'it is remembered for the next load')
    await cache.invalidateTags(['late'])
    assert.equal(await load('fourth'), 'fourth')
  })

  const MINUTE = 60_000
  const leftMs = async (key: string) => Number(await ask('PTTL', `shop:${key}`))

  it('G4 generations outlive the entries that depend on them, and are renewed by use', async () => {
    const cache = await scene.open({ ttl: '1h' })
    await cache.getOrSet('key', () => 1, { tags: ['a'] })
    for (const key of ['\0tag:a', '\0namespace']) assert.ok((await leftMs(key)) > 3 * 60 * MINUTE)
    await ask('PEXPIRE', 'shop:\0tag:a', 60_000)
    const other = await scene.open({ ttl: '1h' })
    await other.set('another', 1, { tags: ['a'] })
    assert.ok((await leftMs('\0tag:a')) > 3 * 60 * MINUTE)
    assert.equal(await other.get('key'), 1, 'renewing its time to live does not renew the generation')
  })

  it('G4 the tags of short-lived entries leave no keys for long', async () => {
    const cache = await scene.open({ ttl: '1s' })
    await cache.getOrSet('loaded', () => 1, { tags: ['a'] })
    await cache.set('written', 1, { tags: ['b'] })
    await cache.invalidateTags(['a', 'c'])
    for (const key of ['\0tag:a', '\0tag:b', '\0tag:c', '\0namespace']) {
      assert.ok((await leftMs(key)) <= 10 * MINUTE, key)
    }
  })

  it('G4 a generation follows the longest entry that bears it, in whichever way that got its time to live', async () => {
    const DAY = 24 * 60 * MINUTE
    const ways: Record<string, (cache: Cache) => Promise<unknown>> = {
      ttl: (cache) => cache.set('key', 1, { tags: ['a'], ttl: '10d' }),
      'stale window': (cache) => cache.set('key', 1, { tags: ['a'], staleIfError: '10d' }),
      loader: (cache) =>
        cache.getOrSet(
          'key',
          (context) => {
            context.setTtl('10d')
            return 1
          },
          { tags: ['a'] },
        ),
      'tag of the loader': (cache) =>
        cache.getOrSet(
          'key',
          (context) => {
            context.addTags(['a'])
            return 1
          },
          { ttl: '10d' },
        ),
    }
    for (const [name, store] of Object.entries(ways)) {
      await ask('FLUSHALL')
      const cache = await scene.open({ ttl: '1s' })
      await cache.set('short', 1, { tags: ['a'] })
      assert.ok((await leftMs('\0tag:a')) <= 10 * MINUTE, name)
      await store(cache)
      for (const key of ['\0tag:a', '\0namespace']) {
        await waitUntil(async () => (await leftMs(key)) > 20 * DAY, { what: `${key} to outlive the ${name}` })
      }
      await cache.set('short', 2, { tags: ['a'] })
      await cache.invalidateTags(['a'])
      assert.ok((await leftMs('\0tag:a')) > 20 * DAY, 'the next generation lives as long')
    }
  })

  it('G4 entries with many different times to live seldom extend a generation', async () => {
    const [cache, other] = await Promise.all([scene.open(), scene.open()])
    await cache.set('first', 1, { tags: ['a'], ttl: '1h' })
    await other.get('first')
    await ask('CONFIG', 'RESETSTAT')
    for (let number = 0; number < 300; number++) {
      await cache.set(`key:${number}`, 1, { tags: ['a'], ttl: 60 * (number + 1) })
    }
    const extended = /cmdstat_pexpire:calls=(\d+)/.exec(String(await ask('INFO', 'commandstats')))?.[1] ?? 0
    // From one hour to five: two generations, three doublings at most.
    assert.ok(Number(extended) <= 6, String(extended))
    assert.equal(other.peek('first') ?? (await other.get('first')), 1)
  })

  it('G4 the key of an entry cannot collide with the key of a generation', async () => {
    const cache = await scene.open()
    await assert.rejects(cache.set('\0tag:a', 1), { code: 'CACHE_INVALID_KEY' })
    await assert.rejects(cache.plain.set('\0tag:a', 1), { code: 'CACHE_INVALID_KEY' })
    assert.throws(() => cache.namespace('\0'), { code: 'CACHE_INVALID_KEY' })
    await cache.getOrSet('key', () => 1, { tags: ['a'] })
    assert.equal(await cache.invalidatePattern('*'), 1)
    assert.equal(await ask('EXISTS', 'shop:\0tag:a', 'shop:\0namespace'), 2)
  })

  it('G5 clear() invalidates at once, and reclaims older entries in the background', async () => {
    const cache = await scene.open()
    const other = await scene.open()
    await cache.setMany(
      Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`key:${index}`, index])),
    )
    await cache.counters.incr('counter')
    await cache.sets.addToSet('set', 'member')
    await ask('SET', 'shop:plain', '"text"')
    await ask('SET', 'elsewhere', 'stays')
    assert.equal(await other.get('key:1'), 1)
    assert.equal(await cache.clear(), true)
    assert.equal(await cache.set('newer', 'stays'), true)
    assert.equal(await cache.get('key:1'), undefined)
    assert.equal(await other.get('key:1', { local: false }), undefined)
    await waitUntil(async () => Number(await ask('DBSIZE')) === 3, { what: 'the space is reclaimed' })
    assert.equal(await cache.get('newer'), 'stays')
    assert.equal(await ask('EXISTS', 'elsewhere', 'shop:\0namespace'), 2)
  })

  it('G5 an entry of a namespace depends on the parent namespaces, too', async () => {
    const cache = await scene.open()
    const [orders, users] = [cache.namespace('orders'), cache.namespace('users')]
    for (const namespace of [orders, users]) await namespace.getOrSet('key', () => 'old')
    await orders.clear()
    assert.equal(await orders.get('key'), undefined)
    assert.equal(await users.get('key'), 'old')
    await cache.clear()
    assert.equal(await users.get('key'), undefined)
    await cache.set('users:key', 'stored through the root')
    assert.equal(await users.get('key'), undefined, 'it does not bear the generation of the namespace')
  })

  it('S1 a load that began before a pattern or a clear, or while it walks, is not stored', async () => {
    const cache = await scene.open()
    await cache.setMany(
      Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`key:${index}`, index])),
    )
    const before = heldLoader('old')
    const during = heldLoader('old')
    const first = cache.getOrSet('load:1', before.load)
    await before.begun
    const removal = cache.invalidatePattern('*', {
      onProgress: () => void cache.getOrSet('load:2', during.load),
    })
    await removal
    before.release()
    during.release()
    await first
    assert.notEqual(await cache.getOrSet('load:1', () => 'new'), 'old')
    assert.equal(cache.peek('key:1'), undefined)
  })
})
