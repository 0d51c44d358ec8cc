import assert from 'node:assert/strict'
import type { Register } from './check.ts'

export function conditionalChecks(check: Register, elapse: (ms: number) => Promise<void>): void {
  check('setIfAbsent stores only if there is no such key, of whatever type', async (backend) => {
    assert.equal(await backend.setIfAbsent('key', { first: true }), true)
    assert.equal(await backend.setIfAbsent('key', { second: true }), false)
    assert.deepEqual(await backend.get('key'), { first: true })
    await backend.incr('counter', 5)
    assert.equal(await backend.setIfAbsent('counter', 0), false)
    assert.equal(await backend.get('counter'), 5)
    await backend.addToSet('set', 'member')
    assert.equal(await backend.setIfAbsent('set', 0), false)
    assert.deepEqual(await backend.getSetMembers('set'), ['member'])
    await backend.delete('key')
    assert.equal(await backend.setIfAbsent('key', null), true)
    assert.equal(await backend.get('key'), null)
  })

  check('setIfAbsent gives a time to live to what it stores, and to nothing else', async (backend) => {
    await backend.setIfAbsent('short', 1, '60ms')
    await backend.setIfAbsent('long', 1, '50s')
    await backend.setIfAbsent('long', 2, '500s')
    await backend.setIfAbsent('default', 1)
    await backend.setIfAbsent('kept', 1, Number.POSITIVE_INFINITY)
    assert.ok(((await backend.getTtl('long')) as number) <= 50)
    assert.ok(((await backend.getTtl('default')) as number) > 3_500)
    assert.equal(await backend.getTtl('kept'), Number.POSITIVE_INFINITY)
    await elapse(100)
    assert.equal(await backend.setIfAbsent('short', 2), true)
    assert.equal(await backend.get('short'), 2)
  })

  check('of many callers of setIfAbsent one stores its value', async (backend) => {
    const stored = await Promise.all(
      Array.from({ length: 50 }, (_, index) => backend.setIfAbsent('key', index)),
    )
    assert.equal(stored.filter(Boolean).length, 1)
    assert.equal(await backend.get('key'), stored.indexOf(true))
  })

  check('getAndDelete answers a value and removes it', async (backend) => {
    assert.equal(await backend.getAndDelete('key'), undefined)
    for (const value of [{ a: [1, 'ü'] }, null, false, 0, '', 'text', 'x'.repeat(42)]) {
      await backend.set('key', value)
      assert.deepEqual(await backend.getAndDelete('key'), value)
      assert.equal(await backend.exists('key'), false)
    }
    await backend.incrBig('counter', 2n ** 53n + 1n)
    assert.equal(await backend.getAndDelete('counter'), 2n ** 53n + 1n)
    assert.equal(await backend.incr('counter'), 1)
    await backend.addToSet('set', 'member')
    assert.equal(await backend.getAndDelete('set'), undefined)
    assert.deepEqual(await backend.getSetMembers('set'), ['member'])
  })

  check('of many callers of getAndDelete one gets the value', async (backend) => {
    await backend.set('key', 'once')
    const got = await Promise.all(Array.from({ length: 50 }, () => backend.getAndDelete('key')))
    assert.deepEqual(
      got.filter((value) => value !== undefined),
      ['once'],
    )
  })
}
