import assert from 'node:assert/strict'
import type { CacheBackend, KeysOptions } from '../../contract/cache-backend.ts'
import { glob } from '../../foundation/glob.ts'
import { type ContractSuiteOptions, type Register, rejects } from './check.ts'

export function keyChecks(check: Register, options: ContractSuiteOptions): void {
  check('keys lists values, counters and sets without the prefix, each once', async (backend, prefix) => {
    await using neighbour = await options.createBackend({ prefix: `${prefix.slice(0, -1)}!:` })
    await neighbour.set('neighbour', 1)
    await backend.setMany({ value: 1, é: 2, '*': 3 })
    await backend.incr('counter')
    await backend.addToSet('set', 'member')
    await backend.set('gone', 1)
    await backend.delete('gone')
    assert.deepEqual(await listed(backend), ['*', 'counter', 'set', 'value', 'é'])
    await neighbour.clear()
  })

  check('keys lists what a pattern matches', async (backend) => {
    await backend.setMany({ 'user:1': 1, 'user:2': 2, 'user:10': 3, order: 4, '*': 5 })
    assert.deepEqual(await listed(backend, 'user:?'), ['user:1', 'user:2'])
    assert.deepEqual(await listed(backend, 'user:[^2]*'), ['user:1', 'user:10'])
    assert.deepEqual(await listed(backend, glob`${'*'}`), ['*'])
    assert.deepEqual(await listed(backend, 'nothing*'), [])
  })

  check('keys lists thousands of keys whole, and no more than its limit', async (backend) => {
    const names = Array.from({ length: 5_000 }, (_, index) => `key:${index}`)
    await backend.setMany(names.map((key) => [key, 0] as const))
    assert.deepEqual(await listed(backend, 'key:*'), names.toSorted())
    const some = await listed(backend, undefined, { limit: 1_234 })
    assert.equal(new Set(some).size, 1_234)
    assert.equal((await listed(backend, 'key:1*', { limit: 5_000 })).length, 1_111)
  })

  check('keys may be left at any point, and the store changed meanwhile', async (backend) => {
    const names = Array.from({ length: 3_000 }, (_, index) => `key:${index}`)
    await backend.setMany(names.map((key) => [key, 0] as const))
    for await (const key of backend.keys()) {
      assert.ok(names.includes(key))
      break
    }
    const thrown = new Error('the caller')
    const throwing = async () => {
      for await (const _ of backend.keys()) throw thrown
    }
    await assert.rejects(throwing, (error) => error === thrown)
    const removed = new Set<string>()
    for await (const key of backend.keys('key:*')) {
      removed.add(key)
      await backend.delete(key)
      await backend.set(`new:${key}`, 0)
    }
    assert.equal(removed.size, 3_000)
    assert.deepEqual(await listed(backend, 'key:*'), [])
  })

  check('each call of keys is a walk of its own', async (backend) => {
    await backend.setMany({ a: 1, b: 2 })
    const [one, other] = await Promise.all([listed(backend), listed(backend)])
    assert.deepEqual(
      [one, other],
      [
        ['a', 'b'],
        ['a', 'b'],
      ],
    )
  })

  check('an aborted signal ends the iteration with an error event', async (backend) => {
    const told: unknown[] = []
    backend.on('error', ({ error, operation }) => told.push([error.code, operation]))
    await backend.setMany({ a: 1, b: 2, c: 3 })
    assert.deepEqual(await listed(backend, undefined, { signal: AbortSignal.abort() }), [])
    const controller = new AbortController()
    const some: string[] = []
    for await (const key of backend.keys(undefined, { signal: controller.signal })) {
      some.push(key)
      controller.abort()
    }
    assert.equal(some.length, 1)
    assert.deepEqual(told, [
      ['CACHE_ABORTED', 'keys'],
      ['CACHE_ABORTED', 'keys'],
    ])
  })

  check(
    'with errors thrown, an aborted signal rejects, and so does a closed backend',
    async (backend) => {
      await backend.setMany({ a: 1, b: 2, c: 3 })
      await rejects(listed(backend, undefined, { signal: AbortSignal.abort() }), 'CACHE_ABORTED')
      const controller = new AbortController()
      const aborting = async () => {
        for await (const _ of backend.keys(undefined, { signal: controller.signal })) controller.abort()
      }
      await rejects(aborting(), 'CACHE_ABORTED')
      await backend.shutdown()
      await rejects(listed(backend), 'CACHE_CLOSED')
    },
    'throw',
  )
}

/** The keys of a walk, sorted. */
export async function listed(
  backend: CacheBackend,
  pattern?: string,
  options?: KeysOptions,
): Promise<string[]> {
  const keys: string[] = []
  for await (const key of backend.keys(pattern, options)) keys.push(key)
  return keys.sort()
}
