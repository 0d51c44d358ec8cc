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

describeCacheBackend({
  name: 'null',
  describe,
  it,
  keepsValues: false,
  createBackend: (options) => new NullCacheBackend(options),
})
