import { isPlaceholder } from '../codec/envelope/entry-meta.ts'
import type { ValueCodec } from '../codec/value-codec.ts'
import type { MissReason } from '../contract/cache-events.ts'
import { CacheError } from '../foundation/cache-error.ts'
import type { CacheStore } from './cache-store.ts'
import type { FailurePolicy } from './failure-policy.ts'
import type { ReadOutcome } from './read-outcome.ts'

/** What the bytes under a key come to: a hit, or one of the three kinds of miss. Tells the event of each. */
export class ValueReader<T> implements ReadOutcome<T | undefined> {
  readonly #operation: string
  readonly #codec: ValueCodec
  readonly #policy: FailurePolicy

  /** @param operation the public operation that reads, for errors and events */
  constructor(operation: string, codec: ValueCodec, policy: FailurePolicy) {
    this.#operation = operation
    this.#codec = codec
    this.#policy = policy
  }

  found(key: string, storedKey: string, bytes: Buffer | null): T | undefined | Promise<T | undefined> {
    if (bytes === null || isPlaceholder(bytes)) return this.#miss(key, 'absent')
    try {
      const value = this.#codec.decode(storedKey, bytes)
      if (!(value instanceof Promise)) return this.#hit(key, value)
      return value.then(
        (loaded) => this.#hit(key, loaded),
        (error) => this.#undecodable(key, error),
      )
    } catch (error) {
      return this.#undecodable(key, error)
    }
  }

  /** @throws CacheError where the failure is not to be absorbed */
  failed(key: string, error: unknown): undefined {
    this.#policy.report(this.#operation, key, error)
    return this.unavailable(key)
  }

  /** A miss because of a failure that has been told already. */
  unavailable(key: string): undefined {
    return this.#miss(key, 'unavailable')
  }

  /**
   * Reads a batch into `results`. What one node cannot answer is told once and costs only its own keys.
   * @throws CacheError where a failure is not to be absorbed
   */
  async readInto(
    results: Map<string, T | undefined>,
    store: CacheStore,
    keys: readonly string[],
    prefix: string,
  ): Promise<void> {
    const storedKeys = keys.map((key) => prefix + key)
    const replies = await store.readMany(storedKeys)
    let told: CacheError | undefined
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string
      const reply = replies[index] ?? null
      if (reply instanceof CacheError) {
        if (reply !== told) this.#policy.report(this.#operation, undefined, reply)
        told = reply
        results.set(key, this.unavailable(key))
      } else {
        const value = this.found(key, storedKeys[index] as string, reply)
        results.set(key, value instanceof Promise ? await value : value)
      }
    }
  }

  #hit(key: string, value: unknown): T {
    if (this.#policy.events.has('hit')) this.#policy.events.emit('hit', { key })
    return value as T
  }

  #miss(key: string, reason: MissReason): undefined {
    if (this.#policy.events.has('miss')) this.#policy.events.emit('miss', { key, reason })
  }

  #undecodable(key: string, error: unknown): undefined {
    this.#policy.tellUndecodable(this.#operation, key, error)
    return this.#miss(key, 'undecodable')
  }
}
