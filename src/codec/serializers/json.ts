import { isUtf8 } from 'node:buffer'
import type { Serializer } from '../../contract/serializer.ts'

const QUOTE = 0x22

/** The digits of a whole number, as many as a counter of 64 bits beyond 2^53 has. */
const LONG_INTEGER = /^-?[1-9]\d{15,19}$/
const SHORTEST_UNSAFE = '9007199254740992'.length
const LONGEST_INT64 = '-9223372036854775808'.length

/**
 * Plain JSON text (RFC 8259), which `redis-cli` and every other language can read.
 *
 * It omits `undefined` properties and calls `toJSON` (a `Date` becomes its ISO string), as `JSON.stringify` does. It
 * refuses everything that `JSON.stringify` would silently change: functions, symbols, NaN, infinities, Map, Set, typed
 * arrays, RegExp, Error and holes in arrays.
 *
 * A text that is nothing but the digits of a whole number beyond ±(2^53 - 1), of at most 64 bits, is what a counter
 * looks like. It is read as a bigint, since a number could not hold it. A number of that size is therefore written with
 * an exponent (`1.152921504606847e+18`), and is read as the number that it was. Within arrays and objects all numbers
 * are read as `JSON.parse` reads them.
 */
export const jsonSerializer: Serializer = Object.freeze({
  id: 'json',

  encode(value: unknown): string {
    const text: string | undefined = JSON.stringify(value)
    // `JSON.stringify` must come first: it throws for a cycle, in which this walk would not end.
    assertJson(value)
    return isUnsafeInteger(value) ? value.toExponential() : text
  },

  decode(bytes: Buffer): unknown {
    if (!isUtf8(bytes)) throw new SyntaxError('not UTF-8')
    return (bytes[0] === QUOTE ? plainString(bytes) : longInteger(bytes)) ?? JSON.parse(bytes.toString())
  },
})

/**
 * The text of a string literal without escapes, by one copy and two searches in place of a parser. It accepts raw
 * control characters, which JSON requires to be escaped; their meaning is clear.
 * @returns `undefined` if the literal has escapes, or the bytes are not one literal
 */
function plainString(bytes: Buffer): string | undefined {
  if (bytes.length < 2 || bytes[bytes.length - 1] !== QUOTE) return undefined
  const text = bytes.toString('utf8', 1, bytes.length - 1)
  return text.includes('"') || text.includes('\\') ? undefined : text
}

/** The whole number in the bytes, if a number could not hold it and 64 bits can; else `undefined`. */
function longInteger(bytes: Buffer): bigint | undefined {
  if (bytes.length < SHORTEST_UNSAFE || bytes.length > LONGEST_INT64) return undefined
  const text = bytes.toString('latin1')
  return LONG_INTEGER.test(text) && isUnsafeInteger(Number(text)) ? BigInt(text) : undefined
}

function isUnsafeInteger(value: unknown): value is number {
  return Number.isInteger(value) && !Number.isSafeInteger(value)
}

/**
 * Refuses values that JSON text would silently change. This walk costs a tenth of `JSON.stringify`; a replacer function
 * would cost several times as much as the walk.
 */
function assertJson(value: unknown): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return
    case 'number':
      if (!Number.isFinite(value)) throw notJson(value)
      return
    case 'object':
      if (value === null) return
      if (Array.isArray(value)) {
        for (let index = 0; index < value.length; index++) assertJson(value[index])
      } else {
        assertJsonObject(value as Record<string, unknown>)
      }
      return
    default:
      throw notJson(value)
  }
}

function assertJsonObject(value: Record<string, unknown>): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = prototype === Object.prototype || prototype === null
  if (!isPlain && isOpaque(value)) throw notJson(value)
  // `for … in` uses the enumeration cache of V8; Object.keys would allocate an array for every object.
  for (const name in value) {
    const property = value[name]
    if (property === undefined || (!isPlain && !Object.hasOwn(value, name))) continue
    if (typeof property === 'object' || typeof property === 'number') assertJson(property)
    else if (typeof property !== 'string' && typeof property !== 'boolean') {
      if (typeof value.toJSON === 'function') return
      throw notJson(property)
    }
  }
}

function notJson(value: unknown): TypeError {
  const kind = typeof value === 'object' ? (value as object).constructor.name : String(typeof value)
  return new TypeError(`JSON cannot carry ${typeof value === 'number' ? value : kind}`)
}

/** Whether a built-in object has its content outside its properties, or becomes something else in JSON. */
function isOpaque(value: object): boolean {
  return (
    ArrayBuffer.isView(value) ||
    value instanceof Map ||
    value instanceof Set ||
    value instanceof WeakMap ||
    value instanceof WeakSet ||
    value instanceof RegExp ||
    value instanceof Error ||
    value instanceof Promise ||
    value instanceof ArrayBuffer ||
    value instanceof SharedArrayBuffer
  )
}
