import type { Serializer, SerializerName } from '../contract/serializer.ts'
import { CacheError } from '../foundation/cache-error.ts'
import {
  type CompressionName,
  type Compressor,
  loadCompressor,
  type ResolvedCompression,
} from './compression.ts'
import type { ResolvedEncryption } from './envelope/encryption.ts'
import { type EntryMeta, isPlaceholder } from './envelope/entry-meta.ts'
import {
  checkEnvelope,
  decryptPayload,
  hasStructures,
  isEnvelope,
  type OpenedEnvelope,
  openChecked,
  openEnvelope,
  PLAIN_STRUCTURES_AT,
  type PlainEntry,
  plainEntryIn,
  sealEnvelope,
} from './envelope/envelope.ts'
import { rethrowUndecodable, undecodable, unreadable } from './envelope/unreadable.ts'
import { PayloadCodec, type SerializedValue } from './payload-codec.ts'
import { isPickle } from './pickle/pickle-detection.ts'
import { jsonSerializer } from './serializers/json.ts'
import type { SharedStructures } from './structures/shared-structures.ts'

/** What a {@link ValueCodec} needs to know. */
export interface ValueCodecOptions {
  readonly serializer: SerializerName | Serializer
  /** Further serializers whose values this process can read. */
  readonly readers: readonly Serializer[]
  readonly compression: ResolvedCompression | undefined
  /** Largest serialized size, before compression and after decompression, in bytes. */
  readonly maxValueBytes: number
  /** Encrypts what is written, and decrypts what is read. */
  readonly encryption?: ResolvedEncryption | undefined
}

/** Bytes whose value is still to be decoded. */
export interface OpenedValue {
  /** `undefined` for a plain value: JSON text, a pickle, or an envelope that is no cache entry. */
  readonly entry: EntryMeta | undefined
  readonly serializerId: string
  /** `'none'` where the payload is not compressed. */
  readonly compressionId: string
  /** Names the key that the payload is encrypted with; `undefined` where it is not encrypted. */
  readonly encryptionKeyId: string | undefined
  /** Size of the payload as it is stored: compressed and encrypted, without its header. */
  readonly payloadBytes: number
  /** As {@link ValueCodec.decode}. */
  decode(): unknown
}

/**
 * Between a value and the bytes that stand for it under a key.
 *
 * Writes JSON text and pickles as they are, so that other programs read them, and everything else in an
 * {@link sealEnvelope | envelope}. Reads what any configuration wrote: the bytes say what they are.
 *
 * With encryption everything is in an envelope: serialized, then compressed, then encrypted.
 */
export class ValueCodec {
  readonly #options: ValueCodecOptions
  readonly #payloads: PayloadCodec
  readonly #compressors = new Map<CompressionName, Compressor>()
  readonly #refusesUnencrypted: boolean
  #compressor: Compressor | undefined

  /** @param structures what 'msgpack' shares its record structures through; without them, each payload brings its own */
  constructor(options: ValueCodecOptions, structures?: SharedStructures) {
    this.#options = options
    this.#payloads = new PayloadCodec(options.serializer, options.readers, structures)
    this.#refusesUnencrypted = options.encryption?.refusesUnencrypted ?? false
  }

  /** Loads what the configuration names. @throws CacheError `CACHE_MISSING_PEER` */
  async prepare(): Promise<void> {
    await this.#payloads.prepare()
    if (this.#options.compression !== undefined) {
      this.#compressor = await this.#loadCompressor(this.#options.compression.algorithm)
    }
  }

  /** @throws CacheError `CACHE_INVALID_VALUE`, `CACHE_VALUE_TOO_LARGE` */
  encode(storedKey: string, value: unknown): string | Buffer {
    return this.#enclose(storedKey, this.serialize(value))
  }

  /** The value of a cache entry. @throws CacheError as {@link decode} */
  async decodeEntry(storedKey: string, bytes: Buffer): Promise<unknown> {
    return this.open(storedKey, bytes)?.decode()
  }

