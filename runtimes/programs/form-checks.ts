import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { type CacheError, type CompressionName, createCache, type SerializerName } from 'cachewright'
import { MemoryCacheBackend, type MemoryCacheBackendOptions } from 'cachewright/memory'
import { type Checks, tell } from './checks.ts'

const SERIALIZERS: readonly SerializerName[] = ['json', 'v8', 'msgpack', 'pickle']
const COMPRESSIONS: readonly CompressionName[] = ['gzip', 'brotli', 'zstd', 'lz4', 'snappy']
const VALUE = { text: 'ü🚀'.repeat(2_000), list: [1.5, null, true], none: {} }

/** Bun runs on another engine, and has to refuse the serializer `v8`. */
const HAS_V8 = !('bun' in process.versions)
/** Node has zstd since 22.15. */
const HAS_ZSTD = (() => {
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
  return major > 22 || (major === 22 && minor >= 15)
})()

/** Checks of what depends on the runtime beneath the backends: engine, native code, `node:zlib`, `node:crypto`, `require`. */
export function formChecks({ describe, it }: Checks): void {
  describe('forms', () => {
    for (const serializer of SERIALIZERS) {
      const isRefused = serializer === 'v8' && !HAS_V8
      it(`serializer ${serializer}`, () => comesBack({ serializer }, isRefused))
    }
    for (const algorithm of COMPRESSIONS) {
      const isRefused = algorithm === 'zstd' && !HAS_ZSTD
      it(`compression ${algorithm}`, () => comesBack({ compression: { algorithm } }, isRefused))
    }
    it('encryption', () =>
      comesBack({ encryption: { keys: [{ id: 'k1', secret: new Uint8Array(32).fill(7) }] } }, false))
  })
  it('require() brings the same library', async () => {
    assert.equal(createRequire(import.meta.url)('cachewright').createCache, createCache)
  })
}

async function comesBack(options: MemoryCacheBackendOptions, isRefused: boolean): Promise<void> {
  if (isRefused) {
    assert.throws(
      () => new MemoryCacheBackend(options),
      (error: CacheError) => {
        tell({ left: error.message })
        return error.code === 'CACHE_MISSING_PEER'
      },
    )
    return
  }
  const backend = new MemoryCacheBackend({ ...options, errors: 'throw' })
  assert.equal(await backend.set('key', VALUE), true)
  assert.deepEqual(await backend.get('key'), VALUE)
  await backend.shutdown()
}
