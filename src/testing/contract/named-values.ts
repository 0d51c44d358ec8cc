import { jsonSerializer } from '../../codec/serializers/json.ts'
import type { CacheBackend } from '../../contract/cache-backend.ts'

type Writes = 'set' | 'setIfAbsent' | 'setMany'
type Reads = 'get' | 'getMany' | 'getAndDelete'

/** A backend that takes and answers the values of the suite, on top of one that stores text or bytes alone. */
export function backendOf(backend: CacheBackend, values: 'text' | 'bytes'): CacheBackend {
  const toStored = values === 'text' ? jsonText : jsonBytes
  const changed: Pick<CacheBackend, Writes | Reads> = {
    set: (key, value, ttl) => backend.set(key, toStored(value), ttl),
    setIfAbsent: (key, value, ttl) => backend.setIfAbsent(key, toStored(value), ttl),
    setMany: (entries, ttl) => backend.setMany(storedEntries(entries, toStored), ttl),
    get: async (key) => fromStored(await backend.get(key)),
    getAndDelete: async (key) => fromStored(await backend.getAndDelete(key)),
    getMany: async (keys) =>
      new Map([...(await backend.getMany(keys))].map(([key, stored]) => [key, fromStored(stored)] as const)),
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
function storedEntries(entries: Entries, toStored: (value: unknown) => unknown): Entries {
  if (entries === null || typeof entries !== 'object') return entries
  if (!(Symbol.iterator in entries)) {
    return new Map(Object.entries(entries).map(([key, value]) => [key, toStored(value)] as const))
  }
  return [...entries].map(([key, value, ttl]) => [key, toStored(value), ttl] as const)
}

/** The JSON text of a value. What is no JSON stays as it is, so that the backend refuses it. */
function jsonText(value: unknown): unknown {
  try {
    return jsonSerializer.encode(value)
  } catch {
    return value
  }
}

function jsonBytes(value: unknown): unknown {
  const text = jsonText(value)
  return typeof text === 'string' ? Buffer.from(text) : text
}

/** The value of what {@link jsonText} or {@link jsonBytes} made, or of the digits of a counter. */
function fromStored(stored: unknown): unknown {
  return stored === undefined ? undefined : jsonSerializer.decode(Buffer.from(stored as string))
}
