import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { KEY_1, KEY_2 } from '../codec/encrypted-codec.ts'
import { useScene } from '../support/scene.ts'
import { explained } from './explained-calls.ts'

describe('explain, over Redis, for entries that are not served', () => {
  const scene = useScene()
  const ask = (...command: readonly (string | number | Buffer)[]) => scene.redis.ask(...command)

  it('an invalidated entry: the tag is named', async () => {
    const [writer, cache] = [await scene.open(), await scene.open()]
    await cache.getOrSet('key', () => 1, { tags: ['users', 'team:7'] })
    await writer.invalidateTags(['team:7'])
    const { next, shared } = await explained(cache, 'key', { tags: ['users', 'team:7'] })
    assert.equal(next.step, 'load')
    assert.match(next.reason, /the tag 'team:7' was invalidated/)
    assert.deepEqual(
      shared.tags.map(({ name, verdict }) => [name, verdict]),
      [
        ['users', 'valid'],
        ['team:7', 'invalidated'],
      ],
    )
  })

  it('an entry of a cleared namespace: the namespace is named', async () => {
    const cache = await scene.open()
    const orders = cache.namespace('orders')
    await orders.set('1', 1)
    await ask('SET', 'shop:orders:\0namespace', Buffer.alloc(16, 7))
    const { next, shared } = await explained(cache, '1', {}, orders)
    assert.equal(next.step, 'load')
    assert.match(next.reason, /the namespace 'shop:orders:' was cleared/)
    assert.deepEqual(
      shared.namespaces.map(({ verdict }) => verdict),
      ['valid', 'invalidated'],
    )
  })

  it('an entry with a missing generation counts as invalidated', async () => {
    const cache = await scene.open()
    await cache.getOrSet('key', () => 1, { tags: ['users'] })
    await ask('DEL', 'shop:\0tag:users')
    const { next, shared } = await explained(cache, 'key', { tags: ['users'] })
    assert.equal(next.step, 'load')
    assert.match(next.reason, /the tag 'users' has no generation in Redis any more/)
    assert.equal(shared.tags[0]?.verdict, 'missing')
  })

  it('an entry that lacks a tag of this call is reloaded', async () => {
    const cache = await scene.open()
    await cache.getOrSet('key', () => 1, { tags: ['users'] })
    const { local, next, shared } = await explained(cache, 'key', { tags: ['users', 'new'] })
    assert.equal(next.step, 'load')
    assert.deepEqual(local.refusals, ['lacks-tag'])
    assert.equal(shared.tags.find(({ name }) => name === 'new')?.verdict, 'lacking')
  })

  it('an entry stored through another namespace is reloaded', async () => {
    const cache = await scene.open()
    await cache.getOrSet('orders:1', () => 1)
    const { local, next } = await explained(cache, '1', {}, cache.namespace('orders'))
    assert.deepEqual([next.step, local.refusals], ['load', ['other-namespace']])
    assert.match(next.reason, /stored without the namespace 'shop:orders:'/)
  })

  it('a plain value is served, but not to a call with tags', async () => {
    const cache = await scene.open()
    await ask('SET', 'shop:key', '"plain"')
    const { next, shared } = await explained(cache, 'key')
    assert.deepEqual([next.step, shared.state, shared.expiresIn], ['serve-shared', 'plain', null])
    const asking = await explained(cache, 'key', { tags: ['users'] })
    assert.deepEqual([asking.next.step, asking.shared.isUsable], ['load', false])
  })

  it('a key of another type cannot be cached', async () => {
    const cache = await scene.open()
    await ask('RPUSH', 'shop:key', 'member')
    const { next, shared } = await explained(cache, 'key')
    assert.deepEqual([next.step, shared.state, shared.expiresIn], ['load-uncached', 'foreign-type', null])
  })

  it('corrupt bytes and bytes of another key are replaced', async () => {
    const cache = await scene.open()
    await cache.set('key', 'a value')
    await ask('COPY', 'shop:key', 'shop:copy')
    await ask('SETRANGE', 'shop:key', 95, 'x')
    for (const key of ['key', 'copy']) {
      const { next, shared } = await explained(cache, key)
      assert.deepEqual(
        [next.step, shared.state, shared.error?.code],
        ['load', 'undecodable', 'CACHE_UNDECODABLE'],
      )
      assert.match(shared.error?.message ?? '', /checksum/)
    }
  })

  it('an entry encrypted with an unknown key names that key', async () => {
    const writer = await scene.open({ encryption: { keys: [KEY_1] } })
    const cache = await scene.open({ encryption: { keys: [KEY_2] } })
    await writer.set('key', 'a value')
    const { next, shared } = await explained(cache, 'key')
    assert.deepEqual([next.step, shared.state, shared.encryptionKeyId], ['load', 'undecodable', KEY_1.id])
    assert.equal((await writer.explain('key')).shared.error?.code, 'CACHE_UNDECODABLE', 'it was replaced')
  })
})
