import { CacheError } from '../../foundation/cache-error.ts'
import { checksumOf } from './checksum.ts'
import {
  encryptionSectionBytes,
  type PlacedEncryptionSection,
  readEncryptionSection,
  TAG_BYTES,
  writeEncryptionSection,
} from './encryption-section.ts'
import {
  ENTRY_SECTION_BYTES,
  type EntryMeta,
  generationsBytes,
  LEASE_BYTES,
  readEntryMeta,
  writeEntrySection,
  writeGenerations,
} from './entry-meta.ts'
import type { KeyRing } from './key-ring.ts'
import {
  STRUCTURES_SECTION_BYTES,
  type StructuresName,
  writeStructuresSection,
} from './structures-section.ts'
import { unreadable } from './unreadable.ts'

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
 *       8..11  CRC-32 over the key as stored, bytes 0..7, what follows of the header (a lease excepted), and the payload
 *       12..   sections; then the payload
 * section 1    entry: the lease and freshness of a cache entry; comes first, for scripts to find it
 * section 0    serializer name: one length byte, then ASCII
 * section 4    structures: the dictionary of record structures that the payload refers to
 * section 3    encryption: how the payload was encrypted, after it was compressed
 * section 2    generations that a cache entry depends on; present where section 1 is
 * ```
 *
 * What sections 1 and 2 hold is told at {@link EntryMeta}, section 3 at {@link PlacedEncryptionSection}, and section 4
 * at {@link STRUCTURES_SECTION_BYTES}.
 *
 * The checksum binds an entry to its key: a flipped bit, a truncation and another key's bytes all read as a miss.
 * It finds accidents. What whoever can write to the store does is found by the tag of an encrypted payload, which
 * covers the whole header and the key, see {@link additionalData}.
 *
 * Golden payloads of each version are kept under `tests/golden/` and stay readable for ever.
 */
const MARK = 0x01
const VERSION = 1
const FIXED_BYTES = 12
const LONGEST_HEADER = 0xffff
const SECTION_SERIALIZER_NAME = 0b001
const SECTIONS_OF_ENTRY = 0b110
const SECTION_ENCRYPTION = 0b1000
const SECTION_STRUCTURES = 0b10000
const KNOWN_SECTIONS = SECTION_SERIALIZER_NAME | SECTION_ENCRYPTION | SECTION_STRUCTURES

const SERIALIZER_CODES: ReadonlyMap<string, number> = new Map([
  ['json', 1],
  ['v8', 2],
  ['msgpack', 3],
  ['pickle', 4],
])
const SERIALIZER_IDS: readonly string[] = inverse(SERIALIZER_CODES)
const MSGPACK = SERIALIZER_CODES.get('msgpack')

/** Ways to compress a payload, and the code of each in the header. */
const COMPRESSION_CODES: ReadonlyMap<string, number> = new Map([
  ['none', 0],
  ['gzip', 1],
  ['brotli', 2],
  ['zstd', 3],
  ['lz4', 4],
  ['snappy', 5],
])
const COMPRESSION_IDS: readonly string[] = inverse(COMPRESSION_CODES)
const NO_COMPRESSION = 0

/** How the payload of an envelope is to be read. */
export interface EnvelopeHeader {
  readonly serializerId: string
  /** `'none'`, `'gzip'`, `'brotli'`, `'zstd'`, `'lz4'` or `'snappy'`. */
  readonly compressionId: string
  /** Present where the envelope is a cache entry. */
  readonly entry?: EntryMeta | undefined
  /** Present where the payload refers to record structures that lie elsewhere. */
  readonly structures?: StructuresName | undefined
}

/** An envelope that has been opened: header checked, payload still encoded. */
export interface OpenedEnvelope extends Omit<EnvelopeHeader, 'structures'> {
  /** A view into the bytes that were opened; still encrypted where `encryption` is present. */
  readonly payload: Buffer
  readonly encryption: PlacedEncryptionSection | undefined
  /** Where section 4 stands in the bytes that were opened; 0 where there is none. */
  readonly structuresAt: number
}

/** Whether the bytes claim to be an envelope. */
export function isEnvelope(bytes: Buffer): boolean {
  return bytes[0] === MARK
}

/**
 * Header and payload as one buffer, bound to `storedKey`.
 * @param ring encrypts the payload
 */
export function sealEnvelope(
  storedKey: string,
  header: EnvelopeHeader,
  payload: Uint8Array,
  ring?: KeyRing,
): Buffer {
  const { entry, structures } = header
  const code = SERIALIZER_CODES.get(header.serializerId) ?? 0
  const name = code === 0 ? Buffer.from(header.serializerId, 'latin1') : undefined
  const nameAt = entry === undefined ? FIXED_BYTES : FIXED_BYTES + ENTRY_SECTION_BYTES
  const structuresAt = name === undefined ? nameAt : nameAt + 1 + name.length
  const encryptionAt = structures === undefined ? structuresAt : structuresAt + STRUCTURES_SECTION_BYTES
  const generationsAt = ring === undefined ? encryptionAt : encryptionAt + encryptionSectionBytes(ring.keyId)
  const headerBytes = entry === undefined ? generationsAt : generationsAt + generationsBytes(entry)
  if (headerBytes > LONGEST_HEADER)
    throw new CacheError('CACHE_INVALID_ARGUMENT', 'The tags take more than 64 KiB')
  const sealed = Buffer.allocUnsafe(headerBytes + payload.length)
  sealed[0] = MARK
  sealed[1] = VERSION
  sealed[2] = code
  sealed[3] = COMPRESSION_CODES.get(header.compressionId) as number
  sealed.writeUInt16BE(headerBytes, 4)
  sealed.writeUInt16BE(
    (name === undefined ? 0 : SECTION_SERIALIZER_NAME) |
      (entry === undefined ? 0 : SECTIONS_OF_ENTRY) |
      (structures === undefined ? 0 : SECTION_STRUCTURES) |
      (ring === undefined ? 0 : SECTION_ENCRYPTION),
    6,
  )
  if (name !== undefined) {
    sealed[nameAt] = name.length
    sealed.set(name, nameAt + 1)
  }
  if (structures !== undefined) writeStructuresSection(sealed, structuresAt, structures)
  if (entry !== undefined) {
    writeEntrySection(sealed, FIXED_BYTES, entry)
    writeGenerations(sealed, generationsAt, entry.generations)
  }
  if (ring === undefined) {
    sealed.set(payload, headerBytes)
  } else {
    let tagAt = 0
    const { ciphertext, tag } = ring.encrypt(payload, (start) => {
      tagAt = writeEncryptionSection(sealed, encryptionAt, start)
      return additionalData(storedKey, sealed.subarray(0, headerBytes), tagAt, entry !== undefined)
    })
    sealed.set(tag, tagAt)
    sealed.set(ciphertext, headerBytes)
  }
  sealed.writeUInt32BE(checksum(storedKey, sealed, entry !== undefined), 8)
  return sealed
}

/**
 * Checks an envelope, and tells where its payload begins if that needs no look into its sections: msgpack that is
 * neither compressed nor encrypted, of no cache entry. Then {@link PLAIN_STRUCTURES_AT} is where section 4 stands, and
 * {@link hasStructures} whether it does. 0 for any other, which {@link openChecked} opens.
 * @throws CacheError as {@link openEnvelope}
 */
export function checkEnvelope(storedKey: string, bytes: Buffer): number {
  if (bytes.length < FIXED_BYTES) throw unreadable('the envelope is truncated')
  if (bytes[1] !== VERSION) throw unreadable(`unknown envelope version ${bytes[1]}`)
  const headerBytes = bytes.readUInt16BE(4)
  const sections = bytes.readUInt16BE(6)
  const isEntry = (sections & SECTIONS_OF_ENTRY) === SECTIONS_OF_ENTRY
  const hasOwnStructures = (sections & SECTION_STRUCTURES) !== 0
  const leastBytes =
    FIXED_BYTES + (isEntry ? ENTRY_SECTION_BYTES : 0) + (hasOwnStructures ? STRUCTURES_SECTION_BYTES : 0)
  if (headerBytes < leastBytes || headerBytes > bytes.length) throw unreadable('the envelope is truncated')
  if (bytes.readUInt32BE(8) !== checksum(storedKey, bytes, isEntry))
    throw unreadable('the checksum does not match')
  const known = isEntry ? KNOWN_SECTIONS | SECTIONS_OF_ENTRY : KNOWN_SECTIONS
  if ((sections & ~known) !== 0) throw unreadable('the envelope has sections of a later version')
  const isPlain =
    (sections & ~SECTION_STRUCTURES) === 0 && bytes[2] === MSGPACK && bytes[3] === NO_COMPRESSION
  return isPlain ? headerBytes : 0
}

/** Where section 4 stands in an envelope that {@link checkEnvelope} found plain. */
export const PLAIN_STRUCTURES_AT: number = FIXED_BYTES

/** Whether an envelope that has been checked has the section 4. */
export function hasStructures(bytes: Buffer): boolean {
  return ((bytes[7] as number) & SECTION_STRUCTURES) !== 0
}

/** A cache entry whose sections say nothing beyond its times, its generations, and perhaps its structures. */
export interface PlainEntry {
  readonly serializerId: string
  /** Where section 2 begins; it ends where the payload begins. */
  readonly generationsAt: number
  readonly payloadAt: number
  /** Where section 4 stands; 0 where there is none. */
  readonly structuresAt: number
}

/**
 * What a checked envelope is, if it is a cache entry that is neither compressed nor encrypted: the form that is read
 * most, told without a look at its sections. `undefined` for any other, which {@link openChecked} opens.
 */
export function plainEntryIn(bytes: Buffer): PlainEntry | undefined {
  const sections = ((bytes[6] as number) << 8) | (bytes[7] as number)
  if ((sections & ~SECTION_STRUCTURES) !== SECTIONS_OF_ENTRY || bytes[3] !== NO_COMPRESSION) return undefined
  const serializerId = SERIALIZER_IDS[bytes[2] as number]
  const isShared = (sections & SECTION_STRUCTURES) !== 0
  if (serializerId === undefined || (isShared && bytes[2] !== MSGPACK)) return undefined
  const sectionsEnd = FIXED_BYTES + ENTRY_SECTION_BYTES
  return {
    serializerId,
    generationsAt: isShared ? sectionsEnd + STRUCTURES_SECTION_BYTES : sectionsEnd,
    payloadAt: ((bytes[4] as number) << 8) | (bytes[5] as number),
    structuresAt: isShared ? sectionsEnd : 0,
  }
}

/** Whether an envelope says that its payload is encrypted. */
export function isEncrypted(bytes: Buffer): boolean {
  return ((bytes[7] as number) & SECTION_ENCRYPTION) !== 0
}

/** @throws CacheError `CACHE_UNDECODABLE` where the bytes are corrupt, truncated, of another version, or belong to another key */
export function openEnvelope(storedKey: string, bytes: Buffer): OpenedEnvelope {
  checkEnvelope(storedKey, bytes)
  return openChecked(bytes)
}

/** As {@link openEnvelope}, for bytes that {@link checkEnvelope} has checked. */
export function openChecked(bytes: Buffer): OpenedEnvelope {
  const headerBytes = bytes.readUInt16BE(4)
  const sections = bytes.readUInt16BE(6)
  const isEntry = (sections & SECTIONS_OF_ENTRY) === SECTIONS_OF_ENTRY
  const compressionId = COMPRESSION_IDS[bytes[3] as number]
  if (compressionId === undefined) throw unreadable(`unknown compression ${bytes[3]}`)
  const nameAt = isEntry ? FIXED_BYTES + ENTRY_SECTION_BYTES : FIXED_BYTES
  const isNamed = (sections & SECTION_SERIALIZER_NAME) !== 0
  const structuresAt = isNamed ? nameAt + 1 + (bytes[nameAt] as number) : nameAt
  const serializerId = isNamed
    ? bytes.toString('latin1', nameAt + 1, structuresAt)
    : knownSerializer(bytes[2])
  const isShared = hasStructures(bytes)
  const encryptionAt = isShared ? structuresAt + STRUCTURES_SECTION_BYTES : structuresAt
  if (isShared && (encryptionAt > headerBytes || serializerId !== 'msgpack'))
    throw unreadable('the section on structures is malformed')
  const encryption =
    (sections & SECTION_ENCRYPTION) === 0
      ? undefined
      : readEncryptionSection(bytes, encryptionAt, headerBytes)
  return {
    serializerId,
    compressionId,
    entry: isEntry ? readEntryMeta(bytes, encryption?.end ?? encryptionAt) : undefined,
    encryption,
    structuresAt: isShared ? structuresAt : 0,
    payload: bytes.subarray(headerBytes),
  }
}

/**
 * The payload of an envelope in the clear.
 * @param bytes what was opened
 * @throws CacheError `CACHE_UNDECODABLE` where it was altered or moved, or its key is not in the ring
 */
export function decryptPayload(
  storedKey: string,
  bytes: Buffer,
  { encryption, entry, payload }: OpenedEnvelope,
  ring: KeyRing,
): Buffer {
  if (encryption === undefined) return payload
  const header = bytes.subarray(0, bytes.length - payload.length)
  const bound = additionalData(storedKey, header, encryption.tagAt, entry !== undefined)
  return ring.decrypt(encryption, bound, payload)
}

/**
 * What the tag covers beside the payload: the header, with zeros for the checksum, the lease (which scripts write in
 * place) and the tag, then the key. The header tells its own length, so no other key and header give the same bytes.
 */
function additionalData(storedKey: string, header: Buffer, tagAt: number, isEntry: boolean): Buffer {
  const bound = Buffer.alloc(header.length + Buffer.byteLength(storedKey))
  bound.set(header)
  bound.fill(0, 8, isEntry ? FIXED_BYTES + LEASE_BYTES : FIXED_BYTES)
  bound.fill(0, tagAt, tagAt + TAG_BYTES)
  bound.write(storedKey, header.length)
  return bound
}

function knownSerializer(code: number | undefined): string {
  const id = SERIALIZER_IDS[code as number]
  if (id === undefined) throw unreadable(`unknown serializer ${code}`)
  return id
}

/** The lease of an entry is left out, since scripts write it in place. */
function checksum(storedKey: string, sealed: Buffer, isEntry: boolean): number {
  return checksumOf(storedKey, sealed, 8, isEntry ? FIXED_BYTES + LEASE_BYTES : FIXED_BYTES)
}

/** Names by their code. */
function inverse(codes: ReadonlyMap<string, number>): readonly string[] {
  const names: string[] = []
  for (const [name, code] of codes) names[code] = name
  return names
}
