import assert from 'node:assert/strict'
import { createDecipheriv, createSecretKey, hkdfSync } from 'node:crypto'
import zlib from 'node:zlib'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { loadCompressor } from '../../src/codec/compression.ts'
import { resolveEncryption } from '../../src/codec/envelope/encryption.ts'
import { readLease, withLease } from '../../src/codec/envelope/entry-meta.ts'
import { sealEnvelope } from '../../src/codec/envelope/envelope.ts'
import { KeyRing } from '../../src/codec/envelope/key-ring.ts'
import type { Serializer } from '../../src/contract/serializer.ts'
import { trials } from '../support/trials.ts'
import { encryptedCodec, KEY_1, KEY_2, META, SECRET_1, SECRET_2, withChecksum } from './encrypted-codec.ts'
import { ENCRYPTION, FORMS, KEY, undecodable, VALUE } from './encrypted-values.ts'

const custom: Serializer = {
  id: 'test/upper',
  encode: (value) => JSON.stringify(value).toUpperCase(),
  decode: (bytes) => JSON.parse(bytes.toString().toLowerCase()),
}

describe('P6 encrypted round trips are lossless', () => {
  const serializers = ['json', 'v8', 'msgpack', 'pickle'] as const
  const compressions = [
    ...([undefined, 'gzip', 'brotli', 'lz4', 'snappy'] as const),
    ...('zstdCompressSync' in zlib ? (['zstd'] as const) : []),
  ]
  const pairs = serializers.flatMap((serializer) =>
    compressions.map((compression) => ({ serializer, compression })),
  )

  it.each(pairs)('$serializer with $compression', async ({ serializer, compression }) => {
    const codec = await encryptedCodec(ENCRYPTION, { serializer, compression })
    const plain = await encryptedCodec(undefined, { serializer, compression })
    const inTheClear = (value: unknown) => plain.decode(KEY, Buffer.from(plain.encode(KEY, value) as string))
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        assert.deepStrictEqual(codec.decode(KEY, codec.encode(KEY, value) as Buffer), inTheClear(value))
        const entry = codec.open(KEY, codec.encodeEntry(KEY, value, META))
        assert.deepStrictEqual(entry?.decode(), inTheClear(value))
        assert.deepStrictEqual(entry?.entry, META)
      }),
      { numRuns: trials(50, 1_000) },
    )
  })

  it('a custom serializer, with keys of any length', async () => {
    const codec = await encryptedCodec(ENCRYPTION, { serializer: custom })
    for (const key of ['k', 'é🚀'.repeat(1_000)]) {
      const stored = codec.encode(key, { a: 'b' }) as Buffer
      assert.deepEqual(codec.decode(key, stored), { a: 'b' })
      assert.equal(codec.open(key, stored)?.serializerId, 'test/upper')
    }
  })
})

