import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import zlib from 'node:zlib'
import { describe, it } from 'vitest'
import { type CompressionName, loadCompressor } from '../../src/codec/compression.ts'
import { sealEnvelope } from '../../src/codec/envelope/envelope.ts'
import { ValueCodec } from '../../src/codec/value-codec.ts'
import { CacheError, type CacheErrorCode } from '../../src/foundation/errors/cache-error.ts'

const HAS_ZSTD = 'zstdCompressSync' in zlib
const ALGORITHMS: readonly CompressionName[] = [
  'gzip',
  'brotli',
  'lz4',
  'snappy',
  ...(HAS_ZSTD ? (['zstd'] as const) : []),
]
const TEXT = JSON.stringify(Array.from({ length: 200 }, (_, id) => ({ id, name: `name ${id % 7}` })))

function failsWith(code: CacheErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof CacheError && error.code === code
}

async function codec(
  algorithm: CompressionName | undefined,
  maxValueBytes = 1_000_000,
  decompressors: readonly CompressionName[] = [],
): Promise<ValueCodec> {
  const made = new ValueCodec({
    serializer: 'json',
    readers: [],
    decompressors,
    compression: algorithm && { algorithm, minBytes: 2_048 },
    maxValueBytes,
  })
  await made.prepare()
  return made
}

describe.each(ALGORITHMS)('%s', (algorithm) => {
  it('restores a value from fewer bytes', async () => {
    const compressor = await loadCompressor(algorithm)
    for (const text of ['', 'a', TEXT, 'é🚀'.repeat(5_000)]) {
      const bytes = Buffer.from(text)
      assert.equal(compressor.decompress(compressor.compress(bytes), 1_000_000).toString(), text)
    }
    assert.ok(compressor.compress(Buffer.from(TEXT)).length < TEXT.length / 2)
  })

  it('P8 a bomb is refused before it grows beyond the cap', async () => {
    const compressor = await loadCompressor(algorithm)
    const bomb = compressor.compress(Buffer.alloc(64 * 1024 * 1024))
    assert.ok(bomb.length < 4 * 1024 * 1024)
    assert.throws(() => compressor.decompress(bomb, 1024 * 1024))
    const stored = sealEnvelope('key', { serializerId: 'json', compressionId: algorithm }, bomb)
    const values = await codec(algorithm)
    assert.throws(() => values.decode('key', stored), failsWith('CACHE_UNDECODABLE'))
  })

  it('corrupt bytes are refused', async () => {
    const compressor = await loadCompressor(algorithm)
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(3, 255),
      Buffer.from('not compressed at all, but long enough'),
    ]) {
      assert.throws(() => compressor.decompress(bytes, 1_000))
    }
  })

  it('is used above the minimum size, and read where it is listed', async () => {
    const compressing = await codec(algorithm)
    const plain = await codec(undefined, 1_000_000, [algorithm])
    const value: unknown = JSON.parse(TEXT)
    const stored = compressing.encode('key', value) as Buffer
    assert.equal(stored[0], 1)
    assert.ok(stored.length < TEXT.length)
    assert.deepEqual(await plain.decode('key', stored), value)
    assert.deepEqual(plain.decode('key', stored), value)
    assert.deepEqual(compressing.decode('key', Buffer.from(TEXT)), value)
    assert.equal(compressing.encode('key', 'short'), '"short"')
  })
})

describe('compression', () => {
  it('is skipped if it makes the value no smaller', async () => {
    const values = new ValueCodec({
      serializer: 'v8',
      readers: [],
      compression: { algorithm: 'gzip', minBytes: 0 },
      maxValueBytes: 1_000_000,
    })
    await values.prepare()
    const compressionOf = (value: unknown) => (values.encode('key', value) as Buffer)[3]
    assert.equal(compressionOf(randomBytes(4_096)), 0)
    assert.equal(compressionOf(Buffer.alloc(4_096)), 1)
  })

  it('P7 a value over the maximum is refused by its size before compression', async () => {
    const values = await codec('gzip', 10_000)
    assert.throws(() => values.encode('key', 'a'.repeat(10_001)), failsWith('CACHE_VALUE_TOO_LARGE'))
    assert.throws(() => values.encode('key', 'é'.repeat(5_000)), failsWith('CACHE_VALUE_TOO_LARGE'))
    assert.equal((values.encode('key', 'a'.repeat(9_998)) as Buffer)[0], 1)
  })

  it('zstd works, or fails with the Node version that has it', async () => {
    if (HAS_ZSTD) return void assert.equal((await loadCompressor('zstd')).id, 'zstd')
    await assert.rejects(loadCompressor('zstd'), failsWith('CACHE_MISSING_PEER'))
  })
})
