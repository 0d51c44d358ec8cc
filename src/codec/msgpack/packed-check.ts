import { LimitExceeded, MAX_NESTING, MAX_PARTS, tooManyLevels, tooManyParts } from '../refusals/limits.ts'
import { PackedInput } from './packed-input.ts'
import type { Shape } from './shape.ts'

/** The number of bytes after a token of a value without a length: nil, booleans, floats, integers. */
const FIXED_BYTES: Readonly<Record<number, number>> = {
  ...{ 192: 0, 194: 0, 195: 0, 202: 4, 203: 8 },
  ...{ 204: 1, 205: 2, 206: 4, 207: 8, 208: 1, 209: 2, 210: 4, 211: 8 },
}

/** The size of the length or count after a token of binary data, an extension, a string, an array or a map. */
const LENGTH_BYTES: Readonly<Record<number, number>> = {
  ...{ 196: 1, 197: 2, 198: 4, 199: 1, 200: 2, 201: 4 },
  ...{ 217: 1, 218: 2, 219: 4, 220: 2, 221: 4, 222: 2, 223: 4 },
}
const LAST_BINARY = 0xc6
const LAST_EXTENSION = 0xc9
const LAST_STRING = 0xdb
const LAST_ARRAY = 0xdd

/** Tokens of extensions of 1, 2, 4, 8 and 16 bytes. */
const FIXEXT_1 = 0xd4
const FIXEXT_2 = 0xd5
const FIXEXT_4 = 0xd6
const FIXEXT_16 = 0xd8

/** The extension types that msgpackr writes with the options of a packer. */
const UNDEFINED = 0x00
const BIGINT = 0x42
const ERROR = 0x65
const ID = 0x69
const POINTER = 0x70
const RECORD = 0x72
const SET = 0x73
const TYPED_ARRAY = 0x74
const REGEXP = 0x78
const TIMESTAMP = 0xff

/** If a dictionary has more shapes than this, ids from 32 on take a second byte: see RecordPacker. */
const MOST_SHAPES_OF_ONE_BYTE = 31
const FIRST_TWO_BYTE_ID = 32

/** Making an error or a regular expression takes as long as making this many empty objects. */
const WEIGHT_OF_ERROR = 64

const ARRAY_OF_2 = 0x92
const ARRAY_OF_3 = 0x93
/** The classes of the errors that are written. */
const ERROR_NAMES: ReadonlySet<string> = new Set([
  ...['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError'],
])

/** msgpackr compiles the reader of a record at its fourth use. */
const USES_TO_COMPILE = 4
/** Most names in all the records of one payload whose readers msgpackr compiles. */
const MAX_COMPILED_NAMES = 65_536

/** A shape that a payload defines. */
interface OwnShape {
  readonly names: number
  uses: number
}

/**
 * Checks that bytes are what a {@link RecordPacker} writes, and that they stay within the limits of a value, before
 * msgpackr reads them. msgpackr also understands what it writes with other options, and reads some of that beyond the
 * end.
 *
 * It knows all tokens of MessagePack, the extensions of msgpackr, and the records: an id stands for the names of a
 * shape, and is followed by the values.
 */
export class PackedCheck {
  /** The number of names of each shape of the dictionary. */
  readonly #known: readonly number[]
  readonly #hasTwoByteIds: boolean
  readonly #input = new PackedInput()
  #depth = 0
  #containers = 0
  #compiledNames = 0
  #hasTargets = false
  /** The shapes of the payload by id; `undefined` while it has defined none. */
  #own: Map<number, OwnShape> | undefined
  /** The number of names in each array of names that others point to. */
  #namesById: Map<number, number> | undefined

  constructor(shapes: readonly Shape[]) {
    this.#known = shapes.map((shape) => shape.length)
    this.#hasTwoByteIds = shapes.length > MOST_SHAPES_OF_ONE_BYTE
  }

  /**
   * @throws LimitExceeded
   * @throws RangeError, SyntaxError if the bytes from `start` to their end are no result of a packer
   */
  assert(bytes: Uint8Array, start: number): void {
    this.#input.reset(bytes, start)
    this.#depth = 0
    this.#containers = 0
    this.#compiledNames = 0
    this.#hasTargets = false
    this.#own = undefined
    this.#namesById = undefined
    this.#value()
    if (this.#input.left > 0) throw new SyntaxError('bytes after the value')
  }

  #value(): void {
    const token = this.#input.byte()
    if (token < 0x40 || token >= 0xe0) return
    if (token < 0x80) this.#record(token & 0x3f)
    else if (token < 0x90) this.#items(2 * (token & 0x0f))
    else if (token < 0xa0) this.#items(token & 0x0f)
    else if (token < 0xc0) this.#input.skip(token & 0x1f)
    else if (token >= FIXEXT_1 && token <= FIXEXT_16) this.#fixedExtension(token)
    else this.#sized(token)
  }

