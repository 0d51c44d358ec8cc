import type { KeysOptions, RemovalOptions } from '../../contract/cache-backend.ts'
import { isCacheKey } from '../../foundation/cache-key.ts'
import { walkAborted } from '../../foundation/errors/cache-error.ts'
import { escapeGlob } from '../../foundation/glob.ts'
import type { BackendAssembly } from '../assembly/backend-assembly.ts'
import {
  assertLimit,
  assertPattern,
  invalidArgument,
  KEYS_OPTIONS,
  REMOVAL_OPTIONS,
} from './operation-arguments.ts'
import type { OperationScope } from './operation-scope.ts'

/** The operations of a backend that walk the key space. */
export class WalkOperations {
  readonly #scope: OperationScope
  readonly #structures: BackendAssembly['structures']

  constructor(scope: OperationScope, { structures }: BackendAssembly) {
    this.#scope = scope
    this.#structures = structures
  }

  /** What the caller throws into the iteration is its own, and no failure: so nothing is caught around `yield`. */
  async *keys(pattern: string | undefined, options: KeysOptions): AsyncGenerator<string, void, undefined> {
    const { prefix } = this.#scope
    let walk: AsyncIterator<readonly string[]> | undefined
    let limit = Number.POSITIVE_INFINITY
    const nextBatch = async (): Promise<readonly string[] | undefined> => {
      try {
        walk ??= this.#walk(pattern, options)
        limit = options.limit ?? limit
        if (options.signal?.aborted) throw walkAborted()
        const { done, value } = await walk.next()
        return done ? undefined : value
      } catch (error) {
        this.#scope.policy.report('keys', undefined, error)
        return undefined
      }
    }
    try {
      let listed = 0
      for (let batch = await nextBatch(); batch !== undefined; batch = await nextBatch()) {
        for (const storedKey of batch) {
          const key = storedKey.slice(prefix.length)
          if (!isCacheKey(key)) continue
          // The next batch reports it.
          if (options.signal?.aborted) break
          yield key
          listed++
          if (listed === limit) return
        }
      }
    } finally {
      await walk?.return?.()
    }
  }

  clear(options: RemovalOptions): Promise<boolean> {
    return this.#scope.policy.absorb('clear', undefined, false, async () => {
      this.#scope.checkOptions(options, REMOVAL_OPTIONS)
      if (this.#scope.prefix === '') {
        throw invalidArgument('clear() needs a prefix: with none it would remove every key of the database')
      }
      await this.#removeMatching(undefined, options)
      return true
    })
  }

  invalidatePattern(pattern: string, options: RemovalOptions): Promise<number> {
    return this.#scope.policy.absorb('invalidatePattern', undefined, 0, async () => {
      assertPattern(pattern)
      this.#scope.checkOptions(options, REMOVAL_OPTIONS)
      return this.#removeMatching(pattern, options)
    })
  }

  /** @throws CacheError `CACHE_INVALID_ARGUMENT`, `CACHE_INVALID_OPTIONS` */
  #walk(pattern: string | undefined, options: KeysOptions): AsyncIterator<readonly string[]> {
    if (pattern !== undefined) assertPattern(pattern)
    this.#scope.checkOptions(options, KEYS_OPTIONS)
    assertLimit(options.limit)
    return this.#scope.store.list(this.#stored(pattern), options.signal)[Symbol.asyncIterator]()
  }

  #stored(pattern = '*'): string {
    return escapeGlob(this.#scope.prefix) + pattern
  }

  async #removeMatching(pattern: string | undefined, options: RemovalOptions): Promise<number> {
    const { policy } = this.#scope
    const removed = await this.#scope.store.removeMatching(
      this.#stored(pattern),
      policy.guardedRemoval(options),
      pattern === undefined,
    )
    policy.events.emit('invalidate', { namespace: policy.namespace, tags: undefined, pattern, removed })
    if (pattern === undefined) this.#structures.removed()
    return removed
  }
}
