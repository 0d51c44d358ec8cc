import { types } from 'node:util'
import { DefaultDeserializer, serialize } from 'node:v8'
import type { Serializer } from '../../contract/serializer.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { CloneCheck } from '../refusals/clone-check.ts'
import { MAX_PARTS } from '../refusals/limits.ts'
import { weightOfPattern } from '../refusals/pattern-weight.ts'
import { V8Check } from './v8-check.ts'
import { VERSION } from './v8-tags.ts'

/** `node:v8` of Bun has the structured clone of JavaScriptCore, which is another format and is not checked here. */
const HAS_FORMAT = serialize(null)[0] === VERSION

/** @throws CacheError `CACHE_MISSING_PEER` if the engine of this runtime is not V8 */
export function assertV8(): void {
  if (HAS_FORMAT) return
  throw new CacheError(
    'CACHE_MISSING_PEER',
    "the serializer 'v8' needs Node or Deno: in this runtime, v8.serialize() writes another format than V8's",
  )
}

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
  weightOf,
  carriesLoneSurrogates: true,
})

/** More than the format's check counts for any object but a regular expression and a resizable buffer. */
const HEAVIEST = 8

/** What the format's check counts for an object, or more. */
function weightOf(value: object): number {
  if (types.isRegExp(value)) {
    return HEAVIEST + 2 * value.source.length + weightOfPattern(value.source, value.flags.includes('v'))
  }
  const isResizable = types.isArrayBuffer(value) && (value as { resizable?: boolean }).resizable
  return isResizable ? MAX_PARTS : HEAVIEST
}

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

const format = new V8Check()

/**
 * The structured clone of V8: Map, Set, Date, BigInt, RegExp, typed arrays, boxed primitives, `undefined` in objects,
 * cycles and shared references; errors of the language with message and stack. Only Node and Deno can read it (see
 * {@link assertV8}). Class instances lose their class. It refuses what it would silently change: errors with other properties, and classes whose content
 * is not in their properties (URL, Response, …); and nesting of more than 500 levels.
 */
export const v8Serializer: Serializer = Object.freeze({
  id: 'v8',

  encode(value: unknown): Uint8Array {
    const mostParts = check.assert(value)
    const bytes = serialize(value)
    // The check of the value has counted the levels.
    if (mostParts > MAX_PARTS) format.assert(bytes)
    return bytes
  },

  decode(bytes: Buffer): unknown {
    format.assert(bytes)
    const deserializer = new OwnMemoryDeserializer(bytes)
    deserializer.readHeader()
    return deserializer.readValue()
  },
})
