import { CacheError } from '../../foundation/errors/cache-error.ts'
import {
  encryptionSectionBytes,
  type PlacedEncryptionSection,
  readEncryptionSection,
  writeEncryptionSection,
} from './encryption-section.ts'
import {
  ENTRY_SECTION_BYTES,
  type EntryMeta,
  generationsBytes,
  MOST_GENERATIONS,
  readEntryMeta,
  writeEntrySection,
  writeGenerations,
} from './entry-meta.ts'
import { additionalData, checksum } from './envelope-binding.ts'
import {
  COMPRESSION_CODES,
  COMPRESSION_IDS,
  FIXED_BYTES,
  KNOWN_SECTIONS,
  LONGEST_HEADER,
  MARK,
  MSGPACK,
  NO_COMPRESSION,
  SECTION_ENCRYPTION,
  SECTION_SERIALIZER_NAME,
  SECTION_STRUCTURES,
  SECTIONS_OF_ENTRY,
  SERIALIZER_CODES,
  SERIALIZER_IDS,
  VERSION,
} from './envelope-format.ts'
import type { KeyRing } from './key-ring.ts'
import {
  STRUCTURES_SECTION_BYTES,
  type StructuresName,
  writeStructuresSection,
} from './structures-section.ts'
import { unreadable } from './unreadable.ts'

/** The part of an envelope that says how to read its payload. */
export interface EnvelopeHeader {
  readonly serializerId: string
  /** `'none'`, `'gzip'`, `'brotli'`, `'zstd'`, `'lz4'` or `'snappy'`. */
  readonly compressionId: string
  /** Present if the envelope is a cache entry. */
  readonly entry?: EntryMeta | undefined
  /** Present if the payload refers to a dictionary of record structures. */
  readonly structures?: StructuresName | undefined
}

/** An opened envelope: its header is verified, its payload still encoded. */
export interface OpenedEnvelope extends Omit<EnvelopeHeader, 'structures'> {
  /** A view into the opened bytes; still encrypted if `encryption` is present. */
  readonly payload: Buffer
  readonly encryption: PlacedEncryptionSection | undefined
  /** The offset of section 4 in the opened bytes; 0 if there is none. */
  readonly structuresAt: number
}

/** Whether the bytes claim to be an envelope. */
export function isEnvelope(bytes: Buffer): boolean {
  return bytes[0] === MARK
}

/**
 * The header and the payload as one buffer, bound to `storedKey`.
 * @param ring encrypts the payload
 * @throws CacheError `CACHE_INVALID_ARGUMENT` if the header would take more than 64 KiB, or names too many generations
 */
export function sealEnvelope(
  storedKey: string,
  header: EnvelopeHeader,
  payload: Uint8Array,
  ring?: KeyRing,
): Buffer {
  const { entry, structures } = header
  if (entry !== undefined) assertGenerationCount(entry)
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
 * Verifies an envelope, and returns the offset of its payload if its sections need no parsing: msgpack that is neither
 * compressed nor encrypted, and not a cache entry. {@link PLAIN_STRUCTURES_AT} is then the offset of section 4, and
 * {@link hasStructures} tells whether it is present. For any other envelope it returns 0; {@link openChecked} opens it.
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

/** The offset of section 4 in an envelope for which {@link checkEnvelope} returned an offset. */
export const PLAIN_STRUCTURES_AT: number = FIXED_BYTES

/** Whether a verified envelope has section 4. */
export function hasStructures(bytes: Buffer): boolean {
  return ((bytes[7] as number) & SECTION_STRUCTURES) !== 0
}

/** A cache entry that has only the sections 1 and 2, and perhaps 4. */
export interface PlainEntry {
  readonly serializerId: string
  /** The offset of section 2, which ends at the payload. */
  readonly generationsAt: number
  readonly payloadAt: number
  /** The offset of section 4; 0 if there is none. */
  readonly structuresAt: number
}

/**
 * A verified envelope as a cache entry that is neither compressed nor encrypted. That is the most frequent form, and it
 * is recognised without parsing sections. `undefined` for any other, which {@link openChecked} opens.
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

/** Whether the header of an envelope says that its payload is encrypted. */
export function isEncrypted(bytes: Buffer): boolean {
  return ((bytes[7] as number) & SECTION_ENCRYPTION) !== 0
}

/**
 * Verifies and opens an envelope.
 * @throws CacheError `CACHE_UNDECODABLE` if the bytes are corrupt, truncated, of another version, or of another key
 */
export function openEnvelope(storedKey: string, bytes: Buffer): OpenedEnvelope {
  checkEnvelope(storedKey, bytes)
  return openChecked(bytes)
}

/** As {@link openEnvelope}, for bytes that {@link checkEnvelope} has verified. */
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
    entry: isEntry ? readEntryMeta(bytes, encryption?.end ?? encryptionAt, headerBytes) : undefined,
    encryption,
    structuresAt: isShared ? structuresAt : 0,
    payload: bytes.subarray(headerBytes),
  }
}

/**
 * The decrypted payload of an envelope, or the payload itself if it is not encrypted.
 * @param bytes the opened bytes
 * @throws CacheError `CACHE_UNDECODABLE` if it was altered or moved to another key, or its secret is not in the ring
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

function assertGenerationCount({ generations: { length } }: EntryMeta): void {
  if (length <= MOST_GENERATIONS) return
  throw new CacheError(
    'CACHE_INVALID_ARGUMENT',
    `An entry may be bound to at most ${MOST_GENERATIONS} tags and namespaces, not ${length}`,
  )
}

function knownSerializer(code: number | undefined): string {
  const id = SERIALIZER_IDS[code as number]
  if (id === undefined) throw unreadable(`unknown serializer ${code}`)
  return id
}
