import type { CacheBackend } from '../../contract/cache-backend.ts'
import type { StoredValues } from './check.ts'

type Writes = 'set' | 'setIfAbsent' | 'setMany'
type Reads = 'get' | 'getMany' | 'getAndDelete'

/** A backend that takes and answers the values of the suite, on top of one that stores others in their place. */
export function backendOf(backend: CacheBackend, values: StoredValues): CacheBackend {
  const read = (stored: unknown) => (stored === undefined ? undefined : values.fromStored(stored))
  const changed: Pick<CacheBackend, Writes | Reads> = {
    set: (key, value, ttl) => backend.set(key, values.toStored(value), ttl),
    setIfAbsent: (key, value, ttl) => backend.setIfAbsent(key, values.toStored(value), ttl),
    setMany: (entries, ttl) => backend.setMany(storedEntries(entries, values), ttl),
    get: async (key) => read(await backend.get(key)),
    getAndDelete: async (key) => read(await backend.getAndDelete(key)),
    getMany: async (keys) =>
      new Map([...(await backend.getMany(keys))].map(([key, stored]) => [key, read(stored)] as const)),
  }
  return new Proxy(backend, {
    get(target, name) {
      const member: unknown = Object.hasOwn(changed, name)
        ? changed[name as Writes | Reads]
        : Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

type Entries = Parameters<CacheBackend['setMany']>[0]

/** What is no list of entries stays as it is, so that the backend refuses it. */
function storedEntries(entries: Entries, { toStored }: StoredValues): Entries {
  if (entries === null || typeof entries !== 'object') return entries
  if (!(Symbol.iterator in entries)) {
    return new Map(Object.entries(entries).map(([key, value]) => [key, toStored(value)] as const))
  }
  return [...entries].map(([key, value, ttl]) => [key, toStored(value), ttl] as const)
}
