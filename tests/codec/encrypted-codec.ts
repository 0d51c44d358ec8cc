import { crc32 } from 'node:zlib'
import type { CompressionName } from '../../src/codec/compression.ts'
import { type EncryptionOptions, resolveEncryption } from '../../src/codec/envelope/encryption.ts'
import type { EntryMeta } from '../../src/codec/envelope/entry-meta.ts'
import { ValueCodec } from '../../src/codec/value-codec.ts'
import type { Serializer, SerializerName } from '../../src/contract/serializer.ts'

/** Secrets that differ in every byte. */
export const SECRET_1: Uint8Array = new Uint8Array(32).map((_, index) => index)
export const SECRET_2: Uint8Array = new Uint8Array(32).map((_, index) => 255 - index)
export const KEY_1 = { id: 'k1', secret: SECRET_1 } as const
export const KEY_2 = { id: 'k2', secret: SECRET_2 } as const

/** A cache entry of two generations. */
export const META: EntryMeta = {
  stamp: 'stamp567',
  createdAtMs: 1_700_000_000_000.5,
  ttlMs: 60_000,
  staleWhileRevalidateMs: 1_000,
  staleIfErrorMs: 2_000,
  loadCostMs: 3.25,
  generations: [
    { storedKey: 'cache:\0namespace', generation: '0123456789abcdef' },
    { storedKey: 'cache:\0tag:é', generation: 'fedcba9876543210' },
  ],
}

export async function encryptedCodec(
  encryption: EncryptionOptions | undefined,
  options: {
    readonly serializer?: SerializerName | Serializer
    readonly readers?: readonly (SerializerName | Serializer)[]
    readonly decompressors?: readonly CompressionName[]
    readonly compression?: CompressionName | undefined
    readonly maxValueBytes?: number
  } = {},
): Promise<ValueCodec> {
  const {
    compression,
    decompressors,
    maxValueBytes = 10_000_000,
    readers = [],
    serializer = 'json',
  } = options
  const codec = new ValueCodec({
    serializer,
    readers,
    decompressors,
    compression: compression && { algorithm: compression, minBytes: 0 },
    maxValueBytes,
    encryption: resolveEncryption(encryption),
  })
  await codec.prepare()
  return codec
}

/** The bytes with a valid checksum, as after deliberate tampering. */
export function withChecksum(storedKey: string, bytes: Buffer): Buffer {
  const sealed = Buffer.from(bytes)
  if (sealed.length < 12) return sealed
  const isEntry = ((sealed[7] as number) & 0b110) === 0b110
  const covered = [Buffer.from(storedKey), sealed.subarray(0, 8), sealed.subarray(isEntry ? 42 : 12)]
  sealed.writeUInt32BE(crc32(Buffer.concat(covered)), 8)
  return sealed
}
