import type { Duration } from '../../foundation/time/duration.ts'
import type { OperationScope } from './operation-scope.ts'
import type { ValueReader } from './value-reader.ts'

/** The operations of a backend on one key of any type: whether it is there, how long it stays, its removal. */
export class KeyOperations<T> {
  readonly #scope: OperationScope
  readonly #reader: ValueReader<T>

  /** @param reader of `getAndDelete` */
  constructor(scope: OperationScope, reader: ValueReader<T>) {
    this.#scope = scope
    this.#reader = reader
  }

  exists(key: string): Promise<boolean> {
    return this.#scope.policy.absorb('exists', key, false, async () =>
      this.#scope.store.exists(this.#scope.storedKey(key)),
    )
  }

  getTtl(key: string): Promise<number | undefined> {
    return this.#scope.policy.absorb('getTtl', key, undefined, async () =>
      this.#scope.ttlSeconds(this.#scope.storedKey(key)),
    )
  }

  touch(key: string, ttl: Duration | undefined): Promise<boolean> {
    return this.#scope.policy.absorb('touch', key, false, async () => {
      const storedKey = this.#scope.storedKey(key)
      return this.#scope.store.expire(storedKey, this.#scope.ttlMs(ttl))
    })
  }

  persist(key: string): Promise<boolean> {
    return this.#scope.policy.absorb('persist', key, false, async () =>
      this.#scope.store.expire(this.#scope.storedKey(key), Number.POSITIVE_INFINITY),
    )
  }

  delete(key: string): Promise<boolean> {
    const { policy } = this.#scope
    return policy.absorb('delete', key, false, async () => {
      const removed = await this.#scope.store.remove([this.#scope.storedKey(key)])
      policy.events.emit('delete', { namespace: policy.namespace, keys: [key], removed })
      return removed > 0
    })
  }

  async getAndDelete(key: string): Promise<T | undefined> {
    let storedKey: string
    let bytes: Buffer | null
    try {
      storedKey = this.#scope.storedKey(key)
      bytes = await this.#scope.store.take(storedKey)
    } catch (error) {
      return this.#reader.failed(key, error)
    }
    const { events, namespace } = this.#scope.policy
    events.emit('delete', { namespace, keys: [key], removed: bytes === null ? 0 : 1 })
    return this.#reader.found(key, storedKey, bytes)
  }
}
