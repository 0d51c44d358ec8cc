import type { Cache, CacheBackend } from 'cachewright'

/** A cache as a backend: what has no tags and no loader, and the removals of the cache itself. */
export function backendOf(cache: Cache): CacheBackend {
  return {
    ...cache.plain,
    ...cache.counters,
    ...cache.sets,
    delete: (key) => cache.delete(key),
    deleteMany: (keys) => cache.deleteMany(keys),
    keys: (pattern, options) => cache.keys(pattern, options),
    clear: () => cache.clear(),
    invalidatePattern: (pattern, options) => cache.invalidatePattern(pattern, options),
    on: (event, listener) => cache.on(event, listener),
    initialize: () => cache.initialize(),
    shutdown: () => cache.shutdown(),
    [Symbol.asyncDispose]: () => cache.shutdown(),
  }
}