  /** A cache entry: always an envelope. @throws CacheError as {@link encode} */
  encodeEntry(storedKey: string, value: unknown, entry: EntryMeta): Buffer {
    return this.sealEntry(storedKey, this.serialize(value), entry)
  }

  /** What {@link serialize} made, as a cache entry. */
  sealEntry(storedKey: string, { payload, structures }: SerializedValue, entry: EntryMeta): Buffer {
    const compressed = this.#compress(payload)
    const header = {
      serializerId: this.#payloads.serializerId,
      compressionId: compressed === undefined ? 'none' : (this.#compressor as Compressor).id,
      entry,
      structures,
    }
    return sealEnvelope(
      storedKey,
      header,
      compressed ?? Buffer.from(payload as string),
      this.#options.encryption?.ring,
    )
  }

  /**
   * What the bytes under a key are, before their value is decoded; `undefined` for a placeholder.
   * @throws CacheError `CACHE_UNDECODABLE`
   */
  open(storedKey: string, bytes: Buffer): OpenedValue | undefined {
    if (isPlaceholder(bytes)) return undefined
    if (!isEnvelope(bytes)) {
      return {
        entry: undefined,
        serializerId: isPickle(bytes) ? 'pickle' : 'json',
        compressionId: 'none',
        encryptionKeyId: undefined,
        payloadBytes: bytes.length,
        decode: () => this.decode(storedKey, bytes),
      }
    }
    const opened = opening(storedKey, bytes)
    return {
      entry: opened.entry,
      serializerId: opened.serializerId,
      compressionId: opened.compressionId,
      encryptionKeyId: opened.encryption?.keyId,
      payloadBytes: opened.payload.length,
      decode: () => {
        try {
          return this.#decodeEnvelope(storedKey, bytes, opened)
        } catch (cause) {
          throw undecodable(cause)
        }
      },
    }
  }

  /**
   * A cache entry in the form that is read most, found whole; `undefined` for anything else, which {@link open} opens.
   * @throws CacheError `CACHE_UNDECODABLE`
   */
  openPlainEntry(storedKey: string, bytes: Buffer): PlainEntry | undefined {
    if (!isEnvelope(bytes) || this.#refusesUnencrypted) return undefined
    checkEnvelope(storedKey, bytes)
    return plainEntryIn(bytes)
  }

  /** As {@link decode}, for what {@link openPlainEntry} has found. */
  decodePlainEntry(bytes: Buffer, { payloadAt, serializerId, structuresAt }: PlainEntry): unknown {
    try {
      return structuresAt === 0
        ? this.#payloads.deserialize(serializerId, bytes.subarray(payloadAt))
        : this.#payloads.deserializeShared(bytes, structuresAt, bytes, payloadAt)
    } catch (cause) {
      throw undecodable(cause)
    }
  }

  /**
   * The value, or a promise of it where a serializer or a dictionary of structures has to be loaded first.
   * @throws CacheError `CACHE_UNDECODABLE`, `CACHE_MISSING_PEER` (or the promise rejects with it)
   */
  decode(storedKey: string, bytes: Buffer): unknown {
    try {
      if (isEnvelope(bytes)) return this.#decodeBytes(storedKey, bytes)
      if (this.#refusesUnencrypted) throw notEncrypted()
      if (isPickle(bytes)) return this.#payloads.deserialize('pickle', bytes)
      return jsonSerializer.decode(bytes)
    } catch (cause) {
      throw undecodable(cause)
    }
  }

  /** @throws CacheError as {@link encode} */
  serialize(value: unknown): SerializedValue {
    const serialized = this.#payloads.serialize(value)
    this.#assertSize(serialized.payload)
    return serialized
  }

  /** A UTF-16 unit takes at most three bytes of UTF-8, so most text needs no counting. */
  #assertSize(payload: string | Uint8Array): void {
    const { maxValueBytes } = this.#options
    if (payload.length * 3 <= maxValueBytes) return
    const bytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length
    if (bytes <= maxValueBytes) return
    throw new CacheError(
      'CACHE_VALUE_TOO_LARGE',
      `The value takes ${bytes} bytes, more than ${maxValueBytes}`,
    )
  }

  #enclose(storedKey: string, { payload, structures }: SerializedValue): string | Buffer {
    const { serializerId } = this.#payloads
    const { encryption } = this.#options
    const compressed = this.#compress(payload)
    if (compressed !== undefined) {
      const compressionId = (this.#compressor as Compressor).id
      return sealEnvelope(
        storedKey,
        { serializerId, compressionId, structures },
        compressed,
        encryption?.ring,
      )
    }
    if (serializerId === 'json' && encryption === undefined) return payload as string
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    if (serializerId === 'pickle' && encryption === undefined) return bytes as Buffer
    return sealEnvelope(
      storedKey,
      { serializerId, compressionId: 'none', structures },
      bytes,
      encryption?.ring,
    )
  }

  /** The compressed payload, if compression is on, the payload long enough, and the result smaller. */
  #compress(payload: string | Uint8Array): Buffer | undefined {
    const { compression } = this.#options
    if (compression === undefined || payload.length < compression.minBytes) return undefined
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    const compressed = (this.#compressor as Compressor).compress(bytes)
    return compressed.length < bytes.length ? compressed : undefined
  }

  /** What is read most takes the shortest way: a plain value in the form that reads fastest. */
  #decodeBytes(storedKey: string, bytes: Buffer): unknown {
    const start = checkEnvelope(storedKey, bytes)
    if (start > 0 && hasStructures(bytes) && !this.#refusesUnencrypted) {
      return this.#payloads.deserializeShared(bytes, PLAIN_STRUCTURES_AT, bytes, start)
    }
    return this.#decodeEnvelope(storedKey, bytes, openChecked(bytes))
  }

  #decodeEnvelope(storedKey: string, bytes: Buffer, opened: OpenedEnvelope): unknown {
    const { compressionId } = opened
    const payload = this.#payloadOf(storedKey, bytes, opened)
    if (compressionId === 'none') return this.#decodePayload(bytes, opened, payload)
    const { maxValueBytes } = this.#options
    const compressor = this.#compressors.get(compressionId as CompressionName)
    if (compressor !== undefined) {
      return this.#decodePayload(bytes, opened, compressor.decompress(payload, maxValueBytes))
    }
    return this.#loadCompressor(compressionId as CompressionName)
      .then((loaded) => this.#decodePayload(bytes, opened, loaded.decompress(payload, maxValueBytes)))
      .catch(rethrowUndecodable)
  }

  /** The payload in the clear. Nothing looks into it before its tag has been found right. */
  #payloadOf(storedKey: string, bytes: Buffer, opened: OpenedEnvelope): Buffer {
    if (opened.encryption === undefined) {
      if (this.#refusesUnencrypted) throw notEncrypted()
      return opened.payload
    }
    const ring = this.#options.encryption?.ring
    if (ring !== undefined) return decryptPayload(storedKey, bytes, opened, ring)
    throw unreadable(
      `they are encrypted with the key '${opened.encryption.keyId}', and no keys are configured`,
    )
  }

  #decodePayload(bytes: Buffer, { serializerId, structuresAt }: OpenedEnvelope, payload: Buffer): unknown {
    return structuresAt === 0
      ? this.#payloads.deserialize(serializerId, payload)
      : this.#payloads.deserializeShared(bytes, structuresAt, payload, 0)
  }

  async #loadCompressor(name: CompressionName): Promise<Compressor> {
    const loaded = this.#compressors.get(name) ?? (await loadCompressor(name))
    this.#compressors.set(name, loaded)
    return loaded
  }
}

/** As {@link openEnvelope}; a header that lies about its lengths is undecodable, too. */
function opening(storedKey: string, bytes: Buffer): OpenedEnvelope {
  try {
    return openEnvelope(storedKey, bytes)
  } catch (cause) {
    throw undecodable(cause)
  }
}

function notEncrypted(): CacheError {
  return unreadable("they are not encrypted, and encryption.unencrypted is 'refuse'")
}
