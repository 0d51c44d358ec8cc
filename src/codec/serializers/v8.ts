import { deserialize, serialize } from 'node:v8'
import type { Serializer } from '../../contract/serializer.ts'

/**
 * The structured clone of V8: Map, Set, Date, BigInt, RegExp, Error, typed arrays, `undefined` in objects, cycles and
 * shared references. Only Node can read it. Functions and symbols are refused; class instances lose their class.
 */
export const v8Serializer: Serializer = Object.freeze({
  id: 'v8',

  encode(value: unknown): Uint8Array {
    return serialize(value)
  },

  /** Decodes a copy, since typed arrays in the result would share memory with the network buffer otherwise. */
  decode(bytes: Buffer): unknown {
    return deserialize(Buffer.from(bytes))
  },
})
