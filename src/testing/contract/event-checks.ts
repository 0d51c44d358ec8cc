import assert from 'node:assert/strict'
import type { CacheEvents } from '../../contract/cache-events.ts'
import type { CacheErrorCode } from '../../foundation/errors/cache-error.ts'
import { type Register, rejects } from './check.ts'
import { listed } from './key-checks.ts'

export function eventChecks(check: Register): void {
  check('operations tell what they did', async (backend) => {
    const told: [keyof CacheEvents, unknown][] = []
    for (const event of ['hit', 'miss', 'set', 'delete', 'invalidate'] as const) {
      backend.on(event, (payload) => told.push([event, payload]))
    }
    await backend.get('key')
    await backend.set('key', 'four', '10s')
    await backend.get('key')
    await backend.delete('key')
    await backend.invalidatePattern('k*')
    await backend.setIfAbsent('key', 'four', '20s')
    await backend.setIfAbsent('key', 'five', '20s')
    await backend.setMany([['key', 'four', '30s']], '40s')
    await backend.getAndDelete('key')
    await backend.getAndDelete('key')
    const bytes = (told[1]?.[1] as { bytes: number } | undefined)?.bytes ?? 0
    assert.ok(bytes >= 6, `${bytes}`)
    const namespace = ''
    assert.deepEqual(told, [
      ['miss', { namespace, key: 'key', reason: 'absent' }],
      ['set', { namespace, key: 'key', ttlMs: 10_000, bytes }],
      ['hit', { namespace, key: 'key', tier: 'shared' }],
      ['delete', { namespace, keys: ['key'], removed: 1 }],
      ['invalidate', { namespace, tags: undefined, pattern: 'k*', removed: 0 }],
      ['set', { namespace, key: 'key', ttlMs: 20_000, bytes }],
      ['set', { namespace, key: 'key', ttlMs: 30_000, bytes }],
      ['delete', { namespace, keys: ['key'], removed: 1 }],
      ['hit', { namespace, key: 'key', tier: 'shared' }],
      ['delete', { namespace, keys: ['key'], removed: 0 }],
      ['miss', { namespace, key: 'key', reason: 'absent' }],
    ])
  })

  check('a listener that throws or unsubscribes disturbs nobody', async (backend) => {
    let heard = 0
    backend.on('hit', () => {
      throw new Error('listener')
    })
    const unsubscribe = backend.on('hit', () => heard++)
    await backend.set('key', 1)
    assert.equal(await backend.get('key'), 1)
    unsubscribe()
    unsubscribe()
    assert.equal(await backend.get('key'), 1)
    assert.equal(heard, 1)
  })

  check('an absorbed failure is told in an event', async (backend) => {
    const errors: CacheErrorCode[] = []
    backend.on('error', ({ error, key, namespace, operation }) => {
      errors.push(error.code)
      assert.deepEqual(
        [namespace, key, operation, error.key, error.operation],
        ['', 'value', 'addToSet', 'value', 'addToSet'],
      )
    })
    await backend.set('value', 'text')
    assert.equal(await backend.addToSet('value', 'member'), false)
    assert.deepEqual(errors, ['CACHE_WRONG_TYPE'])
  })

  check(
    'with errors thrown, a failure rejects',
    async (backend) => {
      await backend.set('value', 'text')
      await rejects(backend.addToSet('value', 'member'), 'CACHE_WRONG_TYPE')
      await rejects(backend.getSetMembers('value'), 'CACHE_WRONG_TYPE')
      await rejects(backend.invalidatePattern('*', { signal: AbortSignal.abort() }), 'CACHE_ABORTED')
      await backend.shutdown()
      await rejects(backend.get('value'), 'CACHE_CLOSED')
      await rejects(backend.getMany(['value']), 'CACHE_CLOSED')
      await rejects(backend.set('value', 1), 'CACHE_CLOSED')
      await rejects(backend.setIfAbsent('value', 1), 'CACHE_CLOSED')
      await rejects(backend.getAndDelete('value'), 'CACHE_CLOSED')
      await rejects(backend.touch('value'), 'CACHE_CLOSED')
      await rejects(backend.persist('value'), 'CACHE_CLOSED')
      await rejects(backend.existsMany(['value']), 'CACHE_CLOSED')
      await rejects(backend.getTtlMany(['value']), 'CACHE_CLOSED')
    },
    'throw',
  )
}

export function forgetfulChecks(check: Register): void {
  check('acknowledges every write and answers misses', async (backend) => {
    assert.equal(await backend.set('key', 1), true)
    assert.equal(await backend.setMany({ key: 1 }), true)
    assert.equal(await backend.get('key'), undefined)
    assert.deepEqual(await backend.getMany(['key']), new Map([['key', undefined]]))
    assert.equal(await backend.exists('key'), false)
    assert.equal(await backend.delete('key'), false)
    assert.equal(await backend.deleteMany(['key']), 0)
    assert.equal(await backend.setIfAbsent('key', 1), true)
    assert.equal(await backend.getAndDelete('key'), undefined)
    assert.equal(await backend.touch('key'), false)
    assert.equal(await backend.persist('key'), false)
    assert.deepEqual(await backend.existsMany(['key']), new Map([['key', false]]))
    assert.deepEqual(await backend.getTtlMany(['key']), new Map([['key', undefined]]))
    assert.deepEqual(await listed(backend), [])
    assert.equal(await backend.getTtl('key'), undefined)
    assert.equal(await backend.incr('key', 2, { default: 40 }), 42)
    assert.equal(await backend.incr('key'), 1)
    assert.equal(await backend.addToSet('set', 'member'), true)
    assert.deepEqual(await backend.getSetMembers('set'), [])
    assert.equal(await backend.removeFromSet('set', 'member'), false)
    assert.equal(await backend.invalidatePattern('*'), 0)
    assert.equal(await backend.clear(), true)
  })
}
