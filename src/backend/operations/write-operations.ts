import type { ValueCodec } from '../../codec/value-codec.ts'
import type { CacheEntries } from '../../contract/cache-backend.ts'
import type { Duration } from '../../foundation/time/duration.ts'
import type { BackendAssembly } from '../assembly/backend-assembly.ts'
import type { Lifecycle } from '../assembly/lifecycle.ts'
import { encodeAll, partialWrite } from './batch-write.ts'
import { distinctEntries } from './operation-arguments.ts'
import type { OperationScope } from './operation-scope.ts'

/** A value to store, as its public operation asks for it. */
interface WriteRequest {
  readonly operation: 'set' | 'setIfAbsent'
  readonly key: string
  readonly storedKey: string
  readonly value: unknown
  readonly ttlMs: number
}

/** The operations of a backend that store values. */
export class WriteOperations<T> {
  readonly #scope: OperationScope
  readonly #codec: ValueCodec
  readonly #lifecycle: Lifecycle

  constructor(scope: OperationScope, { codec, lifecycle }: BackendAssembly) {
    this.#scope = scope
    this.#codec = codec
    this.#lifecycle = lifecycle
  }

  /** Allocates one promise beside those of the store. */
  write(
    operation: WriteRequest['operation'],
    key: string,
    value: T,
    ttl: Duration | undefined,
  ): Promise<boolean> {
    try {
      const storedKey = this.#scope.storedKey(key)
      const request = { operation, key, storedKey, value, ttlMs: this.#scope.ttlMs(ttl) }
      if (this.#lifecycle.isReady) return this.#send(request)
      // Opens at once, as reads do, so that calls take effect in their order.
      const encode = () => this.#codec.encode(storedKey, value)
      return this.#lifecycle.openForOperation().then(
        () => this.#send(request),
        async (error) => this.#refuse(operation, key, await this.#scope.whyUnstored(error, encode)),
      )
    } catch (error) {
      return this.#refuse(operation, key, error)
    }
  }

  setMany(entries: CacheEntries<T>, ttl: Duration | undefined): Promise<boolean> {
    return this.#scope.policy.absorb('setMany', undefined, false, async () => {
      const distinct = this.#timed(entries, ttl)
      const encode = () => encodeAll(distinct, this.#scope.prefix, this.#codec)
      try {
        if (!this.#lifecycle.isReady) await this.#lifecycle.openForOperation()
      } catch (error) {
        throw await this.#scope.whyUnstored(error, encode)
      }
      const { encoded, failures } = encode()
      for (const [key, failure] of await this.#scope.store.writeMany(encoded)) failures.set(key, failure)
      for (const entry of encoded) {
        if (!failures.has(entry.key)) this.#stored(entry.key, entry.encoded, entry.ttlMs)
      }
      if (failures.size > 0) throw partialWrite(failures)
      return true
    })
  }

  #timed(
    entries: CacheEntries<T>,
    commonTtl: Duration | undefined,
  ): Map<string, { readonly value: T; readonly ttlMs: number }> {
    const commonTtlMs = this.#scope.ttlMs(commonTtl)
    const timed = new Map<string, { readonly value: T; readonly ttlMs: number }>()
    for (const [key, { ttl, value }] of distinctEntries(entries)) {
      timed.set(key, { value, ttlMs: ttl === undefined ? commonTtlMs : this.#scope.ttlMs(ttl) })
    }
    return timed
  }

  #send({ key, operation, storedKey, ttlMs, value }: WriteRequest): Promise<boolean> {
    try {
      const encoded = this.#codec.encode(storedKey, value)
      const { store } = this.#scope
      const writing: Promise<unknown> =
        operation === 'set'
          ? store.write(storedKey, encoded, ttlMs)
          : store.writeIfAbsent(storedKey, encoded, ttlMs)
      return writing.then(
        (reply) => reply !== false && this.#stored(key, encoded, ttlMs),
        (error) => this.#refuse(operation, key, error),
      )
    } catch (error) {
      return this.#refuse(operation, key, error)
    }
  }

  async #refuse(operation: string, key: string, error: unknown): Promise<boolean> {
    this.#scope.policy.report(operation, key, error)
    return false
  }

  #stored(key: string, encoded: string | Buffer, ttlMs: number): true {
    const { events, namespace } = this.#scope.policy
    if (events.has('set')) events.emit('set', { namespace, key, ttlMs, bytes: Buffer.byteLength(encoded) })
    return true
  }
}
