import type { Serializer } from '../contract/serializer.ts'
import { isPlaceholder } from './envelope/entry-meta.ts'
import { isEnvelope } from './envelope/envelope.ts'
import { isPickle } from './pickle/pickle-detection.ts'
import { jsonSerializer } from './serializers/json.ts'
import { bytesSerializer, isRaw, textSerializer } from './serializers/raw.ts'

const PROTO = 0x80
/** No text that begins with a later character can be taken for an envelope or a placeholder. */
const LAST_MARK = 2

/**
 * What stored bytes are that are in no envelope. Nothing in them says so; the configured serializer decides: text for
 * `'text'`, bytes for `'bytes'`, and JSON text for all others.
 *
 * Pickles are recognised by their first and last bytes. JSON text begins with none of those, but many a sentence does
 * (`'The end.'`). So `'text'` and `'bytes'` take for a pickle only what begins as one of the protocols 2 to 5, which is
 * never UTF-8, and only where `'pickle'` is read.
 */
export class PlainForm {
  readonly #writer: string
  readonly #reader: Serializer
  readonly #isRaw: boolean
  readonly #readsPickles: boolean

  /**
   * @param serializerId the configured serializer
   * @param readsPickles whether `'pickle'` is read
   */
  constructor(serializerId: string, readsPickles: boolean) {
    this.#writer = serializerId
    this.#reader =
      serializerId === 'text' ? textSerializer : serializerId === 'bytes' ? bytesSerializer : jsonSerializer
    this.#isRaw = isRaw(serializerId)
    this.#readsPickles = readsPickles
  }

  /** The id of the serializer that reads these bytes, which are no envelope. */
  serializerOf(bytes: Buffer): string {
    return this.isPickle(bytes) ? 'pickle' : this.#reader.id
  }

  isPickle(bytes: Buffer): boolean {
    return this.#isRaw ? this.#readsPickles && isBinaryPickle(bytes) : isPickle(bytes)
  }

  /** The value of bytes that are no pickle. @throws any error if they are malformed */
  decode(bytes: Buffer): unknown {
    return this.#reader.decode(bytes)
  }

  /** The payload as it may be stored without an envelope; `undefined` if it needs one. */
  of(payload: string | Uint8Array): string | Buffer | undefined {
    if (this.#writer === 'json' || this.#writer === 'pickle') return payload as string | Buffer
    if (!this.#isRaw) return undefined
    if (typeof payload !== 'string') return isMistakable(payload as Buffer) ? undefined : (payload as Buffer)
    const mayBeMistaken = payload.charCodeAt(0) <= LAST_MARK
    return mayBeMistaken && isMistakable(Buffer.from(payload)) ? undefined : payload
  }
}

/** Whether a reader would take raw text or bytes for something else. */
function isMistakable(bytes: Buffer): boolean {
  return isEnvelope(bytes) || isPlaceholder(bytes) || isBinaryPickle(bytes)
}

/** Whether the bytes look like a pickle of the protocols 2 to 5. */
function isBinaryPickle(bytes: Buffer): boolean {
  return bytes[0] === PROTO && isPickle(bytes)
}
