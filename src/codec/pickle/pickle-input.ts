import { isAscii, isUtf8 } from 'node:buffer'

/** The longest decimal integer; Python has the same limit, since the time to parse one grows faster than its length. */
const MAX_DIGITS = 4_300

/** Refuses the pickle. `reason` must not quote its content, since it may be logged. */
export function unreadable(reason: string): never {
  throw new SyntaxError(`Unreadable pickle: ${reason}`)
}

/** The bytes of a pickle, read from the front. Every length is checked before memory is allocated for it. */
export class PickleInput {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#skip(1))
  }

  uint16(): number {
    return this.#bytes.readUInt16LE(this.#skip(2))
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#skip(4))
  }

  int32(): number {
    return this.#bytes.readInt32LE(this.#skip(4))
  }

  /** A value beyond the safe integers is rounded; it is then too large to be a valid length. */
  uint64(): number {
    return Number(this.#bytes.readBigUInt64LE(this.#skip(8)))
  }

  float64(): number {
    return this.#bytes.readDoubleBE(this.#skip(8))
  }

  /** A view of the next `length` bytes. */
  view(length: number): Buffer {
    const start = this.#skip(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** A copy of the next `length` bytes. */
  copy(length: number): Buffer {
    const start = this.#skip(length)
    const copy = Buffer.allocUnsafeSlow(length)
    this.#bytes.copy(copy, 0, start, start + length)
    return copy
  }

  /** A `str`. Python encodes lone surrogates as if they were UTF-8; those are refused. */
  utf8(length: number): string {
    const start = this.#skip(length)
    const text = this.#bytes.toString('utf8', start, start + length)
    // Malformed bytes decode to U+FFFD, so only a string that contains one needs to be verified.
    if (!text.includes('\ufffd') || isUtf8(this.#bytes.subarray(start, start + length))) return text
    return unreadable('a string that is not UTF-8')
  }

  /** A `str` of Python 2. Python 3 reads it too, if it is ASCII. */
  ascii(length: number): string {
    const text = this.view(length)
    return isAscii(text) ? text.toString('latin1') : unreadable('a string that is not ASCII')
  }

  /** The text up to the next line feed, one character per byte. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end === -1) unreadable('cut off')
    const line = this.#bytes.toString('latin1', this.#at, end)
    this.#at = end + 1
    return line
  }

  /** An index of the memo, as decimal text. */
  index(): number {
    const line = this.line()
    return /^\d{1,10}$/.test(line) ? Number(line) : unreadable('a malformed reference')
  }

  /** A frame announces the number of bytes that belong together; it does not affect their meaning. */
  frame(): void {
    if (this.uint64() > this.#bytes.length - this.#at) unreadable('cut off')
  }

  #skip(length: number): number {
    const start = this.#at
    if (length > this.#bytes.length - start) unreadable('cut off')
    this.#at += length
    return start
  }
}

/** The argument of `INT`, which protocols 0 and 1 also use for booleans. */
export function parseIntOrBool(line: string): number | bigint | boolean {
  return line === '01' ? true : line === '00' ? false : parseInteger(line)
}

/** The argument of `LONG`: decimal digits, which most versions of Python end with an `L`. */
export function parseLong(line: string): number | bigint {
  return parseInteger(line.endsWith('L') ? line.slice(0, -1) : line)
}

function parseInteger(digits: string): number | bigint {
  if (digits.length > MAX_DIGITS || !/^-?(?:0|[1-9]\d*)$/.test(digits)) unreadable('a malformed integer')
  return toInteger(BigInt(digits))
}

/** The argument of `LONG1` and `LONG4`: little-endian two's complement. */
export function readLong(bytes: Buffer): number | bigint {
  if (bytes.length === 0) return 0
  if (bytes.length <= 6) return bytes.readIntLE(0, bytes.length)
  const hex = Buffer.from(bytes).reverse().toString('hex')
  return toInteger(BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`)))
}

function toInteger(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

const SPECIAL_FLOATS: ReadonlyMap<string, number> = new Map([
  ['inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['nan', Number.NaN],
])

/** The argument of `FLOAT`: the result of `repr`. */
export function parseFloatRepr(line: string): number {
  const special = SPECIAL_FLOATS.get(line)
  if (special !== undefined) return special
  const value = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/.test(line) ? Number(line) : Number.NaN
  return Number.isFinite(value) ? value : unreadable('a malformed float')
}
