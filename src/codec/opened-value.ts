import type { EntryMeta } from './envelope/entry-meta.ts'
import type { OpenedEnvelope } from './envelope/envelope.ts'
import { undecodable } from './envelope/unreadable.ts'

/** Stored bytes whose header is verified and whose value is not decoded yet. */
export interface OpenedValue {
  /** `undefined` for a plain value: JSON text, a pickle, raw text or bytes, or an envelope that is not a cache entry. */
  readonly entry: EntryMeta | undefined
  readonly serializerId: string
  /** `'none'` if the payload is not compressed. */
  readonly compressionId: string
  /** The id of the key that the payload is encrypted with; `undefined` if it is not encrypted. */
  readonly encryptionKeyId: string | undefined
  /** The size of the stored payload: compressed and encrypted, without the header. */
  readonly payloadBytes: number
  /** The size of the decompressed payload, once {@link OpenedValue.decode} has decompressed it. */
  readonly serializedBytes: number
  /** As `ValueCodec.decode`. */
  decode(): unknown
}

/** Bytes that are no envelope. */
export function openedPlain(bytes: Buffer, serializerId: string, decode: () => unknown): OpenedValue {
  return {
    entry: undefined,
    serializerId,
    compressionId: 'none',
    encryptionKeyId: undefined,
    payloadBytes: bytes.length,
    serializedBytes: bytes.length,
    decode,
  }
}

/** @param decode receives a function that must be told the size of the decompressed payload */
export function openedEnvelope(
  { compressionId, encryption, entry, payload, serializerId }: OpenedEnvelope,
  decode: (onSize: (bytes: number) => void) => unknown,
): OpenedValue {
  let serializedBytes = payload.length
  return {
    entry,
    serializerId,
    compressionId,
    encryptionKeyId: encryption?.keyId,
    payloadBytes: payload.length,
    get serializedBytes() {
      return serializedBytes
    },
    decode: () => {
      try {
        return decode((bytes) => {
          serializedBytes = bytes
        })
      } catch (cause) {
        throw undecodable(cause)
      }
    },
  }
}
