import assert from 'node:assert/strict'
import zlib from 'node:zlib'
import { type CacheError, createCache } from 'cachewright'
import { MemoryCacheBackend } from 'cachewright/memory'
import { describe, it, vi } from 'vitest'

// As in a bundle: the package can be found beside the library, or so it seems, and cannot be loaded.
vi.mock('msgpackr', () => {
  throw new Error('Cannot find package msgpackr')
})
vi.mock('snappy', () => {
  throw new Error('Cannot find package snappy')
})
// As Bun has it: the structured clone of another engine.
vi.mock('node:v8', async (load) => ({
  ...(await load<typeof import('node:v8')>()),
  serialize: () => Buffer.from('0e00000002', 'hex'),
}))

const CONFIGURATIONS = [
  ['msgpackr', { serializer: 'msgpack' }],
  ['snappy', { compression: 'snappy' }],
] as const

describe('a peer that turns out to be missing when it is loaded', () => {
  it.each(CONFIGURATIONS)(
    '(%s) makes every operation of a cache reject with what to install',
    async (peer, options) => {
      const lines: string[] = []
      const logger = { debug() {}, warn: (_: object, line: string) => lines.push(line), error() {} }
      await using cache = createCache({ ...options, logger })
      const failure = { code: 'CACHE_MISSING_PEER', message: new RegExp(`npm install ${peer}$`) }
      await assert.rejects(cache.set('key', 1), failure)
      await assert.rejects(
        cache.getOrSet('key', () => 1),
        failure,
      )
      await assert.rejects(cache.get('key'), failure)
      await assert.rejects(cache.delete('key'), failure)
      await assert.rejects(cache.initialize(), failure)
      assert.match(lines.join('\n'), failure.message)
    },
  )

  it.each(CONFIGURATIONS)(
    '(%s) makes every operation of a backend reject with what to install',
    async (peer, options) => {
      const backend = new MemoryCacheBackend(options)
      const errors: CacheError[] = []
      backend.on('error', ({ error }) => errors.push(error))
      const failure = { code: 'CACHE_MISSING_PEER', message: new RegExp(`npm install ${peer}$`) }
      await assert.rejects(backend.initialize(), failure)
      await assert.rejects(backend.set('key', 1), failure)
      await assert.rejects(backend.get('key'), failure)
      assert.deepEqual(
        errors.map((error) => error.operation),
        ['initialize'],
      )
    },
  )
})

it('zstd is refused at construction by a Node that does not have it', () => {
  const create = () => createCache({ compression: { algorithm: 'zstd' } })
  if ('zstdCompressSync' in zlib) create()
  else assert.throws(create, { code: 'CACHE_MISSING_PEER', message: /needs Node 22.15 or later/ })
})

describe('a runtime whose engine is not V8', () => {
  const failure = { code: 'CACHE_MISSING_PEER', message: /'v8' needs Node or Deno/ }

  it('refuses the serializer at construction, also among the readers', () => {
    assert.throws(() => createCache({ redis: false, serializer: 'v8' }), failure)
    assert.throws(() => new MemoryCacheBackend({ readers: ['v8'] }), failure)
  })

  it('is not advised to use it', async () => {
    await using cache = createCache({ redis: false, serializer: 'json' })
    await assert.rejects(cache.set('key', new Map()), { message: /The serializer 'msgpack' can;/ })
  })
})
