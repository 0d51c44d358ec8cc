import type { Serializer, SerializerName } from '../contract/serializer.ts'
import { CacheError } from '../foundation/errors/cache-error.ts'
import type { CompressionName, ResolvedCompression } from './compression.ts'
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
import { NO_VALUE_ID } from './envelope/envelope-format.ts'
import { rethrowUndecodable, undecodable, unreadable } from './envelope/unreadable.ts'
import { type OpenedValue, openedEnvelope, openedPlain } from './opened-value.ts'
import { PayloadCodec, type SerializedValue } from './payload-codec.ts'
import { PayloadCompressor } from './payload-compressor.ts'
import { PlainForm } from './plain-form.ts'
import type { SharedStructures } from './structures/shared-structures.ts'

/** Options of a {@link ValueCodec}. */
export interface ValueCodecOptions {
  readonly serializer: SerializerName | Serializer
  /** Serializers that are used only for reading. */
  readonly readers: readonly (SerializerName | Serializer)[]
  /** Compressions that are used only for reading. @default none */
  readonly decompressors?: readonly CompressionName[] | undefined
  readonly compression: ResolvedCompression | undefined
  /** The largest serialized size in bytes, before compression and after decompression. */
  readonly maxValueBytes: number
  /** Encrypts what is written and decrypts what is read. */
  readonly encryption?: ResolvedEncryption | undefined
}

/**
 * Encodes values to the bytes under a key, and decodes them.
 *
 * It writes JSON text, pickles, and raw text and bytes as they are, so that other programs can read them, and everything
 * else in an {@link sealEnvelope | envelope}. What is in no envelope is read as {@link PlainForm} says. It reads what it
 * is configured to write, JSON, text, bytes, and the forms in `readers`.
 *
 * With encryption every value is in an envelope: serialized, then compressed, then encrypted.
 */
export class ValueCodec {
  readonly #options: ValueCodecOptions
  readonly #payloads: PayloadCodec
  readonly #compressor: PayloadCompressor
  readonly #plain: PlainForm
  readonly #refusesUnencrypted: boolean
  /** Why nothing can be encoded: a package of the configured serializer or compression is missing. */
  #failure: unknown

  /** @param structures through which `'msgpack'` shares record structures; without them each payload has its own */
  constructor(options: ValueCodecOptions, structures?: SharedStructures) {
    this.#options = options
    const { compression, decompressors = [], maxValueBytes, readers, serializer } = options
    this.#payloads = new PayloadCodec(serializer, readers, structures)
    this.#compressor = new PayloadCompressor(compression, decompressors, maxValueBytes)
    this.#plain = new PlainForm(this.#payloads.serializerId, this.#payloads.reads('pickle'))
    this.#refusesUnencrypted = options.encryption?.refusesUnencrypted ?? false
  }

