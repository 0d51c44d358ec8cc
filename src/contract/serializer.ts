/**
 * Turns values into bytes and back. `id` is stored beside every value, so that a reader with other settings
 * can tell how to decode it: never change what an id means.
 */
export interface Serializer {
  /** 1 to 32 characters of `a-z 0-9 . _ / -`. */
  readonly id: string
  /**
   * @returns text or bytes that `decode` turns back into an equal value
   * @throws any error where the value cannot be represented without loss
   */
  encode(value: unknown): string | Uint8Array
  /**
   * @param bytes exactly what `encode` returned (text as UTF-8); may be a view into a larger buffer, so a
   * result must not share its memory
   * @throws any error where the bytes are not what `encode` writes: the read is then a miss
   */
  decode(bytes: Buffer): unknown
}

/** Serializers that come with the package; `msgpack` needs the package `msgpackr` to be installed. */
export type SerializerName = 'json' | 'v8' | 'msgpack' | 'pickle'
