import assert from 'node:assert/strict'
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

  it('G4 generations outlive the entries that depend on them, and are renewed by use', async () => {
    const cache = await scene.open({ ttl: '1h' })
    await cache.getOrSet('key', () => 1, { tags: ['a'] })
    const days = async (key: string) => Number(await ask('PTTL', key)) / 86_400_000
    assert.ok((await days('shop:\0tag:a')) > 29)
    assert.ok((await days('shop:\0namespace')) > 29)
    await ask('PEXPIRE', 'shop:\0tag:a', 60_000)
    const other = await scene.open({ ttl: '1h' })
    await other.set('another', 1, { tags: ['a'] })
    assert.ok((await days('shop:\0tag:a')) > 29)
    assert.equal(await other.get('key'), 1, 'renewing its time to live does not renew the generation')
  })

  it('G4 the key of an entry cannot collide with the key of a generation', async () => {
    const cache = await scene.open()
    await assert.rejects(cache.set('\0tag:a', 1), { code: 'CACHE_INVALID_KEY' })
    await assert.rejects(cache.backend.set('\0tag:a', 1), { code: 'CACHE_INVALID_KEY' })
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
    await cache.backend.incr('counter')
    await cache.backend.addToSet('set', 'member')
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
