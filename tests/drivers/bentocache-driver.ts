import { BaseDriver } from 'bentocache/drivers/base_driver'
import type { CacheDriverOptions, L2CacheDriver } from 'bentocache/types'
import { type CacheBackend, glob } from 'cachewright'

/**
 * A driver of bentocache for its second layer, over a backend with the serializer `'text'`: bentocache hands over its
 * own JSON. A key without a time to live does not expire, which is the backend's `ttl: Infinity`.
 */
export class BentocacheDriver extends BaseDriver implements L2CacheDriver {
  readonly type = 'l2'
  readonly #backend: CacheBackend<string>

  constructor(backend: CacheBackend<string>, config: CacheDriverOptions) {
    super(config)
    this.#backend = backend
  }

  namespace(namespace: string): BentocacheDriver {
    return new BentocacheDriver(this.#backend, {
      ...this.config,
      prefix: this.createNamespacePrefix(namespace),
    })
  }

  get(key: string): Promise<string | undefined> {
    return this.#backend.get(this.getItemKey(key))
  }

  pull(key: string): Promise<string | undefined> {
    return this.#backend.getAndDelete(this.getItemKey(key))
  }

  set(key: string, value: string, ttlMs?: number): Promise<boolean> {
    return this.#backend.set(this.getItemKey(key), value, ttlMs ? ttlMs / 1_000 : undefined)
  }

  delete(key: string): Promise<boolean> {
    return this.#backend.delete(this.getItemKey(key))
  }

  async deleteMany(keys: string[]): Promise<boolean> {
    await this.#backend.deleteMany(keys.map((key) => this.getItemKey(key)))
    return true
  }

  async clear(): Promise<void> {
    if (this.prefix === '') await this.#backend.clear()
    else await this.#backend.invalidatePattern(glob`${this.prefix}:*`)
  }

  disconnect(): Promise<void> {
    return this.#backend.shutdown()
  }
}
