import assert from 'node:assert/strict'
import type { CacheBackend } from '../../contract/cache-backend.ts'
import { CacheError, type CacheErrorCode } from '../../foundation/errors/cache-error.ts'
import { setTimeout } from '../../foundation/time/timers.ts'

/** The two functions of a test runner that the suite calls: those of vitest, `node:test`, mocha, jest, … */
export interface TestRunner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>): unknown
}

/** Options of the contract suite. */
export interface ContractSuiteOptions extends TestRunner {
  /** The name of the backend in the titles of the tests. */
  readonly name: string
  /** Creates a backend, not opened yet, with the given prefix and failure mode, and a default TTL of an hour. */
  createBackend(options: {
    readonly prefix: string
    readonly errors?: 'absorb' | 'throw'
  }): CacheBackend | Promise<CacheBackend>
  /** Lets time pass for the backend. By default it waits in real time. */
  readonly elapse?: (ms: number) => Promise<void>
  /**
   * `false` for a backend that keeps nothing. It then only has to validate arguments and answer misses.
   * @default true
   */
  readonly keepsValues?: boolean
  /**
   * What the backend stores: everything that JSON has, or strings or bytes alone. The suite then stores JSON text, as a
   * string or as a `Buffer`, in the place of its values.
   * @default 'json'
   */
  readonly values?: 'json' | 'text' | 'bytes'
}

/** A test of an open backend. */
export type Check = (backend: CacheBackend, prefix: string) => Promise<void>

/** Registers a test; `errors` is the failure mode of its backend. */
export type Register = (title: string, body: Check, errors?: 'absorb' | 'throw') => void

export async function rejects(work: Promise<unknown>, code: CacheErrorCode): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof CacheError, `${error}`)
    assert.equal(error.code, code)
    return true
  })
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
