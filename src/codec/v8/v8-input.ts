import { weightOfPattern } from '../refusals/pattern-weight.ts'
import * as tags from './v8-tags.ts'

/** In code that runs for each value: an imported constant would be loaded each time. */
const { DOUBLE, FALSE, INT32, NULL, ONE_BYTE_STRING, REFERENCE, TRUE, UNDEFINED, UTF8_STRING } = tags

/** What is no index of an array. */
export const NO_INDEX = -1
const MAX_INDEX = 2 ** 32 - 2
const LONGEST_INDEX = String(MAX_INDEX).length
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39

/** A byte of a number from here on is followed by another one. */
const GOES_ON = 0x80
const MOST_BYTES_OF_NUMBER = 5
const DOUBLE_BYTES = 8
/** The flag `v` of a regular expression. */
const FLAG_V = 0x100
/** There is no such value at a place. */
const OTHER = -1

/**
 * A place within bytes of V8's format, which only moves on. It never moves beyond their end, and knows what has no parts:
 * numbers, strings, names.
 */
export class V8Input {
  #bytes: Uint8Array = new Uint8Array()
  #end = 0
  #at = 0

  /** Begins again, at the start of other bytes. */
  reset(bytes: Uint8Array): void {
    this.#bytes = bytes
    this.#end = bytes.length
    this.#at = 0
  }

  /** The number of bytes that are left. */
  get left(): number {
    return this.#end - this.#at
  }

