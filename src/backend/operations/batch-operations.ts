import { chunks } from '../../foundation/chunks.ts'
import { isUnanswered } from '../../foundation/errors/cache-error.ts'
import { checkedKeys } from './operation-arguments.ts'
import type { OperationScope } from './operation-scope.ts'
import type { ValueReader } from './value-reader.ts'

/** Most keys of a batch that are processed at a time, which bounds the memory that a batch takes. */
const KEYS_PER_BATCH = 2_048
/** Most keys that are asked about by a command each at a time, which bounds the wait of other commands. */
const KEYS_IN_FLIGHT = 1_000

/** The operations of a backend over many keys, except writes. */
export class BatchOperations<T> {
  readonly #scope: OperationScope
  readonly #reader: ValueReader<T>

  /** @param reader of `getMany` */
  constructor(scope: OperationScope, reader: ValueReader<T>) {
    this.#scope = scope
    this.#reader = reader
  }

  async getMany(keys: Iterable<string>): Promise<Map<string, T | undefined>> {
    const results = new Map<string, T | undefined>()
    let distinct: readonly string[] = []
    try {
      distinct = [...new Set(checkedKeys(keys))]
      for (const chunk of chunks(distinct, KEYS_PER_BATCH)) {
        if (!(await this.#reader.readInto(results, chunk, this.#scope.prefix))) break
      }
    } catch (error) {
      this.#scope.policy.report('getMany', undefined, error)
    }
    for (const key of distinct.slice(results.size)) results.set(key, this.#reader.unavailable(key))
    return results
  }

  existsMany(keys: Iterable<string>): Promise<Map<string, boolean>> {
    return this.#askEach('existsMany', keys, false, (storedKey) => this.#scope.store.exists(storedKey))
  }

  getTtlMany(keys: Iterable<string>): Promise<Map<string, number | undefined>> {
    return this.#askEach('getTtlMany', keys, undefined, (storedKey) => this.#scope.ttlSeconds(storedKey))
  }

  deleteMany(keys: Iterable<string>): Promise<number> {
    const { policy, prefix } = this.#scope
    return policy.absorb('deleteMany', undefined, 0, async () => {
      const asked = checkedKeys(keys)
      let removed = 0
      for (const chunk of chunks(asked, KEYS_PER_BATCH)) {
        const removedNow = await this.#scope.store.remove(chunk.map((key) => prefix + key))
        policy.events.emit('delete', { namespace: policy.namespace, keys: chunk, removed: removedNow })
        removed += removedNow
      }
      return removed
    })
  }

  /**
   * Asks about each distinct key, in the order of the keys. Failures of one kind are reported once. After a thousand keys
   * of which none was answered, the others are not asked about.
   */
  async #askEach<Answer>(
    operation: string,
    keys: Iterable<string>,
    fallback: Answer,
    ask: (storedKey: string) => Promise<Answer>,
  ): Promise<Map<string, Answer>> {
    const { policy, prefix } = this.#scope
    const results = new Map<string, Answer>()
    const reported = new Set<unknown>()
    const report = (error: unknown) => {
      const kind = (error as { readonly code?: unknown } | undefined)?.code ?? error
      if (reported.has(kind)) return
      reported.add(kind)
      policy.report(operation, undefined, error)
    }
    try {
      for (const key of checkedKeys(keys)) results.set(key, fallback)
    } catch (error) {
      report(error)
    }
    for (const chunk of chunks([...results.keys()], KEYS_IN_FLIGHT)) {
      const answers = await Promise.allSettled(chunk.map((key) => ask(prefix + key)))
      for (const [index, answer] of answers.entries()) {
        if (answer.status === 'rejected') report(answer.reason)
        else results.set(chunk[index] as string, answer.value)
      }
      if (answers.every((answer) => answer.status === 'rejected' && isUnanswered(answer.reason))) break
    }
    return results
  }
}
