import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { useScene } from '../support/scene.ts'
import { refusals, TIERS } from './slot-tiers.ts'

describe.each(TIERS)('a slot in %s', (_tier, optionsOf) => {
  const scene = useScene({ cluster: { replicasPerMaster: 0 } })
  const open = () => scene.open(optionsOf(scene))

  it('does not replace a plain value: nothing tells whether it is still the same one', async () => {
    const cache = await open()
    const reasons = refusals(cache)
    await cache.plain.set('key', 'plain')
    const slot = await cache.reserve('key')
    assert.deepEqual([slot.isHit, slot.value, await slot.fill('late')], [true, 'plain', false])
    assert.deepEqual(reasons, ['unreserved'])
  })

  it('leaves a plain value alone that lacks the tags of the call, also a counter', async () => {
    const cache = await open()
    const reasons = refusals(cache)
    await cache.plain.set('key', 'plain')
    const slot = await cache.reserve('key', { tags: ['tag'] })
    assert.deepEqual([slot.isHit, await slot.fill('late')], [false, false])
    assert.equal(await cache.plain.get('key'), 'plain')
    assert.equal(await cache.counters.incr('counter', 5), 5)
    await (await cache.reserve('counter', { tags: ['tag'] })).fill(1)
    assert.equal(await cache.counters.incr('counter', 5), 10)
    assert.deepEqual(reasons, ['unreserved', 'unreserved'])
  })

  it('of a key that holds a set stores nothing', async () => {
    const cache = await open()
    await cache.sets.addToSet('key', 'member')
    const slot = await cache.reserve('key')
    assert.deepEqual([slot.isHit, await slot.fill('value')], [false, false])
    assert.deepEqual(await cache.sets.getSetMembers('key'), ['member'])
  })
})
