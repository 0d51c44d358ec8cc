import assert from 'node:assert/strict'
import type { ContractSuiteOptions } from './check.ts'
import { type Register, rejects } from './check.ts'
import { listed } from './key-checks.ts'

export function lifecycleChecks(check: Register, options: ContractSuiteOptions): void {
  check('initialize and shutdown are idempotent and may be called at the same time', async (backend) => {
    await Promise.all([backend.initialize(), backend.initialize()])
    await Promise.all([backend.shutdown(), backend.shutdown()])
    await backend.shutdown()
  })

  check('the first operations open the backend', async (_, prefix) => {
    const backend = await options.createBackend({ prefix })
    const first = [backend.set('key', 1), backend.setMany({ other: 1 }), backend.incr('count')]
    assert.deepEqual(await Promise.all(first), [true, true, 1])
    await backend.initialize()
    await backend.shutdown()
  })

  check('a bad argument of the first operation is refused as at any time', async (_, prefix) => {
    const backend = await options.createBackend({ prefix })
    await rejects(backend.get(''), 'CACHE_INVALID_KEY')
    await rejects(backend.set('key', undefined), 'CACHE_INVALID_VALUE')
    await rejects(backend.setMany({ key: undefined }), 'CACHE_INVALID_VALUE')
    await rejects(backend.setIfAbsent('key', undefined), 'CACHE_INVALID_VALUE')
    await rejects(listed(backend, ''), 'CACHE_INVALID_ARGUMENT')
    await backend.shutdown()
  })

  check('a backend that was shut down stays closed', async (_, prefix) => {
    const unused = await options.createBackend({ prefix })
    const used = await options.createBackend({ prefix })
    await used.initialize()
    for (const backend of [unused, used]) {
      await backend.shutdown()
      await rejects(backend.initialize(), 'CACHE_CLOSED')
      assert.equal(await backend.get('key'), undefined)
      assert.equal(await backend.set('key', 1), false)
      assert.deepEqual(await backend.getMany(['key']), new Map([['key', undefined]]))
      assert.deepEqual(await backend.existsMany(['key']), new Map([['key', false]]))
      assert.deepEqual(await backend.getTtlMany(['key']), new Map([['key', undefined]]))
      assert.deepEqual(await listed(backend), [])
      await rejects(backend.incr('key'), 'CACHE_CLOSED')
    }
  })
}