  #sized(token: number): void {
    const fixedBytes = FIXED_BYTES[token]
    if (fixedBytes !== undefined) {
      this.#input.skip(fixedBytes)
      return
    }
    const lengthBytes = LENGTH_BYTES[token]
    if (lengthBytes === undefined) throw new SyntaxError('a token that is never written')
    const length = this.#input.number(lengthBytes)
    if (token <= LAST_BINARY) this.#input.skip(length)
    else if (token <= LAST_EXTENSION) this.#extension(length)
    else if (token <= LAST_STRING) this.#input.skip(length)
    else if (token <= LAST_ARRAY) this.#items(length)
    else this.#items(2 * length)
  }

  /** The items of a container. */
  #items(count: number): void {
    if (++this.#containers > MAX_PARTS) throw tooManyParts()
    if (count > this.#input.left) throw new RangeError('more items than bytes')
    if (++this.#depth > MAX_NESTING) throw tooManyLevels()
    for (let left = count; left > 0; left--) this.#value()
    this.#depth--
  }

  /** The values of a record whose shape is known. */
  #record(firstId: number): void {
    let own = this.#own?.get(firstId)
    let id = firstId
    if (own === undefined && this.#hasTwoByteIds && firstId >= FIRST_TWO_BYTE_ID) {
      id += this.#input.byte() << 5
      own = this.#own?.get(id)
    }
    if (own !== undefined) this.#used(own)
    const names = own?.names ?? this.#known[id]
    if (names === undefined) throw new SyntaxError('a record of an unknown shape')
    this.#items(names)
  }

  #used(shape: OwnShape): void {
    if (++shape.uses !== USES_TO_COMPILE) return
    this.#compiledNames += 1 + shape.names
    if (this.#compiledNames > MAX_COMPILED_NAMES) throw new LimitExceeded('too many kinds of records')
  }

  /** A shape of the payload's own: its id, its names, and the values of its first record. */
  #definition(token: number): void {
    this.#input.skip(1)
    let id = this.#input.byte() & 0x3f
    if (token === FIXEXT_2) {
      const highByte = this.#input.byte()
      if (id < FIRST_TWO_BYTE_ID || highByte === 0) throw new SyntaxError('an id that is never written')
      id += highByte << 5
    }
    const names = this.#names()
    this.#own ??= new Map()
    this.#own.set(id, { names, uses: 1 })
    this.#items(names)
  }

  /**
   * An array of strings. If a shape is defined again, msgpackr points to the names of its first definition.
   * @returns their number
   */
  #names(): number {
    const token = this.#input.byte()
    if (token === FIXEXT_4) return this.#sharedNames()
    if (!isArray(token)) throw new SyntaxError('a shape without names')
    const count = token < 0xa0 ? token & 0x0f : this.#input.number(LENGTH_BYTES[token] as number)
    if (count > this.#input.left) throw new RangeError('more names than bytes')
    for (let left = count; left > 0; left--) {
      if (!isString(this.#input.next)) throw new SyntaxError('a name that is no string')
      this.#value()
    }
    return count
  }

  #sharedNames(): number {
    const type = this.#input.byte()
    const id = this.#input.number(4)
    const known = this.#namesById?.get(id)
    if (type === POINTER && known !== undefined) return known
    if (type !== ID || known !== undefined) throw new SyntaxError('a shape without names')
    const names = this.#names()
    this.#namesById ??= new Map()
    this.#namesById.set(id, names)
    return names
  }

  #fixedExtension(token: number): void {
    const type = this.#input.next
    if (token === FIXEXT_1) this.#tag(type)
    else if (token === FIXEXT_2 && type === RECORD) this.#definition(token)
    else if (token === FIXEXT_4 && (type === ID || type === POINTER)) this.#reference(type)
    else this.#extension(2 ** (token - FIXEXT_1))
  }

  /** An extension of one byte, which may stand before another token. */
  #tag(type: number): void {
    if (type === RECORD) {
      this.#definition(FIXEXT_1)
    } else if (type === SET || type === ERROR || type === REGEXP) {
      this.#input.skip(2)
      if (!isArray(this.#input.next)) throw new SyntaxError('an extension without its array')
      if (type === SET) this.#value()
      else this.#parts(type)
    } else if (type === UNDEFINED) {
      this.#input.skip(2)
    } else {
      this.#extension(1)
    }
  }

  /**
   * The array of an error (name, message, cause) or of a regular expression (source, flags). msgpackr makes strings of the
   * first two: of an array whose parts are shared, that can take for ever. And the name chooses what it calls.
   */
  #parts(type: number): void {
    this.#containers += 1 + WEIGHT_OF_ERROR
    if (this.#containers > MAX_PARTS) throw tooManyParts()
    const expected = type === ERROR ? ARRAY_OF_3 : ARRAY_OF_2
    if (this.#input.byte() !== expected) throw new SyntaxError('an extension of another length')
    const first = this.#text()
    if (type === ERROR && !ERROR_NAMES.has(first)) throw new SyntaxError('an error of an unknown class')
    this.#text()
    if (type === ERROR) this.#value()
  }

  /** The bytes of a string, as Latin-1. */
  #text(): string {
    const token = this.#input.byte()
    if (!isString(token)) throw new SyntaxError('a text that is no string')
    const length = token < 0xc0 ? token & 0x1f : this.#input.number(LENGTH_BYTES[token] as number)
    return this.#input.latin1(length)
  }

  /** A value that others point to, or a pointer to one. */
  #reference(type: number): void {
    this.#input.skip(5)
    if (type === POINTER) {
      if (!this.#hasTargets) throw new SyntaxError('a pointer to nothing')
      return
    }
    this.#hasTargets = true
    if (this.#input.next === FIXEXT_4) {
      this.#input.skip(1)
      this.#extension(4)
    } else this.#value()
  }

  /** An extension whose content has no tokens. */
  #extension(bytes: number): void {
    const type = this.#input.byte()
    const isWritten = type === BIGINT || type === TYPED_ARRAY || type === TIMESTAMP
    if (!isWritten || bytes === 0) throw new SyntaxError('an extension that is never written')
    this.#input.skip(bytes)
  }
}

function isArray(token: number): boolean {
  return (token >= 0x90 && token < 0xa0) || token === 0xdc || token === 0xdd
}

function isString(token: number): boolean {
  return (token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= LAST_STRING)
}
