/**
 * Converts values to bytes and back. The `id` is stored with every value, so that a reader with another configuration
 * knows how to decode it. Never change the meaning of an id.
 */
export interface Serializer {
  /** 1 to 32 characters of `a-z 0-9 . _ / -`. */
  readonly id: string
  /**
   * @returns text or bytes that `decode` converts back to an equal value
   * @throws any error if the value cannot be represented without loss
   */
  encode(value: unknown): string | Uint8Array
  /**
   * @param bytes exactly what `encode` returned (text as UTF-8). It may be a view into a larger buffer that is used
   * again, so the result must not share its memory.
   * @throws any error if the bytes are not a result of `encode`; the read is then a miss
   */
  decode(bytes: Buffer): unknown
}

/**
 * The built-in serializers; `msgpack` needs the package `msgpackr`, and `v8` the engine V8, which Bun has not. `text`
 * stores strings alone, as their UTF-8; `bytes` stores a `Buffer` or `Uint8Array` alone, as its bytes, and answers a
 * `Buffer`.
 */
export type SerializerName = 'json' | 'v8' | 'msgpack' | 'pickle' | 'text' | 'bytes'
