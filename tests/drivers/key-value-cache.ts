import type { KeyValueCache, KeyValueCacheSetOptions } from '@apollo/utils.keyvaluecache'
import type { CacheBackend } from 'cachewright'

/** A cache of Apollo Server over a backend with the serializer `'text'`. `ttl` is in seconds, and `null` means no end. */
export class BackendKeyValueCache implements KeyValueCache {
  readonly #backend: CacheBackend<string>

  constructor(backend: CacheBackend<string>) {
    this.#backend = backend
  }

  get(key: string): Promise<string | undefined> {
    return this.#backend.get(key)
  }

  async set(key: string, value: string, { ttl }: KeyValueCacheSetOptions = {}): Promise<void> {
    await this.#backend.set(key, value, ttl === null ? Number.POSITIVE_INFINITY : ttl)
  }

  delete(key: string): Promise<boolean> {
    return this.#backend.delete(key)
  }
}
