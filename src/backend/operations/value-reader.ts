import { type EntryMeta, isEntry, isPlaceholder } from '../../codec/envelope/entry-meta.ts'
import { unreadable } from '../../codec/envelope/unreadable.ts'
import type { OpenedValue } from '../../codec/opened-value.ts'
import type { ValueCodec } from '../../codec/value-codec.ts'
import type { MissReason } from '../../contract/cache-events.ts'
import { CacheError, isUnanswered } from '../../foundation/errors/cache-error.ts'
import { isGenerationOf } from '../../foundation/reserved-keys.ts'
import type { FailurePolicy } from '../assembly/failure-policy.ts'
import type { OpenStore } from '../seams/cache-store.ts'
import type { ReadOutcome } from '../seams/read-outcome.ts'
import { EntryValidity } from './entry-validity.ts'

/** Handles a read that has failed: a miss, or the error itself. */
type FailureHandler = (key: string, error: unknown) => undefined

/**
 * Turns the bytes under a key into a hit or into one of the three kinds of miss, and emits the event of each.
 *
 * A plain value is decoded at once. An entry of a read-through cache is served only if it is valid, see
 * {@link EntryValidity}.
 */
export class ValueReader<T> implements ReadOutcome<T | undefined> {
  readonly #operation: string
  readonly #codec: ValueCodec
  readonly #policy: FailurePolicy
  readonly #store: () => OpenStore

  /**
   * @param operation the public operation that reads, for errors and events
   * @param store called at each read, as the store of a backend may be decorated later
   */
  constructor(operation: string, codec: ValueCodec, policy: FailurePolicy, store: () => OpenStore) {
    this.#operation = operation
    this.#codec = codec
    this.#policy = policy
    this.#store = store
  }

  found(key: string, storedKey: string, bytes: Buffer | null): T | undefined | Promise<T | undefined> {
    if (bytes === null || isPlaceholder(bytes)) return this.#miss(key, 'absent')
    if (isEntry(bytes))
      return this.#entry(key, storedKey, bytes, new EntryValidity(this.#store()), this.failed)
    return this.#value(key, storedKey, bytes)
  }

  /** @throws CacheError if the failure is not to be absorbed */
  readonly failed: FailureHandler = (key, error) => {
    this.#policy.report(this.#operation, key, error)
    return this.unavailable(key)
  }

  /** A miss because of a failure that was reported before. */
  unavailable(key: string): undefined {
    return this.#miss(key, 'unavailable')
  }

  /**
   * Reads a batch into `results`, in the order of the keys. A failing node is reported once, and costs only its own
   * keys. The entries in the batch share one more round trip.
   * @returns whether Redis has answered for any of the keys
   * @throws CacheError if a failure is not to be absorbed
   */
  async readInto(
    results: Map<string, T | undefined>,
    keys: readonly string[],
    prefix: string,
  ): Promise<boolean> {
    const storedKeys = keys.map((key) => prefix + key)
    const replies = await this.#store().readMany(storedKeys)
    for (const key of keys) results.set(key, undefined)
    const failed = this.#reportingOnce()
    // Failures come first: if one is thrown, no promise may be left behind without a handler.
    for (const [index, reply] of replies.entries()) {
      if (reply instanceof CacheError) failed(keys[index] as string, reply)
    }
    const validity = new EntryValidity(this.#store())
    const pending: Promise<void>[] = []
    for (let index = 0; index < keys.length; index++) {
      const reply = replies[index] ?? null
      if (reply instanceof CacheError) continue
      const key = keys[index] as string
      const storedKey = storedKeys[index] as string
      const value =
        reply !== null && isEntry(reply)
          ? this.#entry(key, storedKey, reply, validity, failed)
          : this.found(key, storedKey, reply)
      if (value instanceof Promise) pending.push(value.then((late) => void results.set(key, late)))
      else results.set(key, value)
    }
    await Promise.all(pending)
    return !replies.every(isUnanswered)
  }

  #value(key: string, storedKey: string, bytes: Buffer): T | undefined | Promise<T | undefined> {
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

  async #entry(
    key: string,
    storedKey: string,
    bytes: Buffer,
    validity: EntryValidity,
    failed: FailureHandler,
  ): Promise<T | undefined> {
    let opened: OpenedValue | undefined
    try {
      opened = this.#codec.open(storedKey, bytes)
      if (opened?.entry !== undefined) assertOwnGenerations(storedKey, opened.entry)
    } catch (error) {
      return this.#undecodable(key, error)
    }
    if (opened?.entry === undefined) return this.#miss(key, 'absent')
    try {
      if (!(await validity.isServable(storedKey, opened.entry))) return this.#miss(key, 'absent')
    } catch (error) {
      return failed(key, error)
    }
    try {
      return this.#hit(key, await opened.decode())
    } catch (error) {
      return this.#undecodable(key, error)
    }
  }

  /** Handles the failures of a batch: an error that several keys share is reported once. */
  #reportingOnce(): FailureHandler {
    const reported = new Set<unknown>()
    return (key, error) => {
      if (!reported.has(error)) {
        reported.add(error)
        this.#policy.report(this.#operation, undefined, error)
      }
      return this.unavailable(key)
    }
  }

  /** An entry may say that there is no value, which reads as a miss. */
  #hit(key: string, value: unknown): T | undefined {
    if (value === undefined) return this.#miss(key, 'absent')
    const { events, namespace } = this.#policy
    if (events.has('hit')) events.emit('hit', { namespace, key, tier: 'shared' })
    return value as T
  }

  #miss(key: string, reason: MissReason): undefined {
    const { events, namespace } = this.#policy
    if (events.has('miss')) events.emit('miss', { namespace, key, reason })
  }

  #undecodable(key: string, error: unknown): undefined {
    this.#policy.tellUndecodable(this.#operation, key, error)
    return this.#miss(key, 'undecodable')
  }
}

/**
 * The prefix of the cache may be shorter than that of the backend, which reads one of its namespaces.
 * @throws CacheError `CACHE_UNDECODABLE` if no cache binds the entry to these generations
 */
function assertOwnGenerations(storedKey: string, { generations }: EntryMeta): void {
  if (generations.every((one) => isGenerationOf('', storedKey, one.storedKey))) return
  throw unreadable('the entry is bound to what is no generation of this cache')
}
