/**
 * The envelope: the stored form of every value that is neither plain JSON text nor a plain pickle.
 *
 * ```
 * byte  0      0x01, which can begin neither JSON text nor a pickle
 *       1      format version, 1
 *       2      serializer: 1 json, 2 v8, 3 msgpack, 4 pickle, 5 no value, 0 = named in section 0
 *       3      compression: 0 none, 1 gzip, 2 brotli, 3 zstd, 4 lz4, 5 snappy
 *       4..5   offset of the payload (unsigned, big-endian)
 *       6..7   the sections that are present, one bit each; a reader that does not know a bit cannot read the entry
 *       8..11  CRC-32 over the key as stored, bytes 0..7, the rest of the header (a lease excepted), and the payload
 *       12..   sections; then the payload
 * section 1    entry: the lease and the freshness of a cache entry; comes first, where scripts find it
 * section 0    serializer name: one length byte, then ASCII
 * section 4    structures: the dictionary of record structures that the payload refers to
 * section 3    encryption: how the payload was encrypted, after it was compressed
 * section 2    generations that a cache entry depends on; present if section 1 is
 * ```
 *
 * `EntryMeta` describes the sections 1 and 2, `EncryptionSection` section 3, and `STRUCTURES_SECTION_BYTES` section 4.
 *
 * The checksum binds an envelope to its key: a flipped bit, a truncation and the bytes of another key all read as a
 * miss. It detects accidents, not attacks. An attacker who can write to the store is detected by the tag of an
 * encrypted payload, which covers the whole header and the key, see `additionalData`.
 *
 * Golden payloads of each version are kept under `tests/codec/golden/` and stay readable for ever.
 */
export const MARK = 0x01
export const VERSION = 1
/** Bytes before the first section. */
export const FIXED_BYTES = 12
export const LONGEST_HEADER = 0xffff
export const SECTION_SERIALIZER_NAME = 0b001
/** The sections 1 and 2, which only occur together. */
export const SECTIONS_OF_ENTRY = 0b110
export const SECTION_ENCRYPTION = 0b1000
export const SECTION_STRUCTURES = 0b10000
/** The sections that an envelope without sections 1 and 2 may have. */
export const KNOWN_SECTIONS: number = SECTION_SERIALIZER_NAME | SECTION_ENCRYPTION | SECTION_STRUCTURES

/** In place of the id of a serializer: the source had no value, and the payload is empty. No serializer can have it. */
export const NO_VALUE_ID = '(none)'

/** The code of each built-in serializer in the header. */
export const SERIALIZER_CODES: ReadonlyMap<string, number> = new Map([
  ['json', 1],
  ['v8', 2],
  ['msgpack', 3],
  ['pickle', 4],
  [NO_VALUE_ID, 5],
])
export const SERIALIZER_IDS: readonly string[] = inverse(SERIALIZER_CODES)
export const MSGPACK = 3

/** The code of each compression in the header. */
export const COMPRESSION_CODES: ReadonlyMap<string, number> = new Map([
  ['none', 0],
  ['gzip', 1],
  ['brotli', 2],
  ['zstd', 3],
  ['lz4', 4],
  ['snappy', 5],
])
export const COMPRESSION_IDS: readonly string[] = inverse(COMPRESSION_CODES)
export const NO_COMPRESSION = 0

/** Names by their code. */
function inverse(codes: ReadonlyMap<string, number>): readonly string[] {
  const names: string[] = []
  for (const [name, code] of codes) names[code] = name
  return names
}
