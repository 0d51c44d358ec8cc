import { types } from 'node:util'
import { DefaultDeserializer, serialize } from 'node:v8'
import type { Serializer } from '../../contract/serializer.ts'
import { CloneCheck } from '../refusals/clone-check.ts'
import { exceededLimit, MAX_NESTING, MAX_PARTS, tooManyLevels, tooManyParts } from '../refusals/limits.ts'

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

/** The type definitions lack the method. */
const ViewDeserializer = DefaultDeserializer as new (
  bytes: Uint8Array,
) => DefaultDeserializer & { _readHostObject(): ArrayBufferView }

/**
 * Gives every typed array memory of its own. Node would make it a view of the payload, or of memory that the whole process
 * shares.
 */
class OwnMemoryDeserializer extends ViewDeserializer {
  /** Called by V8 for each view of memory (`Deserializer._readHostObject` of `node:v8`). */
  override _readHostObject(): ArrayBufferView {
    const view = super._readHostObject()
    const memory = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)
    if (Buffer.isBuffer(view)) return Buffer.from(memory)
    return new (view.constructor as new (memory: ArrayBufferLike) => ArrayBufferView)(memory)
  }
}

/** The shortest form of a container takes this many bytes. */
const SMALLEST_CONTAINER_BYTES = 3

/**
 * Only V8 reads the bytes, so the value is checked. Most payloads are too short to exceed a limit.
 * @throws LimitExceeded
 */
function assertLimits(value: unknown, payloadBytes: number): void {
  if (payloadBytes <= SMALLEST_CONTAINER_BYTES * MAX_NESTING) return
  const limit = exceededLimit(value)
  if (limit === undefined) return
  throw limit === 'levels' ? tooManyLevels() : tooManyParts()
}

/**
 * The structured clone of V8: Map, Set, Date, BigInt, RegExp, typed arrays, boxed primitives, `undefined` in objects,
 * cycles and shared references; errors of the language with message and stack. Only Node can read it. Class instances
 * lose their class. It refuses what it would silently change: errors with other properties, and classes whose content
 * is not in their properties (URL, Response, …); and nesting of more than 500 levels.
 */
export const v8Serializer: Serializer = Object.freeze({
  id: 'v8',

  encode(value: unknown): Uint8Array {
    check.assert(value)
    const bytes = serialize(value)
    // The check has counted the levels. So few bytes cannot hold too many parts.
    if (bytes.length > SMALLEST_CONTAINER_BYTES * MAX_PARTS) assertLimits(value, bytes.length)
    return bytes
  },

  decode(bytes: Buffer): unknown {
    const deserializer = new OwnMemoryDeserializer(bytes)
    deserializer.readHeader()
    const value: unknown = deserializer.readValue()
    assertLimits(value, bytes.length)
    return value
  },
})
