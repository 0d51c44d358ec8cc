import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { openEnvelope, sealEnvelope } from '../../src/codec/envelope/envelope.ts'
import { ValueCodec, type ValueCodecOptions } from '../../src/codec/value-codec.ts'
import { CacheError } from '../../src/foundation/errors/cache-error.ts'

const KEY = 'cache:user:1'
const VALUE = { name: 'Ada', tags: new Set(['a', 'b']), born: new Date(0), big: 2n ** 70n }

async function codec(options: Partial<ValueCodecOptions> = {}): Promise<ValueCodec> {
  const made = new ValueCodec({
    serializer: 'v8',
    readers: [],
    compression: undefined,
    maxValueBytes: 1_000_000,
    ...options,
  })
  await made.prepare()
  return made
}

function isUndecodable(error: unknown): boolean {
  return error instanceof CacheError && error.code === 'CACHE_UNDECODABLE'
}

describe('an envelope', () => {
  it('begins with a byte that begins neither JSON nor a pickle', () => {
    const [first] = sealEnvelope(KEY, { serializerId: 'v8', compressionId: 'none' }, Buffer.from('x'))
    assert.equal(first, 0x01)
  })

  it('carries the ids of serializer and compression, and the payload', () => {
    for (const serializerId of ['json', 'v8', 'msgpack', 'pickle', 'acme/orders.v2']) {
      for (const compressionId of ['none', 'gzip', 'brotli', 'zstd', 'lz4', 'snappy']) {
        const sealed = sealEnvelope(KEY, { serializerId, compressionId }, Buffer.from('payload'))
        const opened = openEnvelope(KEY, sealed)
        assert.equal(opened.serializerId, serializerId)
        assert.equal(opened.compressionId, compressionId)
        assert.equal(opened.payload.toString(), 'payload')
      }
    }
  })

  it('P1 an entry under another key is a miss', async () => {
    const values = await codec()
    const stored = values.encode(KEY, VALUE) as Buffer
    assert.deepEqual(values.decode(KEY, stored), VALUE)
    assert.throws(() => values.decode('cache:user:2', stored), isUndecodable)
  })

  it('P2 a flipped bit anywhere is a miss', async () => {
    for (const options of [{}, { compression: { algorithm: 'gzip', minBytes: 0 } }] as const) {
      const values = await codec(options)
      const stored = values.encode(KEY, { ...VALUE, text: 'a'.repeat(300) }) as Buffer
      assert.equal(stored[0], 1)
      for (let bit = 8; bit < stored.length * 8; bit++) {
        const corrupt = Buffer.from(stored)
        corrupt[bit >> 3] = (corrupt[bit >> 3] as number) ^ (1 << (bit & 7))
        assert.throws(() => values.decode(KEY, corrupt), isUndecodable, `bit ${bit}`)
      }
    }
  })

  it('P2 a damaged first byte never turns an envelope into a value', async () => {
    const values = await codec()
    const stored = values.encode(KEY, VALUE) as Buffer
    for (let byte = 0; byte < 256; byte++) {
      if (byte === 1) continue
      const corrupt = Buffer.from(stored)
      corrupt[0] = byte
      assert.throws(() => values.decode(KEY, corrupt), isUndecodable, `byte ${byte}`)
    }
  })

  it('P3 an envelope that is truncated or extended is a miss', async () => {
    const values = await codec()
    const stored = values.encode(KEY, VALUE) as Buffer
    for (let length = 0; length < stored.length; length++) {
      assert.throws(() => values.decode(KEY, stored.subarray(0, length)), isUndecodable, `length ${length}`)
    }
    assert.throws(() => values.decode(KEY, Buffer.concat([stored, Buffer.from([0])])), isUndecodable)
  })

  it('of a later version, or with sections of a later version, is a miss', () => {
    for (const [offset, value] of [
      [1, 2],
      [7, 0b10],
    ] as const) {
      const sealed = sealEnvelope(KEY, { serializerId: 'json', compressionId: 'none' }, Buffer.from('1'))
      sealed[offset] = value
      assert.throws(() => openEnvelope(KEY, sealed), isUndecodable)
    }
  })
})