describe('encryption', () => {
  it('writes an envelope that shows nothing of the value', async () => {
    for (const serializer of ['json', 'v8', 'msgpack', 'pickle'] as const) {
      const codec = await encryptedCodec(ENCRYPTION, { serializer })
      for (const [, encode] of FORMS) {
        const stored = encode(codec, VALUE)
        assert.equal(stored[0], 1)
        for (const text of ['nobody', 'a note']) assert.equal(stored.indexOf(text), -1, text)
      }
    }
  })

  it('leaves serializer, compression, key id, size and freshness readable without a key', async () => {
    const writer = await encryptedCodec(ENCRYPTION, { serializer: 'v8', compression: 'gzip' })
    const keyless = await encryptedCodec(undefined)
    const opened = keyless.open(KEY, writer.encodeEntry(KEY, VALUE, META))
    assert.equal(opened?.serializerId, 'v8')
    assert.equal(opened?.compressionId, 'gzip')
    assert.equal(opened?.encryptionKeyId, 'k1')
    assert.ok((opened?.payloadBytes ?? 0) > 20)
    assert.deepEqual(opened?.entry, META)
    const plain = keyless.open(KEY, Buffer.from('[1]'))
    assert.deepEqual(
      [plain?.serializerId, plain?.compressionId, plain?.encryptionKeyId, plain?.payloadBytes],
      ['json', 'none', undefined, 3],
    )
    assert.equal(keyless.open(KEY, Buffer.from('(I1\n.'))?.serializerId, 'pickle')
  })

  it('can be decrypted with only the secret and the documented format', async () => {
    const codec = await encryptedCodec(ENCRYPTION)
    const stored = codec.encodeEntry(KEY, VALUE, META)
    const headerBytes = stored.readUInt16BE(4)
    const [, id, salt, nonce, tag] = split(stored.subarray(90), [1, 2, 16, 12, 16])
    assert.equal(id?.toString(), 'k1')
    const purpose = 'cachewright payload AES-256-GCM 1'
    const subkey = Buffer.from(hkdfSync('sha256', SECRET_1, salt as Buffer, purpose, 32))
    const zeros = Buffer.alloc(34)
    const bound = [stored.subarray(0, 8), zeros, stored.subarray(42, 121), zeros.subarray(0, 16)]
    const decipher = createDecipheriv('aes-256-gcm', subkey, nonce as Buffer)
    decipher.setAAD(Buffer.concat([...bound, stored.subarray(137, headerBytes), Buffer.from(KEY)]))
    decipher.setAuthTag(tag as Buffer)
    const payload = Buffer.concat([decipher.update(stored.subarray(headerBytes)), decipher.final()])
    assert.equal(payload.toString(), JSON.stringify(VALUE))
  })

  it('leaves the lease where scripts write it', async () => {
    const codec = await encryptedCodec(ENCRYPTION)
    const stored = codec.encodeEntry(KEY, VALUE, META)
    const leased = withLease(stored, 'token'.padEnd(16, '!'), 1_700_000_000_000)
    assert.deepEqual(readLease(leased), { token: 'token'.padEnd(16, '!'), deadlineMs: 1_700_000_000_000 })
    assert.deepEqual(codec.open(KEY, leased)?.decode(), VALUE)
    assert.equal(stored.toString('latin1', 42, 50), META.stamp)
  })

  it('never reuses a nonce', async () => {
    const codec = await encryptedCodec(ENCRYPTION)
    const seen = new Set<string>()
    const nonces = new Set<string>()
    const salts = new Set<string>()
    for (let round = 0; round < 20_000; round++) {
      const stored = codec.encode(KEY, 1) as Buffer
      seen.add(stored.subarray(-1).toString('latin1') + stored.toString('latin1', 31, 59))
      salts.add(stored.toString('latin1', 15, 31))
      nonces.add(stored.toString('latin1', 31, 43))
    }
    assert.equal(salts.size, 1)
    assert.equal(nonces.size, 20_000)
    assert.equal(seen.size, 20_000)
  })

  it('draws a new salt for each key ring and after a number of uses', () => {
    const key = { id: 'k1', secret: createSecretKey(SECRET_1) }
    const salts: string[] = []
    const sealed: { readonly bound: Buffer; readonly decrypt: () => Buffer }[] = []
    const reader = new KeyRing([key])
    for (const ring of [new KeyRing([key], 3), new KeyRing([key], 3)]) {
      for (let round = 0; round < 9; round++) {
        const bound = Buffer.from(`bound ${round}`)
        let start: { keyId: string; salt: Buffer; nonce: Buffer } | undefined
        const { ciphertext, tag } = ring.encrypt(Buffer.from(`payload ${round}`), (begun) => {
          start = begun
          return bound
        })
        assert.ok(start !== undefined)
        const section = { ...start, tag }
        salts.push(start.salt.toString('hex'))
        sealed.push({ bound, decrypt: () => reader.decrypt(section, bound, ciphertext) })
      }
    }
    assert.equal(new Set(salts).size, 6)
    for (let at = 0; at < salts.length; at += 3) assert.equal(new Set(salts.slice(at, at + 3)).size, 1)
    for (const { bound, decrypt } of sealed) {
      assert.equal(decrypt().toString(), bound.toString().replace('bound', 'payload'))
    }
  })

  it('reads the values of more writers than it caches subkeys for', async () => {
    const writer = new KeyRing([{ id: 'k1', secret: createSecretKey(SECRET_1) }], 1)
    const header = { serializerId: 'json', compressionId: 'none' }
    const codec = await encryptedCodec(ENCRYPTION)
    const stored = Array.from({ length: 1_200 }, (_, round) =>
      sealEnvelope(KEY, header, Buffer.from(String(round)), writer),
    )
    for (let pass = 0; pass < 2; pass++) {
      for (const [round, bytes] of stored.entries()) assert.equal(codec.decode(KEY, bytes), round)
    }
  })

  it('P8 an encrypted bomb is refused before it grows beyond the cap', async () => {
    const { ring } = resolveEncryption(ENCRYPTION) ?? assert.fail()
    const codec = await encryptedCodec(ENCRYPTION, { maxValueBytes: 1024 * 1024 })
    for (const algorithm of ['gzip', 'brotli', 'lz4', 'snappy'] as const) {
      const bomb = (await loadCompressor(algorithm)).compress(Buffer.alloc(64 * 1024 * 1024))
      const header = { serializerId: 'json', compressionId: algorithm }
      const stored = sealEnvelope(KEY, header, bomb, ring)
      await assert.rejects(async () => codec.decode(KEY, stored), undecodable())
    }
  })
})

