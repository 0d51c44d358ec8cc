import { argumentChecks } from './argument-checks.ts'
import { type Check, type ContractSuiteOptions, sleep } from './check.ts'
import { conditionalChecks } from './conditional-checks.ts'
import { counterChecks } from './counter-checks.ts'
import { eventChecks, forgetfulChecks } from './event-checks.ts'
import { keyChecks } from './key-checks.ts'
import { lifecycleChecks } from './lifecycle-checks.ts'
import { backendOf } from './named-values.ts'
import { removalChecks } from './removal-checks.ts'
import { setChecks } from './set-checks.ts'
import { batchChecks, expiryChecks, valueChecks } from './value-checks.ts'

/**
 * Registers the tests that every `CacheBackend` must pass. Each test has a backend and a prefix of its own.
 *
 * @example
 * ```ts
 * import { describeCacheBackend } from 'cachewright/testing'
 * import { MemoryCacheBackend } from 'cachewright/memory'
 * import { describe, it } from 'vitest'
 *
 * describeCacheBackend({ name: 'memory', describe, it, createBackend: (options) => new MemoryCacheBackend(options) })
 * ```
 */
export function describeCacheBackend(given: ContractSuiteOptions): void {
  const options = withValues(given)
  const { describe, elapse = sleep, it, keepsValues = true, name } = options

  const check = (title: string, body: Check, errors: 'absorb' | 'throw' = 'absorb') => {
    it(title, async () => {
      const prefix = `contract-${process.pid}-${Math.random().toString(36).slice(2)}:`
      const backend = await options.createBackend({ prefix, errors })
      try {
        await backend.initialize()
        await body(backend, prefix)
      } finally {
        const isCleared = await backend.clear().catch(() => false)
        await backend.shutdown()
        if (!isCleared) await clearAnew(options, prefix)
      }
    })
  }

  describe(`${name} fulfils the contract`, () => {
    describe('lifecycle', () => lifecycleChecks(check, options))
    describe('arguments', () => argumentChecks(check))
    if (!keepsValues) {
      describe('a cache that keeps nothing', () => forgetfulChecks(check))
      return
    }
    describe('values', () => valueChecks(check))
    describe('conditional writes and removals', () => conditionalChecks(check, elapse))
    describe('expiry', () => expiryChecks(check, elapse))
    describe('batches', () => batchChecks(check))
    describe('counters', () => counterChecks(check, elapse))
    describe('keys', () => keyChecks(check, options))
    describe('removal', () => removalChecks(check, options))
    describe('sets', () => setChecks(check, elapse))
    describe('failures and events', () => eventChecks(check))
  })
}

/** Options whose backends take the values of the suite, whatever they store. */
function withValues(options: ContractSuiteOptions): ContractSuiteOptions {
  const { values = 'json' } = options
  if (values === 'json') return options
  return {
    ...options,
    createBackend: async (settings) => backendOf(await options.createBackend(settings), values),
  }
}

/** Removes what a test has left that shut its backend down. */
async function clearAnew({ createBackend }: ContractSuiteOptions, prefix: string): Promise<void> {
  const backend = await createBackend({ prefix })
  await backend.clear()
  await backend.shutdown()
}
