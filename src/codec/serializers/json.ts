import { isUtf8 } from 'node:buffer'
import type { Serializer } from '../../contract/serializer.ts'
import { MAX_NESTING, MAX_PARTS, NestedTooDeep } from '../refusals/limits.ts'
import { assertDataClass, assertEmptyRecord, isPlainObject } from '../refusals/record-checks.ts'
import { kindOf, Refusal } from '../refusals/refusal.ts'
import { assertJsonLimits } from './json-limits.ts'

const QUOTE = 0x22

/** The digits of a whole number, as many as a counter of 64 bits beyond 2^53 has. */
const LONG_INTEGER = /^-?[1-9]\d{15,19}$/
const SHORTEST_UNSAFE = '9007199254740992'.length
const LONGEST_INT64 = '-9223372036854775808'.length

/**
 * Plain JSON text (RFC 8259), which `redis-cli` and every other language can read.
 *
 * As `JSON.stringify` does, it omits `undefined` properties, and stores what the `toJSON` of an object yields (a `Date`
 * becomes its ISO string, a decimal its digits); that form is what comes back. An instance of a class becomes the record
 * of its properties. It refuses everything that `JSON.stringify` would silently change: functions, symbols, NaN,
 * infinities, an invalid Date, Map, Set, typed arrays, RegExp, Error and all other classes of the language, the web and
 * Node whose content is not in their properties, objects with nothing but private fields, holes in arrays, and nesting of
 * more than 500 levels.
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
    assertJson(value, '', 0)
    if (text.length > 2 * MAX_PARTS) assertJsonLimits(text)
    return isUnsafeInteger(value) ? value.toExponential() : text
  },

  decode(bytes: Buffer): unknown {
    if (!isUtf8(bytes)) throw new SyntaxError('not UTF-8')
    return (bytes[0] === QUOTE ? plainString(bytes) : longInteger(bytes)) ?? parse(bytes.toString())
  },
})

function parse(text: string): unknown {
  assertJsonLimits(text)
  return JSON.parse(text)
}

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
 * @param name the name or index of the property that holds the value, for `toJSON`
 * @param depth the number of arrays and objects around the value
 */
function assertJson(value: unknown, name: string | number, depth: number): void {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Refusal(kindOf(value))
    return
  }
  // A program may have given bigints a form, too.
  const mayHaveForm = typeof value === 'object' || typeof value === 'bigint'
  if (mayHaveForm && hasToJson(value)) assertToJson(value, name, depth)
  else if (typeof value === 'object') assertJsonObject(value, depth)
  else throw new Refusal(kindOf(value))
}

/** What `toJSON` yields is the value as JSON knows it. `JSON.stringify` does not ask that for a form of its own. */
function assertToJson(value: WithToJson, name: string | number, depth: number): void {
  if (ArrayBuffer.isView(value)) throw new Refusal(kindOf(value))
  if (value instanceof Date) {
    // Its form would be null.
    if (Number.isNaN(value.getTime())) throw new Refusal(kindOf(value))
    if (value.toJSON === Date.prototype.toJSON) return
  }
  assertForm(value.toJSON(String(name)), depth)
}

function assertForm(form: unknown, depth: number): void {
  if (typeof form === 'object' && form !== null) assertJsonObject(form, depth)
  else assertJson(form, '', depth)
}

function assertJsonObject(value: object, depth: number): void {
  if (depth === MAX_NESTING) throw new NestedTooDeep()
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) assertJson(value[index], index, depth + 1)
    return
  }
  const isPlain = isPlainObject(value)
  if (!isPlain) assertDataClass(value)
  let isEmpty = true
  // `for … in` uses the enumeration cache of V8; Object.keys would allocate an array for every object.
  for (const name in value) {
    const property = (value as Record<string, unknown>)[name]
    if (!isPlain && (property === undefined || !Object.hasOwn(value, name))) continue
    isEmpty = false
    if (property !== undefined) assertJson(property, name, depth + 1)
  }
  if (isEmpty) assertEmptyRecord(value, isPlain)
}

interface WithToJson {
  toJSON(name: string): unknown
}

function hasToJson(value: object | bigint): value is WithToJson & (object | bigint) {
  return typeof (value as Partial<WithToJson>).toJSON === 'function'
}
