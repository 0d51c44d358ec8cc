import assert from 'node:assert/strict'
import type { Register } from './check.ts'

export function setChecks(check: Register, elapse: (ms: number) => Promise<void>): void {
  check('members are added once, listed and removed', async (backend) => {
    assert.deepEqual(await backend.getSetMembers('set'), [])
    assert.equal(await backend.addToSet('set', 'a'), true)
    assert.equal(await backend.addToSet('set', 'a'), false)
    assert.equal(await backend.addManyToSet('set', ['a', 'b', 'ü', 'b']), 2)
    assert.equal(await backend.addManyToSet('set', []), 0)
    assert.deepEqual((await backend.getSetMembers('set')).sort(), ['a', 'b', 'ü'])
    assert.equal(await backend.removeFromSet('set', 'a'), true)
    assert.equal(await backend.removeFromSet('set', 'a'), false)
    await backend.removeFromSet('set', 'b')
    await backend.removeFromSet('set', 'ü')
    assert.equal(await backend.exists('set'), false)
  })

  check('a set of many members is listed whole', async (backend) => {
    const members = Array.from({ length: 5_000 }, (_, index) => `member:${index}`)
    assert.equal(await backend.addManyToSet('set', members), 5_000)
    assert.deepEqual((await backend.getSetMembers('set')).sort(), members.sort())
    assert.equal(await backend.delete('set'), true)
  })

  check('a set expires as it was told when it was created', async (backend) => {
    await backend.addToSet('set', 'a', { ttl: '250ms' })
    await backend.addToSet('set', 'b', { ttl: '1h' })
    await elapse(300)
    assert.deepEqual(await backend.getSetMembers('set'), [])
    await backend.addToSet('sliding', 'a', { ttl: '10s' })
    await backend.addToSet('sliding', 'b', { ttl: '100s', slide: true })
    assert.ok(((await backend.getTtl('sliding')) as number) > 10)
  })

  check('sets and values do not mix', async (backend) => {
    await backend.set('value', 'text')
    await backend.addToSet('set', 'member')
    assert.equal(await backend.addToSet('value', 'member'), false)
    assert.deepEqual(await backend.getSetMembers('value'), [])
    assert.equal(await backend.removeFromSet('value', 'member'), false)
    assert.equal(await backend.get('value'), 'text')
    assert.equal(await backend.get('set'), undefined)
    assert.deepEqual(
      await backend.getMany(['set', 'value']),
      new Map([
        ['set', undefined],
        ['value', 'text'],
      ]),
    )
    assert.equal(await backend.set('set', 'now a value'), true)
    assert.equal(await backend.get('set'), 'now a value')
  })
}