  /** @throws RangeError at the end, as the other methods do */
  byte(): number {
    if (this.#at >= this.#end) throw cutOff()
    return this.#bytes[this.#at++] as number
  }

  /** The next tag, without moving beyond it. */
  nextTag(): number {
    const tag = this.#at < this.#end ? (this.#bytes[this.#at] as number) : 0
    return tag === 0 ? this.#paddedTag() : tag
  }

  /** Zeros before a tag are padding, which aligns a string. */
  #paddedTag(): number {
    while (this.#at < this.#end && this.#bytes[this.#at] === 0) this.#at++
    if (this.#at >= this.#end) throw cutOff()
    return this.#bytes[this.#at] as number
  }

  tag(): number {
    const tag = this.nextTag()
    this.#at++
    return tag
  }

  skip(bytes: number): void {
    if (bytes > this.#end - this.#at) throw cutOff()
    this.#at += bytes
  }

  /** A number of 32 bits, seven in each byte, the lowest first. */
  number(): number {
    const first = this.byte()
    return first < GOES_ON ? first : this.#longNumber(first - GOES_ON)
  }

  #longNumber(lowest: number): number {
    let number = lowest
    let factor = GOES_ON
    for (let bytes = 2; bytes <= MOST_BYTES_OF_NUMBER; bytes++) {
      const byte = this.byte()
      number += (byte % GOES_ON) * factor
      if (byte < GOES_ON && number < 2 ** 32) return number
      factor *= GOES_ON
    }
    throw new RangeError('a number of more than 32 bits')
  }

  /** A signed number of 32 bits. The lowest bit is the sign. */
  signedNumber(): number {
    const number = this.number()
    return (number >>> 1) ^ -(number & 1)
  }

  /** Skips frequent values without parts. @returns their number, `most` at most */
  skipPlain(most: number): number {
    let count = 0
    let at = this.#at
    while (count < most) {
      const next = afterPlain(this.#bytes, at, this.#end)
      if (next === OTHER) break
      at = next
      count++
    }
    this.#at = at
    return count
  }

  /** Skips properties that most objects consist of: a short name and a frequent value. @returns their number */
  skipPlainProperties(): number {
    let count = 0
    let at = this.#at
    for (;;) {
      const value = afterShortName(this.#bytes, at, this.#end)
      const next = value === OTHER ? OTHER : afterPlain(this.#bytes, value, this.#end)
      if (next === OTHER) break
      at = next
      count++
    }
    this.#at = at
    return count
  }

  /**
   * Skips the name of a property.
   * @returns the array index that it is; `NO_INDEX` if it is none
   */
  name(): number {
    const tag = this.tag()
    switch (tag) {
      case tags.ONE_BYTE_STRING:
      case tags.UTF8_STRING:
        return this.#indexIn(this.number(), 1)
      case tags.TWO_BYTE_STRING:
        return this.#indexIn(this.#twoByteLength(), 2)
      case tags.INT32: {
        const number = this.number()
        // Negative numbers are odd.
        return number % 2 === 0 ? number / 2 : NO_INDEX
      }
      case tags.UINT32:
        return asIndex(this.number())
      case tags.DOUBLE:
        return asIndex(this.double())
      default:
        throw new SyntaxError('a name that is neither a string nor a number')
    }
  }

  #indexIn(bytes: number, bytesOfUnit: number): number {
    const start = this.#at
    this.skip(bytes)
    if (bytes === 0 || bytes > LONGEST_INDEX * bytesOfUnit) return NO_INDEX
    const first = this.#bytes[start] as number
    return first < DIGIT_0 || first > DIGIT_9 ? NO_INDEX : this.#decimal(start, bytesOfUnit)
  }

  #decimal(start: number, bytesOfUnit: number): number {
    let index = 0
    for (let at = start; at < this.#at; at += bytesOfUnit) {
      const digit = (this.#bytes[at] as number) - DIGIT_0
      const isDigit = digit >= 0 && digit <= 9 && (bytesOfUnit === 1 || this.#bytes[at + 1] === 0)
      const hasLeadingZero = index === 0 && at > start
      if (!isDigit || hasLeadingZero) return NO_INDEX
      index = index * 10 + digit
    }
    return asIndex(index)
  }

  double(): number {
    const start = this.#at
    this.skip(DOUBLE_BYTES)
    const { buffer, byteOffset } = this.#bytes
    return new DataView(buffer, byteOffset + start, DOUBLE_BYTES).getFloat64(0, true)
  }

  /** Skips a string with its tag. @returns the number of its bytes */
  string(): number {
    const tag = this.tag()
    if (tag === tags.TWO_BYTE_STRING) return this.twoByteString()
    if (tag !== tags.ONE_BYTE_STRING && tag !== tags.UTF8_STRING)
      throw new SyntaxError('a text that is no string')
    const bytes = this.number()
    this.skip(bytes)
    return bytes
  }

  /** Skips a regular expression without its tag. @returns what its pattern weighs, in parts */
  pattern(): number {
    const isWide = this.nextTag() === tags.TWO_BYTE_STRING
    const bytes = this.string()
    const { buffer, byteOffset } = this.#bytes
    const text = Buffer.from(buffer, byteOffset + this.#at - bytes, bytes)
    const source = text.toString(isWide ? 'utf16le' : 'latin1')
    return bytes + weightOfPattern(source, (this.number() & FLAG_V) > 0)
  }

  twoByteString(): number {
    const bytes = this.#twoByteLength()
    this.skip(bytes)
    return bytes
  }

  #twoByteLength(): number {
    const bytes = this.number()
    if (bytes % 2 > 0) throw new SyntaxError('half a character')
    return bytes
  }

  /** Skips a bigint without its tag. @returns the number of bytes of its digits */
  bigint(): number {
    // The lowest bit is the sign.
    const bytes = this.number() >>> 1
    this.skip(bytes)
    return bytes
  }

  /** Skips a bigint without its tag. @returns its lowest 64 bits, without its sign */
  lowest64(): bigint {
    const bytes = this.bigint()
    const digits = Buffer.alloc(8)
    digits.set(this.#bytes.subarray(this.#at - bytes, this.#at - bytes + Math.min(bytes, 8)))
    return digits.readBigUInt64LE()
  }
}

/** The place after a value without parts, a frequent one; `OTHER` if it is another one, or cut off. */
function afterPlain(bytes: Uint8Array, tagAt: number, end: number): number {
  if (tagAt + 1 >= end) return OTHER
  let at = tagAt + 1
  switch (bytes[tagAt]) {
    case ONE_BYTE_STRING:
    case UTF8_STRING: {
      const length = bytes[at] as number
      if (length >= GOES_ON) return OTHER
      at += 1 + length
      break
    }
    case INT32:
    case REFERENCE: {
      const last = Math.min(end, at + MOST_BYTES_OF_NUMBER) - 1
      while (at < last && (bytes[at] as number) >= GOES_ON) at++
      if ((bytes[at++] as number) >= GOES_ON) return OTHER
      break
    }
    case NULL:
    case UNDEFINED:
    case TRUE:
    case FALSE:
      break
    case DOUBLE:
      at += DOUBLE_BYTES
      break
    default:
      return OTHER
  }
  return at <= end ? at : OTHER
}

/** The place after a name that is short, and begins with a letter; `OTHER` if it is another one. */
function afterShortName(bytes: Uint8Array, tagAt: number, end: number): number {
  if (tagAt + 2 >= end || bytes[tagAt] !== ONE_BYTE_STRING) return OTHER
  const length = bytes[tagAt + 1] as number
  if (length >= GOES_ON || (bytes[tagAt + 2] as number) <= DIGIT_9) return OTHER
  return tagAt + 2 + length
}

function asIndex(number: number): number {
  return Number.isInteger(number) && number >= 0 && number <= MAX_INDEX ? number : NO_INDEX
}

function cutOff(): RangeError {
  return new RangeError('the payload is cut off')
}
