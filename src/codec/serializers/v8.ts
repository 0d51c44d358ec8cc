import { types } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import type { Serializer } from '../../contract/serializer.ts'
import { CloneCheck } from '../refusals/clone-check.ts'

const check = new CloneCheck({
  carries: (value) =>
    types.isMap(value) ||
    types.isSet(value) ||
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isArrayBuffer(value) ||
    types.isBoxedPrimitive(value) ||
    ArrayBuffer.isView(value),
  errorProperties: new Set(['message', 'stack']),
  callsToJson: false,
  carriesLoneSurrogates: true,
})

/**
 * The structured clone of V8: Map, Set, Date, BigInt, RegExp, typed arrays, boxed primitives, `undefined` in objects,
 * cycles and shared references; errors of the language with message and stack. Only Node can read it. Class instances
 * lose their class. It refuses what it would silently change: errors with other properties, and classes whose content
 * is not in their properties (URL, Response, …).
 */
export const v8Serializer: Serializer = Object.freeze({
  id: 'v8',

  encode(value: unknown): Uint8Array {
    check.assert(value)
    return serialize(value)
  },

  /** Decodes a copy, since typed arrays in the result would share memory with the network buffer otherwise. */
  decode(bytes: Buffer): unknown {
    return deserialize(Buffer.from(bytes))
  },
})