describe('the key ring', () => {
  it('reads with every key and encrypts with the first', async () => {
    const before = await encryptedCodec({ keys: [KEY_1] })
    const rotated = await encryptedCodec({ keys: [KEY_2, KEY_1] })
    const after = await encryptedCodec({ keys: [KEY_2] })
    const old = before.encode(KEY, VALUE) as Buffer
    assert.deepEqual(rotated.decode(KEY, old), VALUE)
    const renewed = rotated.encode(KEY, VALUE) as Buffer
    assert.equal(rotated.open(KEY, renewed)?.encryptionKeyId, 'k2')
    assert.deepEqual(after.decode(KEY, renewed), VALUE)
    assert.throws(() => after.decode(KEY, old), undecodable(/the key id 'k1' is not in the key ring/))
  })

  it('refuses a value encrypted with another secret under the same id', async () => {
    const codec = await encryptedCodec({ keys: [KEY_1] })
    const other = await encryptedCodec({ keys: [{ id: 'k1', secret: SECRET_2 }] })
    const stored = codec.encode(KEY, VALUE) as Buffer
    assert.throws(() => other.decode(KEY, stored), undecodable(/the secret of 'k1' differs/))
  })

  it('gives an error that names the key if no keys are configured', async () => {
    const codec = await encryptedCodec({ keys: [KEY_1] })
    const keyless = await encryptedCodec(undefined)
    const stored = codec.encode(KEY, VALUE) as Buffer
    assert.throws(() => keyless.decode(KEY, stored), undecodable(/with the key 'k1', and no keys/))
  })

  it('refuses a key id that could break a log line', async () => {
    const codec = await encryptedCodec({ keys: [KEY_1] })
    for (const id of ['\n\n', 'k\u0000', 'é2', '  ']) {
      const forged = codec.encode(KEY, VALUE) as Buffer
      forged.write(id, 13, 'latin1')
      assert.throws(() => codec.open(KEY, withChecksum(KEY, forged)), undecodable(/malformed/))
    }
  })
})

describe('unencrypted values', () => {
  it("are refused by default and read with unencrypted: 'read'", async () => {
    const refusing = await encryptedCodec({ keys: [KEY_1] })
    const reading = await encryptedCodec(
      { keys: [KEY_1], unencrypted: 'read' },
      { readers: ['v8', 'msgpack', 'pickle'], decompressors: ['gzip'] },
    )
    for (const serializer of ['json', 'v8', 'msgpack', 'pickle'] as const) {
      for (const compression of [undefined, 'gzip'] as const) {
        const plain = await encryptedCodec(undefined, { serializer, compression })
        for (const [form, encode] of FORMS) {
          const stored = Buffer.from(encode(plain, VALUE))
          const what = `${form} in ${serializer} with ${compression}`
          await assert.rejects(async () => refusing.decode(KEY, stored), undecodable(/not encrypted/), what)
          await assert.rejects(refusing.decodeEntry(KEY, stored), undecodable(/not encrypted/), what)
          assert.deepEqual(await reading.decode(KEY, stored), VALUE, what)
          assert.deepEqual(await reading.decodeEntry(KEY, stored), VALUE, what)
        }
      }
    }
    for (const bytes of ['5', '"text"', 'null', '', '(I1\n.', 'no JSON']) {
      assert.throws(() => refusing.decode(KEY, Buffer.from(bytes)), undecodable(/not encrypted/))
    }
  })
})

/** The beginning of `bytes`, cut into pieces of these lengths. */
function split(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  let at = 0
  return lengths.map((length) => {
    at += length
    return bytes.subarray(at - length, at)
  })
}
