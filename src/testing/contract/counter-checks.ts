import assert from 'node:assert/strict'
import { type Register, rejects } from './check.ts'

export function counterChecks(check: Register, elapse: (ms: number) => Promise<void>): void {
  check('a counter starts at its default and then adds', async (backend) => {
    assert.equal(await backend.incr('counter'), 1)
    assert.equal(await backend.incr('counter', 5), 6)
    assert.equal(await backend.decr('counter', 2), 4)
    assert.equal(await backend.incr('counter', -10), -6)
    assert.equal(await backend.incr('counter', 0), -6)
    assert.equal(await backend.incr('other', 1, { default: 100 }), 101)
    assert.equal(await backend.decr('third', 1, { default: 100 }), 99)
    assert.equal(await backend.incr('other', 1, { default: 5_000 }), 102)
    assert.equal(await backend.get('other'), 102)
  })

  check('concurrent increments are all counted', async (backend) => {
    const counts = await Promise.all(Array.from({ length: 200 }, () => backend.incr('counter')))
    assert.deepEqual(
      counts.sort((a, b) => a - b),
      Array.from({ length: 200 }, (_, index) => index + 1),
    )
  })

  check('a counter gets its time to live once, or each time where it slides', async (backend) => {
    await backend.incr('fixed', 1, { ttl: '50s' })
    await backend.incr('fixed', 1, { ttl: '500s' })
    assert.ok(((await backend.getTtl('fixed')) as number) <= 50)
    await backend.incr('sliding', 1, { ttl: '50s', slide: true })
    await backend.incr('sliding', 1, { ttl: '500s', slide: true })
    assert.ok(((await backend.getTtl('sliding')) as number) > 50)
    await backend.incr('short', 7, { ttl: '60ms' })
    await elapse(100)
    assert.equal(await backend.incr('short'), 1)
  })

  check('P28 64 bits are exact, and a count that cannot be told is refused and not made', async (backend) => {
    assert.equal(await backend.incr('counter', Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
    await rejects(backend.incr('counter'), 'CACHE_COUNTER_OVERFLOW')
    assert.equal(await backend.incrBig('counter', 2n), 2n ** 53n + 1n)
    assert.equal(await backend.incrBig('counter', 1n), 2n ** 53n + 2n)
    assert.equal(await backend.decrBig('counter', 2n ** 53n), 2n)
    assert.equal(await backend.incrBig('big', 2n ** 63n - 1n), 2n ** 63n - 1n)
    await rejects(backend.incrBig('big'), 'CACHE_COUNTER_OVERFLOW')
    assert.equal(await backend.incrBig('big', 0n), 2n ** 63n - 1n)
    await rejects(backend.incr('fresh', 1, { default: Number.MAX_SAFE_INTEGER }), 'CACHE_COUNTER_OVERFLOW')
    assert.equal(await backend.exists('fresh'), false)
    assert.equal(await backend.incrBig('low', -(2n ** 63n)), -(2n ** 63n))
    await rejects(backend.decrBig('low'), 'CACHE_COUNTER_OVERFLOW')
  })

  check('P28 get and getMany tell a counter exactly: beyond 2^53 as a bigint', async (backend) => {
    for (const [key, count] of [
      ['positive', 2n ** 53n + 1n],
      ['negative', -(2n ** 53n) - 1n],
      ['first', 2n ** 53n],
      ['round', 2n ** 60n],
      ['largest', 2n ** 63n - 1n],
      ['smallest', -(2n ** 63n)],
    ] as const) {
      await backend.incrBig(key, count)
      assert.equal(await backend.get(key), count)
      assert.deepEqual(await backend.getMany([key]), new Map([[key, count]]))
    }
    await backend.incr('safe', Number.MAX_SAFE_INTEGER)
    assert.equal(await backend.get('safe'), Number.MAX_SAFE_INTEGER)
  })

  check('counting on something that is not a counter is refused and changes nothing', async (backend) => {
    for (const value of ['text', 1.5, { a: 1 }, null, '12']) {
      await backend.set('key', value)
      await rejects(backend.incr('key'), 'CACHE_NOT_A_COUNTER')
      assert.deepEqual(await backend.get('key'), value)
    }
    await backend.addToSet('set', 'member')
    await rejects(backend.incr('set'), 'CACHE_WRONG_TYPE')
    assert.deepEqual(await backend.getSetMembers('set'), ['member'])
  })
}
