import type { ResolvedEncryption } from '../envelope/encryption.ts'
import { decryptPayload, isEnvelope, openEnvelope, sealEnvelope } from '../envelope/envelope.ts'
import { Dictionary, MOST_DICTIONARY_BYTES } from './dictionary.ts'

/**
 * The stored form of a dictionary: JSON text in an envelope, whose checksum binds it to its key. It is encrypted if
 * values are, since property names are data too.
 */
export function sealDictionary(
  storedKey: string,
  dictionary: Dictionary,
  encryption: ResolvedEncryption | undefined,
): Buffer {
  const header = { serializerId: 'json', compressionId: 'none' }
  return sealEnvelope(storedKey, header, Buffer.from(dictionary.toText()), encryption?.ring)
}

/** The dictionary in stored bytes; `undefined` if they contain none that may be trusted. */
export function openDictionary(
  storedKey: string,
  bytes: Buffer,
  encryption: ResolvedEncryption | undefined,
): Dictionary | undefined {
  try {
    if (!isEnvelope(bytes)) return undefined
    const opened = openEnvelope(storedKey, bytes)
    const isOurs =
      opened.serializerId === 'json' &&
      opened.compressionId === 'none' &&
      opened.entry === undefined &&
      opened.payload.length <= MOST_DICTIONARY_BYTES
    if (!isOurs) return undefined
    if (encryption === undefined) {
      return opened.encryption === undefined ? Dictionary.parse(opened.payload.toString()) : undefined
    }
    if (opened.encryption === undefined && encryption.refusesUnencrypted) return undefined
    return Dictionary.parse(decryptPayload(storedKey, bytes, opened, encryption.ring).toString())
  } catch {
    return undefined
  }
}
