/** The number of bytes after a token of a value without a length: nil, booleans, floats, integers. */
export const FIXED_BYTES: Readonly<Record<number, number>> = {
  ...{ 192: 0, 194: 0, 195: 0, 202: 4, 203: 8 },
  ...{ 204: 1, 205: 2, 206: 4, 207: 8, 208: 1, 209: 2, 210: 4, 211: 8 },
}
export const FLOAT_32 = 0xca
export const FLOAT_64 = 0xcb
export const UINT_32 = 0xce
export const UINT_64 = 0xcf
export const INT_64 = 0xd3

/** The size of the length or count after a token of binary data, an extension, a string, an array or a map. */
export const LENGTH_BYTES: Readonly<Record<number, number>> = {
  ...{ 196: 1, 197: 2, 198: 4, 199: 1, 200: 2, 201: 4 },
  ...{ 217: 1, 218: 2, 219: 4, 220: 2, 221: 4, 222: 2, 223: 4 },
}
export const LAST_BINARY = 0xc6
const FIRST_EXTENSION = 0xc7
export const LAST_EXTENSION = 0xc9
export const LAST_STRING = 0xdb
/**
 * From so many bytes on, msgpackr reads a string without a U+FEFF at its beginning, unless msgpackr-extract is installed: it
 * has a TextDecoder read them.
 */
export const MARKED_BYTES = 65

export const LAST_ARRAY = 0xdd

/** Tokens of extensions of 1, 2, 4, 8 and 16 bytes. */
export const FIXEXT_1 = 0xd4
export const FIXEXT_2 = 0xd5
export const FIXEXT_4 = 0xd6
export const FIXEXT_16 = 0xd8

/** The extension types that msgpackr writes with the options of a packer. */
export const EXTENSION = {
  UNDEFINED: 0x00,
  BIGINT: 0x42,
  ERROR: 0x65,
  ID: 0x69,
  POINTER: 0x70,
  RECORD: 0x72,
  SET: 0x73,
  TYPED_ARRAY: 0x74,
  REGEXP: 0x78,
  TIMESTAMP: 0xff,
} as const

/** The element sizes of the typed arrays by their codes; those of an ArrayBuffer and a DataView follow. */
const ELEMENT_BYTES: readonly number[] = [1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8]
const ARRAY_BUFFER = 16
const DATA_VIEW = 17

/** Whether msgpackr can make a typed array of this code from so many bytes. */
export function isTypedArray(code: number, bytes: number): boolean {
  if (code === ARRAY_BUFFER || code === DATA_VIEW) return true
  const elementBytes = ELEMENT_BYTES[code]
  return elementBytes !== undefined && bytes % elementBytes === 0
}

/** Sizes of a date; one of a single byte is invalid. */
const TIMESTAMP_BYTES: ReadonlySet<number> = new Set([1, 4, 8, 12])

export function isTimestamp(bytes: number): boolean {
  return TIMESTAMP_BYTES.has(bytes)
}

export function isArray(token: number): boolean {
  return (token >= 0x90 && token < 0xa0) || token === 0xdc || token === 0xdd
}

export function isString(token: number): boolean {
  return (token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= LAST_STRING)
}

/** Whether it is an integer or a float, and not a bigint in an extension. */
export function isNumber(token: number): boolean {
  return (token >= 0 && token < 0x40) || (token >= FLOAT_32 && token <= INT_64) || token >= 0xe0
}

export function isExtension(token: number): boolean {
  return (token >= FIXEXT_1 && token <= FIXEXT_16) || (token >= FIRST_EXTENSION && token <= LAST_EXTENSION)
}

/** The classes of the errors that are written. */
export const ERROR_NAMES: ReadonlySet<string> = new Set([
  ...['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError'],
])

/** The flags of a regular expression, each at most once. */
const MOST_FLAGS = 8
const FLAGS = /^(?!.*(.).*\1)(?!.*u.*v|.*v.*u)[dgimsuvy]*$/

export function areFlags(text: string): boolean {
  return text.length <= MOST_FLAGS && FLAGS.test(text)
}
