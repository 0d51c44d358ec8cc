import { describe, expect, test } from 'vitest'
import { loadCompressor } from '../../src/codec/compression.ts'

describe('corrupt bytes', () => {
  const MAX_BYTES = 100_000
  const content = Buffer.from(
    JSON.stringify(Array.from({ length: 200 }, (_, id) => ({ id, name: `n${id % 7}` }))),
  )

  test.each(['gzip', 'brotli', 'lz4', 'snappy'] as const)(
    '%s: each change of a byte is an error, or gives no more than the bound, and nothing of the process',
    async (name) => {
      const { compress, decompress } = await loadCompressor(name)
      const compressed = compress(content)
      expect(decompress(compressed, MAX_BYTES)).toEqual(content)
      // What was in memory that was freed: a byte that the content does not have.
      const freed = () => Buffer.allocUnsafeSlow(content.length).fill(0xfe)
      for (let at = 0; at < compressed.length; at++) {
        for (const change of [0x01, 0x80, 0xff]) {
          const corrupt = Buffer.from(compressed)
          corrupt[at] = (corrupt[at] as number) ^ change
          freed()
          const read = attempt(() => decompress(corrupt, MAX_BYTES))
          if (read === undefined) continue
          expect(read.length).toBeLessThanOrEqual(MAX_BYTES)
          if (!corrupt.includes(0xfe)) expect(read.includes(0xfe)).toBe(false)
        }
      }
      for (let length = 0; length < compressed.length; length += 7) {
        const cut = attempt(() => decompress(compressed.subarray(0, length), MAX_BYTES))
        expect(cut?.equals(content) ?? false).toBe(false)
      }
    },
  )

  test.each([
    ['lz4', (bytes: Buffer) => bytes.writeUInt32LE(content.length + 1)],
    ['snappy', (bytes: Buffer) => bytes.writeUInt8((bytes[0] as number) + 1)],
  ] as const)('%s: a size that is not that of the content is an error', async (name, change) => {
    const { compress, decompress } = await loadCompressor(name)
    const bytes = Buffer.from(compress(content))
    change(bytes)
    expect(() => decompress(bytes, MAX_BYTES)).toThrow(/./)
  })

  test.each(['gzip', 'brotli', 'lz4', 'snappy'] as const)('%s: a bomb is refused', async (name) => {
    const { compress, decompress } = await loadCompressor(name)
    const bomb = compress(Buffer.alloc(4_000_000))
    expect(() => decompress(bomb, MAX_BYTES)).toThrow(/./)
  })
})

function attempt(work: () => Buffer): Buffer | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
