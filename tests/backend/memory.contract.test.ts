import { MemoryCacheBackend } from 'cachewright/memory'
import { NullCacheBackend } from 'cachewright/null'
import { describeCacheBackend } from 'cachewright/testing'
import { describe, it } from 'vitest'

for (const serializer of ['json', 'v8', 'msgpack', 'pickle'] as const) {
  describeCacheBackend({
    name: `memory with ${serializer}`,
    describe,
    it,
    createBackend: (options) => new MemoryCacheBackend({ ...options, serializer }),
  })
}

for (const serializer of ['text', 'bytes'] as const) {
  describeCacheBackend({
    name: `memory with ${serializer}`,
    describe,
    it,
    values: serializer,
    createBackend: (options) => new MemoryCacheBackend({ ...options, serializer }),
  })
}

describeCacheBackend({
  name: 'memory, encrypted',
  describe,
  it,
  createBackend: (options) =>
    new MemoryCacheBackend({
      ...options,
      // Counters are read by get, too.
      encryption: { keys: [{ id: 'k1', secret: new Uint8Array(32).fill(7) }], unencrypted: 'read' },
    }),
})

describeCacheBackend({
  name: 'null',
  describe,
  it,
  keepsValues: false,
  createBackend: (options) => new NullCacheBackend(options),
})
