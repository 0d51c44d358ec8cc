import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import type { ValueCodec } from '../../src/codec/value-codec.ts'
import { encryptedCodec, META, withChecksum } from './encrypted-codec.ts'
import { ENCRYPTION, FORMS, KEY, undecodable, VALUE } from './encrypted-values.ts'

const OTHER_KEY = 'cache:user:2'

describe('P44 a value encrypted for one key and header', () => {
  it('P44 a ciphertext moved to another key fails, even with a valid checksum', async () => {
    const codec = await encryptedCodec(ENCRYPTION)
    for (const [form, encode] of FORMS) {
      const stored = encode(codec, VALUE)
      assert.throws(() => codec.decode(OTHER_KEY, stored), undecodable(/checksum/), form)
      const moved = withChecksum(OTHER_KEY, stored)
      assert.throws(() => codec.decode(OTHER_KEY, moved), undecodable(/tag does not match/), form)
      const opened = codec.open(OTHER_KEY, moved)
      assert.throws(() => opened?.decode(), undecodable(/tag does not match/), form)
    }
  })

  it('P44 the boundary between header and key cannot be moved', async () => {
    const codec = await encryptedCodec(ENCRYPTION)
    const stored = codec.encodeEntry('ab', VALUE, META)
    for (const key of ['a', 'b', 'abc', '\0ab', 'ab\0', `${stored.toString('latin1', 0, 4)}ab`]) {
      assert.throws(() => codec.decode(key, withChecksum(key, stored)), undecodable(/tag does not match/))
    }
  })

  it('P44 swapped headers fail', async () => {
    const codec = await encryptedCodec(ENCRYPTION)
    const one = codec.encodeEntry(KEY, { balance: 1 }, META)
    const two = codec.encodeEntry(KEY, { balance: 2 }, { ...META, stamp: 'another!', ttlMs: 3_600_000 })
    assert.equal(one.length, two.length)
    const headerBytes = one.readUInt16BE(4)
    const swapped = Buffer.concat([two.subarray(0, headerBytes), one.subarray(headerBytes)])
    assert.throws(() => codec.decode(KEY, withChecksum(KEY, swapped)), undecodable(/tag does not match/))
    const tagAt = 90 + 1 + 2 + 16 + 12
    one.copy(swapped, 90, 90, tagAt + 16)
    assert.throws(() => codec.decode(KEY, withChecksum(KEY, swapped)), undecodable(/tag does not match/))
  })

  it.each([
    ['serializer', 2],
    ['compression', 3],
    ['stamp', 42],
    ['created at', 50],
    ['time to live', 58],
    ['stale-while-revalidate', 66],
    ['stale-if-error', 74],
    ['load cost', 82],
    ['key of a generation', 90 + 47 + 6],
    ['generation', 90 + 47 + 2 + 2 + 17],
  ])('P44 another %s fails', async (_, offset) => {
    const codec = await encryptedCodec(ENCRYPTION)
    const altered = codec.encodeEntry(KEY, VALUE, META)
    altered[offset] = (altered[offset] as number) ^ 3
    assert.throws(() => codec.decode(KEY, withChecksum(KEY, altered)), undecodable(/tag does not match/))
  })

  it('P44 an encrypted entry that is altered to claim to be unencrypted is refused', async () => {
    const codec = await encryptedCodec(ENCRYPTION)
    const stored = codec.encode(KEY, VALUE) as Buffer
    stored[7] = 0
    assert.throws(() => codec.decode(KEY, withChecksum(KEY, stored)), undecodable(/not encrypted/))
  })
})

describe('P2 P3 an encrypted entry', () => {
  /** Bytes that scripts write in place. */
  const isLease = (bytes: Buffer, at: number) => bytes[7] === 0b1110 && at >= 12 && at < 42

  const isChecksum = (at: number) => at >= 8 && at < 12

  it.each(FORMS)(
    'P2 a flipped bit anywhere in %s is a miss, with or without a valid checksum',
    async (_, encode) => {
      for (const unencrypted of ['refuse', 'read'] as const) {
        const codec = await encryptedCodec({ ...ENCRYPTION, unencrypted }, { compression: 'gzip' })
        const stored = encode(codec, VALUE)
        for (let bit = 0; bit < stored.length * 8; bit++) {
          const at = bit >> 3
          if (isLease(stored, at)) continue
          const altered = Buffer.from(stored)
          altered[at] = (altered[at] as number) ^ (1 << (bit & 7))
          await assertMiss(codec, altered, `bit ${bit}`)
          if (isChecksum(at)) continue
          await assertMiss(codec, withChecksum(KEY, altered), `bit ${bit} with its checksum`)
        }
      }
    },
  )

  it.each(FORMS)('P3 %s that is truncated or extended is a miss', async (_, encode) => {
    const codec = await encryptedCodec(ENCRYPTION)
    const stored = encode(codec, VALUE)
    const others = Array.from({ length: stored.length }, (_, length) => stored.subarray(0, length))
    for (const bytes of [...others, Buffer.concat([stored, Buffer.from([0])])]) {
      await assertMiss(codec, bytes, `${bytes.length} bytes`)
      await assertMiss(codec, withChecksum(KEY, bytes), `${bytes.length} bytes with their checksum`)
    }
  })

  async function assertMiss(codec: ValueCodec, bytes: Buffer, what: string): Promise<void> {
    await assert.rejects(async () => codec.decode(KEY, bytes), undecodable(), what)
    await assert.rejects(codec.decodeEntry(KEY, bytes), undecodable(), what)
  }
})
