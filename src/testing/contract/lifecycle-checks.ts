import assert from 'node:assert/strict'
import type { ContractSuiteOptions } from './check.ts'
import { type Register, rejects } from './check.ts'

export function lifecycleChecks(check: Register, options: ContractSuiteOptions): void {
  check('initialize and shutdown are idempotent and may be called at the same time', async (backend) => {
    await Promise.all([backend.initialize(), backend.initialize()])
    await Promise.all([backend.shutdown(), backend.shutdown()])
    await backend.shutdown()
  })

  check('operations are refused before initialize and absorbed after shutdown', async (_, prefix) => {
    const backend = await options.createBackend({ prefix })
    await rejects(backend.get('key'), 'CACHE_NOT_INITIALIZED')
    await rejects(backend.set('key', 1), 'CACHE_NOT_INITIALIZED')
    await rejects(backend.getMany(['key']), 'CACHE_NOT_INITIALIZED')
    await backend.initialize()
    await backend.shutdown()
    assert.equal(await backend.get('key'), undefined)
    assert.equal(await backend.set('key', 1), false)
    assert.deepEqual(await backend.getMany(['key']), new Map([['key', undefined]]))
    await rejects(backend.incr('key'), 'CACHE_CLOSED')
  })

  check('a backend can be initialized again after a shutdown', async (backend) => {
    await backend.shutdown()
    await backend.initialize()
    assert.equal(await backend.set('key', 1), true)
  })
}
