import assert from 'node:assert/strict'
import type { CacheErrorCode } from 'cachewright'
import { RedisCacheBackend } from 'cachewright/redis'
import { ManualClock, SimulatedRedis } from 'cachewright/testing'
import { describe, it } from 'vitest'
import { useScene } from '../support/scene.ts'

const scene = useScene({ flush: false })

describe('a Redis backend without initialize()', () => {
  it('is opened by its first operations, which share one connection', async () => {
    await using backend = new RedisCacheBackend({ url: scene.redis.url, prefix: 'first:' })
    let connections = 0
    backend.on('connect', () => connections++)
    const [count, isStored] = await Promise.all([backend.incr('count'), backend.set('key', 1)])
    assert.deepEqual([count, isStored, connections], [1, true, 1])
    assert.equal(await backend.get('key'), 1)
  })

  it('answers as in any outage while there is no server, and opens with the next operation after that', async () => {
    const server = await scene.server()
    await server.kill()
    await using backend = new RedisCacheBackend({ url: server.url, prefix: 'first:' })
    const told: [CacheErrorCode, string][] = []
    backend.on('error', ({ error, operation }) => told.push([error.code, operation]))
    assert.equal(await backend.get('key'), undefined)
    assert.equal(await backend.set('key', 1), false)
    assert.deepEqual(await backend.getMany(['key']), new Map([['key', undefined]]))
    await assert.rejects(backend.incr('count'), { code: 'CACHE_UNAVAILABLE', operation: 'incr' })
    assert.deepEqual(
      told,
      ['get', 'set', 'getMany', 'incr'].map((operation) => ['CACHE_UNAVAILABLE', operation]),
    )
    await server.restart()
    assert.equal(await backend.incr('count'), 1)
  })
})

describe('a backend that Redis does not answer', () => {
  it('makes one operation at a time wait for an attempt, once the first has failed', async () => {
    const clock = new ManualClock()
    const redis = new SimulatedRedis({ clock, commandTimeout: '1s' })
    await using backend = redis.backend({ errors: 'throw' })
    redis.faults.hang()
    const first = Promise.allSettled([backend.get('a'), backend.get('b')])
    await clock.advance('1s')
    assert.deepEqual(await codesOf(first), ['CACHE_TIMEOUT', 'CACHE_TIMEOUT'])
    const trial = Promise.allSettled([backend.get('a'), backend.get('b')])
    await clock.settle()
    // Time stands still, so this one has not waited.
    await assert.rejects(backend.get('c'), { code: 'CACHE_TIMEOUT' })
    redis.faults.heal()
    assert.deepEqual(await codesOf(trial), ['fulfilled', 'fulfilled'])
  })
})

async function codesOf(settling: Promise<readonly PromiseSettledResult<unknown>[]>): Promise<unknown[]> {
  return (await settling).map((one) => (one.status === 'rejected' ? one.reason.code : one.status))
}
