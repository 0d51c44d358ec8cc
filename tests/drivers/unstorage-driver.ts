import { type CacheBackend, type Duration, glob } from 'cachewright'
import type { Driver, TransactionOptions } from 'unstorage'

/**
 * A driver of unstorage over a backend with the serializer `'bytes'`. Items are text to unstorage, and raw items are
 * bytes; either may be read as the other. An item without a `ttl` (in seconds) does not expire, which is the backend's
 * `ttl: Infinity`.
 * @param base is put before the key of each item, so that several drivers can share a backend
 */
export function unstorageDriver(backend: CacheBackend<Uint8Array>, base = ''): Driver {
  const nameOf = (key: string) => base + key
  const below = (relativeBase = '') => glob`${base}${relativeBase}*`
  const keyOf = (name: string) => name.slice(base.length)
  const setItem = async (key: string, value: string | Uint8Array, options: TransactionOptions = {}) => {
    await backend.set(nameOf(key), Buffer.from(value), timeToLive(options))
  }
  return {
    name: 'cachewright',
    flags: { ttl: true },
    hasItem: (key) => backend.exists(nameOf(key)),
    getItem: async (key) => textOf(await backend.get(nameOf(key))),
    async getItems(items) {
      const found = await backend.getMany(items.map(({ key }) => nameOf(key)))
      return items.map(({ key }) => ({ key, value: textOf(found.get(nameOf(key))) }))
    },
    setItem,
    async setItems(items) {
      await backend.setMany(
        items.map(
          ({ key, value, options }) => [nameOf(key), Buffer.from(value), timeToLive(options)] as const,
        ),
      )
    },
    getItemRaw: async (key) => (await backend.get(nameOf(key))) ?? null,
    setItemRaw: setItem,
    removeItem: async (key) => void (await backend.delete(nameOf(key))),
    async getMeta(key) {
      const ttl = await backend.getTtl(nameOf(key))
      return ttl === undefined || ttl === Number.POSITIVE_INFINITY ? null : { ttl }
    },
    getKeys: async (relativeBase) => {
      const keys: string[] = []
      for await (const name of backend.keys(below(relativeBase))) keys.push(keyOf(name))
      return keys
    },
    clear: async (relativeBase) => void (await backend.invalidatePattern(below(relativeBase))),
    watch(callback) {
      const told = (event: 'update' | 'remove', name: string) => {
        if (name.startsWith(base)) callback(event, keyOf(name))
      }
      const ends = [
        backend.on('set', ({ key }) => told('update', key)),
        backend.on('delete', ({ keys }) => {
          for (const key of keys) told('remove', key)
        }),
      ]
      return () => {
        for (const end of ends) end()
      }
    },
    dispose: () => backend.shutdown(),
  }
}

/** In seconds; 0 is none. */
function timeToLive(options: TransactionOptions = {}): Duration | undefined {
  return (options as { readonly ttl?: number }).ttl || undefined
}

function textOf(bytes: Uint8Array | undefined): string | null {
  return bytes === undefined ? null : Buffer.from(bytes).toString()
}
