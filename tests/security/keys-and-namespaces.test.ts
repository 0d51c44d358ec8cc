import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { useScene } from '../support/scene.ts'

const scene = useScene()

/** Keys that somebody chose who would like to reach what lies elsewhere. */
const HOSTILE = [
  'orders:1',
  ':orders:1',
  'shop:orders:1',
  '../orders:1',
  '*',
  'findUser("ann")',
  'orders:1\n',
  '{orders:1}',
]

describe('a key that a user chose', () => {
  it('does not lead out of a namespace', async () => {
    const cache = await scene.open()
    const [orders, input] = [cache.namespace('orders'), cache.namespace('input')]
    await orders.set('1', 'an order')
    await cache.set('findUser("ann")', 'a user')
    for (const key of HOSTILE) {
      assert.equal(await input.get(key), undefined, key)
      await input.set(key, 'forged')
      await input.sets.addToSet(`${key} set`, 'forged')
      assert.equal(await input.get(key), 'forged')
      assert.equal(await input.delete(key), true)
      await input.counters.incr(key)
    }
    await input.invalidatePattern('*')
    assert.equal(await orders.get('1', { local: false }), 'an order')
    assert.equal(await cache.get('findUser("ann")', { local: false }), 'a user')
    await input.set('stays', 1)
    const stored = (await scene.redis.ask('KEYS', 'shop:*stays')) as unknown[]
    assert.deepEqual(stored.map(String), ['shop:input:stays'])
  })

  it('leads from the root into a namespace of that name, as the page on namespaces warns', async () => {
    const cache = await scene.open()
    const orders = cache.namespace('orders')
    await orders.set('1', 'an order')
    assert.equal(await cache.get('orders:1'), 'an order')
    assert.equal(await cache.namespace('orders:eu').get('1'), undefined)
    await cache.namespace('orders').namespace('eu').set('1', 'an order from there')
    assert.equal(await cache.get('orders:eu:1'), 'an order from there')
    assert.equal(await cache.delete('orders:1'), true)
    assert.equal(await orders.get('1'), undefined)
  })

  it('at the root does not make a namespace serve what it stores there', async () => {
    const cache = await scene.open()
    await cache.set('orders:1', 'forged')
    assert.equal(await cache.namespace('orders').get('1'), undefined)
    assert.equal(await cache.namespace('orders').getOrSet('1', () => 'an order'), 'an order')
  })
})
