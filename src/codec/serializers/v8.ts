import { deserialize, serialize } from 'node:v8'
import type { Serializer } from '../../contract/serializer.ts'

/**
 * V8's structured clone: Map, Set, Date, BigInt, RegExp, Error, typed arrays, `undefined` in objects, cycles and
 * shared references. For Node readers only; functions and symbols are refused, class instances lose their class.
 */
export const v8Serializer: Serializer = Object.freeze({
  id: 'v8',

  encode(value: unknown): Uint8Array {
    return serialize(value)
  },

  /** Decodes from a copy: typed arrays in the result would otherwise share memory with the network buffer. */
  decode(bytes: Buffer): unknown {
    return deserialize(Buffer.from(bytes))
  },
})
