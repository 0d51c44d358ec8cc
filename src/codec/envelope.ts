import { crc32 } from 'node:zlib'
import { CacheError } from '../foundation/cache-error.ts'

/**
 * The envelope: what stands in Redis wherever the payload is not plain JSON text or a plain pickle.
 *
 * ```
 * byte  0      0x01, which can begin neither JSON text nor a pickle
 *       1      format version, 1
 *       2      serializer: 1 json, 2 v8, 3 msgpack, 4 pickle, 0 = named in section 0
 *       3      compression: 0 none, 1 gzip, 2 brotli, 3 zstd, 4 lz4, 5 snappy
 *       4..5   where the payload begins (unsigned, big-endian)
 *       6..7   sections present, one bit each; a reader that does not know a bit cannot read the entry
 *       8..11  CRC-32 over the key as stored, bytes 0..7, bytes 12.. of the header, and the payload
 *       12..   sections in the order of their bits; then the payload
 * section 0    serializer name: one length byte, then ASCII
 * ```
 *
 * The checksum binds an entry to its key: a flipped bit, a truncation and another key's bytes all read as a miss.
 * Golden payloads of each version are kept under `tests/golden/` and stay readable for ever.
 */
const MARK = 0x01
const VERSION = 1
const FIXED_BYTES = 12
const SECTION_SERIALIZER_NAME = 0b1
const KNOWN_SECTIONS = SECTION_SERIALIZER_NAME

const SERIALIZER_CODES: ReadonlyMap<string, number> = new Map([
  ['json', 1],
  ['v8', 2],
  ['msgpack', 3],
  ['pickle', 4],
])
const SERIALIZER_IDS: ReadonlyMap<number, string> = inverse(SERIALIZER_CODES)

/** Ways to compress a payload, and the code of each in the header. */
const COMPRESSION_CODES: ReadonlyMap<string, number> = new Map([
  ['none', 0],
  ['gzip', 1],
  ['brotli', 2],
  ['zstd', 3],
  ['lz4', 4],
  ['snappy', 5],
])
const COMPRESSION_IDS: ReadonlyMap<number, string> = inverse(COMPRESSION_CODES)

/** How the payload of an envelope is to be read. */
export interface EnvelopeHeader {
  readonly serializerId: string
  /** `'none'`, `'gzip'`, `'brotli'`, `'zstd'`, `'lz4'` or `'snappy'`. */
  readonly compressionId: string
}

/** An envelope that has been opened: header checked, payload still encoded. */
export interface OpenedEnvelope extends EnvelopeHeader {
  /** A view into the bytes that were opened. */
  readonly payload: Buffer
}

/** Whether the bytes claim to be an envelope. */
export function isEnvelope(bytes: Buffer): boolean {
  return bytes[0] === MARK
}

/** Header and payload as one buffer, bound to `storedKey`. */
export function sealEnvelope(storedKey: string, header: EnvelopeHeader, payload: Uint8Array): Buffer {
  const code = SERIALIZER_CODES.get(header.serializerId) ?? 0
  const name = code === 0 ? Buffer.from(header.serializerId, 'latin1') : undefined
  const headerBytes = FIXED_BYTES + (name === undefined ? 0 : 1 + name.length)
  const sealed = Buffer.allocUnsafe(headerBytes + payload.length)
  sealed[0] = MARK
  sealed[1] = VERSION
  sealed[2] = code
  sealed[3] = COMPRESSION_CODES.get(header.compressionId) as number
  sealed.writeUInt16BE(headerBytes, 4)
  sealed.writeUInt16BE(name === undefined ? 0 : SECTION_SERIALIZER_NAME, 6)
  if (name !== undefined) {
    sealed[FIXED_BYTES] = name.length
    sealed.set(name, FIXED_BYTES + 1)
  }
  sealed.set(payload, headerBytes)
  sealed.writeUInt32BE(checksum(storedKey, sealed), 8)
  return sealed
}

/** @throws CacheError `CACHE_UNDECODABLE` where the bytes are corrupt, truncated, of another version, or belong to another key */
export function openEnvelope(storedKey: string, bytes: Buffer): OpenedEnvelope {
  if (bytes.length < FIXED_BYTES) throw unreadable('the envelope is truncated')
  if (bytes[1] !== VERSION) throw unreadable(`unknown envelope version ${bytes[1]}`)
  const headerBytes = bytes.readUInt16BE(4)
  if (headerBytes < FIXED_BYTES || headerBytes > bytes.length) throw unreadable('the envelope is truncated')
  if (bytes.readUInt32BE(8) !== checksum(storedKey, bytes)) throw unreadable('the checksum does not match')
  const sections = bytes.readUInt16BE(6)
  if ((sections & ~KNOWN_SECTIONS) !== 0) throw unreadable('the envelope has sections of a later version')
  const compressionId = COMPRESSION_IDS.get(bytes[3] as number)
  if (compressionId === undefined) throw unreadable(`unknown compression ${bytes[3]}`)
  return {
    serializerId: serializerIdOf(bytes, sections),
    compressionId,
    payload: bytes.subarray(headerBytes),
  }
}

function serializerIdOf(bytes: Buffer, sections: number): string {
  if ((sections & SECTION_SERIALIZER_NAME) !== 0) {
    return bytes.toString('latin1', FIXED_BYTES + 1, FIXED_BYTES + 1 + (bytes[FIXED_BYTES] as number))
  }
  const id = SERIALIZER_IDS.get(bytes[2] as number)
  if (id === undefined) throw unreadable(`unknown serializer ${bytes[2]}`)
  return id
}

function checksum(storedKey: string, sealed: Buffer): number {
  return crc32(sealed.subarray(FIXED_BYTES), crc32(sealed.subarray(0, 8), crc32(storedKey)))
}

function unreadable(reason: string): CacheError {
  return new CacheError('CACHE_UNDECODABLE', `The stored bytes cannot be decoded: ${reason}`)
}

function inverse<Key, Value>(map: ReadonlyMap<Key, Value>): ReadonlyMap<Value, Key> {
  return new Map([...map].map(([key, value]) => [value, key]))
}
