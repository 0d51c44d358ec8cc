import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { clock, one, open, redis, reopen, TIMEOUT_MS, timed, two, useTwoCaches, warm } from './two-caches.ts'

useTwoCaches()

describe('when replies are lost', () => {
  it('a write that took effect counts as failed, and the next read loads', async () => {
    await warm('key', 'old')
    redis.faults.loseReplies({ commands: 'writes', times: 1 })
    assert.deepEqual(await timed(one.set('key', 'unknown')), { value: false, tookMs: TIMEOUT_MS })
    assert.equal(two.peek('key'), undefined)
    assert.equal(await one.getOrSet('key', () => 'loaded'), 'loaded')
  })

  it('a counter reports an unknown result', async () => {
    const backend = redis.backend()
    await backend.initialize()
    redis.faults.loseReplies({ times: 1 })
    await assert.rejects(timed(backend.incr('counter')), { code: 'CACHE_AMBIGUOUS' })
    assert.equal(await backend.incr('counter'), 2)
  })
})

describe('when messages are lost', () => {
  it('another cache serves the old value until its TTL ends', async () => {
    await warm('key', 'old')
    redis.faults.loseMessages()
    assert.equal(await one.set('key', 'new'), true)
    assert.equal(one.peek('key'), undefined, 'who writes knows it')
    assert.equal(await two.get('key'), 'old')
    assert.equal(await two.get('key', { local: false }), 'new')
    await reopen('two')
    await two.get('key')
    await one.set('key', 'newer')
    await clock.advance('299s')
    assert.equal(await two.get('key'), 'new')
    await clock.advance('1s')
    assert.notEqual(await two.get('key'), 'new')
  })

  it('another cache drops the old value when the connection is lost, not when the fault is healed', async () => {
    await warm('key', 'old')
    redis.faults.loseMessages()
    await one.set('key', 'new')
    redis.faults.heal()
    assert.equal(await two.get('key'), 'old')
    redis.faults.disconnect()
    assert.equal(await two.get('key'), 'new')
  })

  it('a caller that waits for the load of another process polls after half a second', async () => {
    redis.faults.loseMessages()
    const load = () => new Promise((resolve) => clock.after(100, () => resolve('loaded')))
    const loading = one.getOrSet('key', load)
    await clock.settle()
    const waiting = await timed(two.getOrSet('key', () => 'never'))
    assert.equal(waiting.value, 'loaded')
    assert.ok(waiting.tookMs >= 500 && waiting.tookMs < 510, `${waiting.tookMs} ms`)
    assert.equal(await loading, 'loaded')
  })
})

describe('when connections are lost', () => {
  it('a local copy is not served until it has been read again', async () => {
    await warm('key', 'old')
    const epochs: string[] = []
    one.on('epoch', ({ coherence }) => epochs.push(coherence))
    redis.faults.disconnect()
    assert.deepEqual(epochs, ['none', 'tracking'], 'one for the loss, one for the new connection')
    assert.equal(one.peek('key'), undefined)
    assert.equal(await one.get('key'), 'old')
    assert.equal(one.peek('key'), 'old')
  })

  it('pending commands fail, and those that had not arrived never arrive', async () => {
    const backend = redis.backend({ errors: 'throw' })
    await backend.initialize()
    redis.faults.slow('500ms')
    const writing = backend.set('key', 'lost')
    const lost = assert.rejects(writing, { code: 'CACHE_DISCONNECTED' })
    await clock.advance('100ms')
    redis.faults.disconnect()
    await lost
    redis.faults.heal()
    await clock.advance('10s')
    assert.equal(await backend.exists('key'), false)
  })

  it('a load loses its lease with its connection', async () => {
    const loading = one.getOrSet(
      'key',
      () => new Promise((resolve) => clock.after(500, () => resolve('unsure'))),
    )
    await clock.settle()
    redis.faults.disconnect()
    await clock.advance('1s')
    assert.equal(await loading, 'unsure')
    assert.equal(await one.get('key'), undefined)
  })

  it('if Redis also refuses, loads continue, and pending invalidations are delivered first afterwards', async () => {
    await warm('key', 'old')
    redis.faults.fail()
    redis.faults.disconnect()
    assert.equal(one.peek('key'), undefined)
    assert.equal(await one.getOrSet('key', () => 'loaded'), 'loaded')
    assert.equal(await one.invalidateTags(['tag']), false)
    assert.equal(await one.delete('key'), false)
    await clock.advance('1m')
    redis.faults.heal()
    assert.equal(await one.get('key'), undefined)
    assert.equal(await two.get('key'), undefined, 'it was delivered before the other one read')
    assert.equal(await one.getOrSet('key', () => 'new'), 'new')
    assert.equal(await two.getOrSet('key', () => 'never'), 'new')
  })

  it('a stale value is served if the source fails and staleIfError is set', async () => {
    const patient = open({ staleIfError: '1h' })
    await patient.getOrSet('key', () => 'old')
    redis.faults.fail()
    redis.faults.disconnect()
    const broken = () => Promise.reject(new Error('the source is down, too'))
    assert.equal(await patient.getOrSet('key', broken), 'old')
  })
})
