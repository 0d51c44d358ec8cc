import assert from 'node:assert/strict'
import { CacheError } from 'cachewright'
import { describe, it } from 'vitest'
import {
  clock,
  errors,
  one,
  open,
  redis,
  reopen,
  TIMEOUT_MS,
  timed,
  two,
  useTwoCaches,
  warm,
} from './two-caches.ts'

useTwoCaches()

describe('when Redis is slow', () => {
  it('a load takes three slow round trips, and a local hit none', async () => {
    await one.initialize()
    redis.faults.slow('200ms')
    assert.deepEqual(await timed(one.getOrSet('key', () => 1)), { value: 1, tookMs: 600 })
    assert.deepEqual(await timed(one.getOrSet('key', () => 2)), { value: 1, tookMs: 0 })
    assert.deepEqual(errors, [])
  })

  it('a load is answered within the deadline even if Redis is slower', async () => {
    await one.initialize()
    redis.faults.slow('5s')
    assert.deepEqual(await timed(one.getOrSet('key', () => 'loaded')), {
      value: 'loaded',
      tookMs: TIMEOUT_MS,
    })
    assert.deepEqual(errors, ['CACHE_TIMEOUT'])
  })

  it('a write that timed out still arrives, and is undone before a read', async () => {
    await warm('key', 'old')
    redis.faults.slow('5s', { commands: 'writes', times: 1 })
    assert.deepEqual(await timed(one.set('key', 'given up')), { value: false, tookMs: TIMEOUT_MS })
    await clock.advance('10s')
    assert.equal(await two.get('key'), undefined)
    assert.equal(await one.get('key'), undefined)
  })

  it('commands keep their order behind a slow one', async () => {
    const backend = redis.backend()
    await backend.initialize()
    redis.faults.slow('200ms', { commands: 'writes', times: 1 })
    const both = Promise.all([backend.set('key', 1), backend.set('key', 2)])
    const read = await timed(backend.get('key'))
    assert.deepEqual(read, { value: 2, tookMs: 200 })
    assert.deepEqual(await both, [true, true])
  })

  it('waiting commands go first when it is healed', async () => {
    const backend = redis.backend()
    await backend.initialize()
    redis.faults.slow('500ms')
    const slow = backend.set('key', 'slow')
    redis.faults.heal()
    await backend.set('key', 'fast')
    assert.equal(await slow, true)
    assert.equal(await backend.get('key'), 'fast')
    await clock.advance('10s')
    assert.equal(await backend.get('key'), 'fast')
  })
})

describe('when Redis refuses', () => {
  it('loaders are called, and the failure emits an event', async () => {
    await one.initialize()
    redis.faults.fail()
    assert.deepEqual(await timed(one.getOrSet('key', () => 'loaded')), { value: 'loaded', tookMs: 0 })
    assert.equal(errors[0], 'CACHE_UNAVAILABLE')
  })

  it('a cache that cannot connect still answers, and connects by itself when Redis is healed', async () => {
    redis.faults.fail()
    assert.equal(await one.getOrSet('key', () => 'loaded'), 'loaded')
    await assert.rejects(one.initialize(), { code: 'CACHE_UNAVAILABLE' })
    redis.faults.heal()
    await clock.advance('5s')
    assert.equal(await one.set('key', 'stored'), true)
  })

  it('an invalidation is delivered before the first read after it', async () => {
    await warm('key', 'old')
    redis.faults.fail()
    assert.equal(await one.delete('key'), false)
    assert.equal(await two.get('key'), 'old', 'nobody could tell it')
    redis.faults.heal()
    assert.equal(await one.get('key'), undefined)
    assert.equal(two.peek('key'), undefined)
  })

  it('it refuses only the chosen commands, and only the chosen number of times', async () => {
    const backend = redis.backend()
    await backend.initialize()
    redis.faults.fail({ commands: 'writes', times: 2 })
    assert.equal(await backend.get('key'), undefined)
    assert.equal(await backend.set('key', 1), false)
    assert.equal(await backend.setMany({ key: 1 }), false)
    assert.equal(await backend.set('key', 2), true)
    redis.faults.fail({ commands: 'reads' })
    assert.equal(await backend.set('key', 3), true)
    assert.equal(await backend.get('key'), undefined)
    assert.deepEqual(await backend.getMany(['key']), new Map([['key', undefined]]))
    assert.equal(await backend.exists('key'), false)
    redis.faults.heal()
    assert.equal(await backend.get('key'), 3)
    assert.throws(() => redis.faults.fail({ times: 0 }), { code: 'CACHE_INVALID_ARGUMENT' })
  })

  it('it refuses with the given error', async () => {
    const backend = redis.backend({ errors: 'throw' })
    await backend.initialize()
    const error = new CacheError('CACHE_REPLY', 'Redis is full', { replyCode: 'OOM' })
    redis.faults.fail({ error, commands: 'writes' })
    await assert.rejects(backend.set('key', 1), { code: 'CACHE_REPLY', replyCode: 'OOM', operation: 'set' })
    await assert.rejects(backend.incr('counter'), { code: 'CACHE_REPLY' })
  })
})

describe('when Redis hangs', () => {
  it('every call ends at the deadline', async () => {
    await one.initialize()
    redis.faults.hang()
    assert.deepEqual(await timed(one.getOrSet('key', () => 'loaded')), {
      value: 'loaded',
      tookMs: TIMEOUT_MS,
    })
    assert.deepEqual(await timed(one.set('key', 1)), { value: false, tookMs: TIMEOUT_MS })
    assert.deepEqual(await timed(one.plain.get('key')), { value: undefined, tookMs: TIMEOUT_MS })
    assert.deepEqual(new Set(errors), new Set(['CACHE_TIMEOUT']))
    await assert.rejects(timed(one.counters.incr('counter')), { code: 'CACHE_AMBIGUOUS' })
    await assert.rejects(timed(open().initialize()), { code: 'CACHE_TIMEOUT' })
  })

  it('no call waits once the circuit has opened, until Redis is healed', async () => {
    await one.initialize()
    redis.faults.hang()
    for (let call = 0; call < 5; call++) await timed(one.getOrSet('key', () => call))
    assert.equal(one.circuit, 'open')
    assert.deepEqual(await timed(one.getOrSet('key', () => 'at once')), { value: 'at once', tookMs: 0 })
    redis.faults.heal()
    await clock.advance('1s')
    await one.getOrSet('key', () => 'stored')
    assert.equal(one.circuit, 'closed')
    assert.equal(one.peek('key'), 'stored')
  })

  it('local copies are served only while the connection is trusted', async () => {
    await reopen('one', { coherence: { trust: '3s' } })
    await warm('key', 'old')
    redis.faults.hang()
    await clock.advance('2999ms')
    assert.equal(one.peek('key'), 'old')
    await clock.advance('1ms')
    assert.equal(one.peek('key'), undefined)
    assert.deepEqual(await timed(one.getOrSet('key', () => 'loaded')), {
      value: 'loaded',
      tookMs: TIMEOUT_MS,
    })
    redis.faults.heal()
    assert.equal(one.peek('key'), 'old')
  })

  it('it executes pending commands once it resumes, and a write that timed out is undone', async () => {
    await warm('key', 'old')
    redis.faults.hang()
    const writing = one.set('key', 'given up')
    await clock.advance('2s')
    assert.equal(await writing, false)
    redis.faults.heal()
    assert.equal(await one.getOrSet('key', () => 'loaded'), 'loaded')
    assert.equal(await two.getOrSet('key', () => 'never'), 'loaded')
  })
})