  /** Loads the configured serializer and compression. @throws CacheError `CACHE_MISSING_PEER` */
  async prepare(): Promise<void> {
    this.#failure = undefined
    try {
      await this.#payloads.prepare()
      await this.#compressor.prepare()
    } catch (error) {
      this.#failure = error
      throw error
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

  /**
   * A value as a cache entry, which is always an envelope; `undefined` as an entry that says that there is none.
   * @throws CacheError as {@link encode}
   */
  encodeEntry(storedKey: string, value: unknown, entry: EntryMeta): Buffer {
    if (value === undefined) {
      const header = { serializerId: NO_VALUE_ID, compressionId: 'none', entry }
      return sealEnvelope(storedKey, header, NOTHING, this.#options.encryption?.ring)
    }
    return this.sealEntry(storedKey, this.serialize(value), entry)
  }

  /** The result of {@link serialize} as a cache entry. */
  sealEntry(storedKey: string, { payload, structures }: SerializedValue, entry: EntryMeta): Buffer {
    const compressed = this.#compressor.compress(payload)
    const header = {
      serializerId: this.#payloads.serializerId,
      compressionId: compressed === undefined ? 'none' : this.#compressor.id,
      entry,
      structures,
    }
    return sealEnvelope(storedKey, header, compressed ?? asBytes(payload), this.#options.encryption?.ring)
  }

  /**
   * Verifies the bytes under a key, and tells what they are without decoding the value; `undefined` for a placeholder.
   * @throws CacheError `CACHE_UNDECODABLE`
   */
  open(storedKey: string, bytes: Buffer): OpenedValue | undefined {
    if (isPlaceholder(bytes)) return undefined
    if (!isEnvelope(bytes)) {
      return openedPlain(bytes, this.#plain.serializerOf(bytes), () => this.decode(storedKey, bytes))
    }
    const opened = opening(storedKey, bytes)
    return openedEnvelope(opened, (onSize) => this.#decodeEnvelope(storedKey, bytes, opened, onSize))
  }

  /**
   * A verified cache entry in its most frequent form; `undefined` for anything else, which {@link open} opens.
   * @throws CacheError `CACHE_UNDECODABLE`
   */
  openPlainEntry(storedKey: string, bytes: Buffer): PlainEntry | undefined {
    if (!isEnvelope(bytes) || this.#refusesUnencrypted) return undefined
    checkEnvelope(storedKey, bytes)
    return plainEntryIn(bytes)
  }

  /** As {@link decode}, for the result of {@link openPlainEntry}. */
  decodePlainEntry(bytes: Buffer, { payloadAt, serializerId, structuresAt }: PlainEntry): unknown {
    try {
      this.#assertReadable(bytes.length - payloadAt)
      return structuresAt === 0
        ? this.#payloads.deserialize(serializerId, bytes.subarray(payloadAt))
        : this.#payloads.deserializeShared(bytes, structuresAt, bytes, payloadAt)
    } catch (cause) {
      throw undecodable(cause)
    }
  }

  /**
   * The value; a promise of it if a serializer, a compression or a dictionary has to be loaded first.
   * @throws CacheError `CACHE_UNDECODABLE`, `CACHE_MISSING_PEER` (or the promise rejects with it)
   */
  decode(storedKey: string, bytes: Buffer): unknown {
    try {
      if (isEnvelope(bytes)) return this.#decodeBytes(storedKey, bytes)
      if (this.#refusesUnencrypted) throw notEncrypted()
      this.#assertReadable(bytes.length)
      return this.#plain.isPickle(bytes)
        ? this.#payloads.deserialize('pickle', bytes)
        : this.#plain.decode(bytes)
    } catch (cause) {
      throw undecodable(cause)
    }
  }

  /** The payload of a value, independent of its key. @throws CacheError as {@link encode} */
  serialize(value: unknown): SerializedValue {
    if (this.#failure !== undefined) throw this.#failure
    const serialized = this.#payloads.serialize(value)
    this.#assertSize(serialized.payload)
    return serialized
  }

  /** A UTF-16 unit takes at most three bytes of UTF-8, so the bytes of most texts need not be counted. */
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

  /** Another configuration may write larger values than this one reads. */
  #assertReadable(payloadBytes: number): void {
    const { maxValueBytes } = this.#options
    if (payloadBytes > maxValueBytes) {
      throw unreadable(`they take ${payloadBytes} bytes, more than the ${maxValueBytes} of maxValueBytes`)
    }
  }

  #enclose(storedKey: string, { payload, structures }: SerializedValue): string | Buffer {
    const { serializerId } = this.#payloads
    const { encryption } = this.#options
    const compressed = this.#compressor.compress(payload)
    if (compressed !== undefined) {
      const compressionId = this.#compressor.id
      return sealEnvelope(
        storedKey,
        { serializerId, compressionId, structures },
        compressed,
        encryption?.ring,
      )
    }
    const plain = encryption === undefined ? this.#plain.of(payload) : undefined
    if (plain !== undefined) return plain
    return sealEnvelope(
      storedKey,
      { serializerId, compressionId: 'none', structures },
      asBytes(payload),
      encryption?.ring,
    )
  }

  /**
   * Plain values of msgpack with shared structures are the most frequent envelopes, and need no section to be parsed.
   */
  #decodeBytes(storedKey: string, bytes: Buffer): unknown {
    const start = checkEnvelope(storedKey, bytes)
    if (start > 0 && hasStructures(bytes) && !this.#refusesUnencrypted) {
      this.#assertReadable(bytes.length - start)
      return this.#payloads.deserializeShared(bytes, PLAIN_STRUCTURES_AT, bytes, start)
    }
    return this.#decodeEnvelope(storedKey, bytes, openChecked(bytes))
  }

  /** @param onSize receives the size of the decompressed payload */
  #decodeEnvelope(
    storedKey: string,
    bytes: Buffer,
    opened: OpenedEnvelope,
    onSize?: (bytes: number) => void,
  ): unknown {
    this.#assertReadable(opened.payload.length)
    const payload = this.#payloadOf(storedKey, bytes, opened)
    if (opened.compressionId === 'none') return this.#decodePayload(bytes, opened, payload)
    const decode = (decompressed: Buffer) => {
      onSize?.(decompressed.length)
      return this.#decodePayload(bytes, opened, decompressed)
    }
    const decompressed = this.#compressor.decompress(opened.compressionId, payload)
    return decompressed instanceof Promise
      ? decompressed.then(decode).catch(rethrowUndecodable)
      : decode(decompressed)
  }

  /** The decrypted payload. It is not parsed before its tag has been verified. */
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
}

const NOTHING: Uint8Array = new Uint8Array(0)

/** As {@link openEnvelope}; a header with wrong lengths is undecodable too. */
function opening(storedKey: string, bytes: Buffer): OpenedEnvelope {
  try {
    return openEnvelope(storedKey, bytes)
  } catch (cause) {
    throw undecodable(cause)
  }
}

function asBytes(payload: string | Uint8Array): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload) : payload
}

function notEncrypted(): CacheError {
  return unreadable("they are not encrypted, and encryption.unencrypted is 'refuse'")
}
