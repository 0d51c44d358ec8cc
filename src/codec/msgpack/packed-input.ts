import { isString, LENGTH_BYTES, MARKED_BYTES } from './packed-tokens.ts'

/** A place within packed bytes, which only moves on. It never moves beyond their end. */
export class PackedInput {
  #bytes: Uint8Array = new Uint8Array()
  #at = 0
  #view: DataView | undefined
  readonly #refusesMarks: boolean

  /** @param refusesMarks whether long strings that begin with U+FEFF are refused */
  constructor(refusesMarks: boolean) {
    this.#refusesMarks = refusesMarks
  }

  /** Begins again, at `start` of other bytes. */
  reset(bytes: Uint8Array, start: number): void {
    this.#bytes = bytes
    this.#at = start
    this.#view = undefined
  }

  /** The number of bytes that are left. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  /** The next byte, without moving on; -1 at the end. */
  get next(): number {
    return this.#at < this.#bytes.length ? (this.#bytes[this.#at] as number) : -1
  }

  /** @throws RangeError at the end, as the other methods do */
  byte(): number {
    if (this.#at >= this.#bytes.length) throw cutOff()
    return this.#bytes[this.#at++] as number
  }

  /** A number of at most four bytes in big-endian order. */
  number(bytes: number): number {
    let number = 0
    for (let left = bytes; left > 0; left--) number = (number << 8) | this.byte()
    return number >>> 0
  }

  /** A view of all bytes. */
  get view(): DataView {
    this.#view ??= viewOf(this.#bytes)
    return this.#view
  }

  /** As {@link skip}, and returns where it was in {@link view}. */
  pass(bytes: number): number {
    const start = this.#at
    this.skip(bytes)
    return start
  }

  /** As {@link skip}, and returns the bytes as text. */
  latin1(bytes: number): string {
    const start = this.#at
    this.skip(bytes)
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, bytes).toString('latin1')
  }

  /** The bytes of a string, as Latin-1. @throws SyntaxError if it is none, as {@link textLength} does */
  text(): string {
    return this.latin1(this.textLength())
  }

  /** The number of bytes of the string that begins here, of which it reads the token. */
  textLength(): number {
    const token = this.byte()
    if (!isString(token)) throw new SyntaxError('a text that is no string')
    if (token < 0xc0) return token & 0x1f
    const length = this.number(LENGTH_BYTES[token] as number)
    if (length >= MARKED_BYTES && this.#refusesMarks) this.#refuseMark()
    return length
  }

  /** Skips a string of so many bytes. */
  skipText(bytes: number): void {
    if (bytes >= MARKED_BYTES && this.#refusesMarks) this.#refuseMark()
    this.skip(bytes)
  }

  #refuseMark(): void {
    const isMark =
      this.next === 0xef && this.#bytes[this.#at + 1] === 0xbb && this.#bytes[this.#at + 2] === 0xbf
    if (isMark)
      throw new SyntaxError('a string that begins with U+FEFF, which msgpackr would read without it')
  }

  skip(bytes: number): void {
    if (bytes > this.left) throw cutOff()
    this.#at += bytes
  }
}

function cutOff(): RangeError {
  return new RangeError('the payload is cut off')
}

function viewOf({ buffer, byteLength, byteOffset }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}
