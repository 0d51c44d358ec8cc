import { EventEmitter } from 'node:events'
import { type CacheBackend, glob } from 'cachewright'
import type { KeyvEntry, KeyvStoreAdapter } from 'keyv'

/**
 * A storage adapter of Keyv 5 over a backend with the serializer `'text'`: Keyv hands over its own JSON. A key without
 * a time to live does not expire, which is the backend's `ttl: Infinity`.
 */
export class KeyvStore extends EventEmitter implements KeyvStoreAdapter {
  /** Keyv iterates over the dialects that it knows, and over no other. */
  readonly opts = { dialect: 'redis' }
  /** Keyv sets it, and prefixes keys with it. */
  namespace: string | undefined
  readonly #backend: CacheBackend<string>

  constructor(backend: CacheBackend<string>) {
    super()
    this.#backend = backend
  }

  get<Value>(key: string): Promise<Value | undefined> {
    return this.#backend.get(key) as Promise<Value | undefined>
  }

  async getMany<Value>(keys: string[]): Promise<(Value | undefined)[]> {
    const found = await this.#backend.getMany(keys)
    return keys.map((key) => found.get(key) as Value | undefined)
  }

  set(key: string, value: string, ttlMs?: number): Promise<boolean> {
    return this.#backend.set(key, value, seconds(ttlMs))
  }

  async setMany(entries: KeyvEntry[]): Promise<void> {
    await this.#backend.setMany(entries.map(({ key, value, ttl }) => [key, value, seconds(ttl)] as const))
  }

  has(key: string): Promise<boolean> {
    return this.#backend.exists(key)
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    const found = await this.#backend.existsMany(keys)
    return keys.map((key) => found.get(key) === true)
  }

  delete(key: string): Promise<boolean> {
    return this.#backend.delete(key)
  }

  async deleteMany(keys: string[]): Promise<boolean> {
    return (await this.#backend.deleteMany(keys)) > 0
  }

  async clear(): Promise<void> {
    if (this.namespace === undefined) await this.#backend.clear()
    else await this.#backend.invalidatePattern(glob`${this.namespace}:*`)
  }

  async *iterator<Value>(namespace?: string): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    for await (const key of this.#backend.keys(namespace === undefined ? undefined : glob`${namespace}:*`)) {
      const value = await this.get<Awaited<Value>>(key)
      if (value !== undefined) yield [key, value]
    }
  }

  disconnect(): Promise<void> {
    return this.#backend.shutdown()
  }
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000
}
