import { OP } from './pickle-opcodes.ts'

/** Collects the bytes of a pickle in a buffer that doubles when it is full. */
export class PickleOutput {
  #bytes = Buffer.allocUnsafe(512)
  #length = 0

  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  byte(byte: number): void {
    const at = this.#advance(1)
    this.#bytes[at] = byte
  }

  opcodes(...bytes: readonly number[]): void {
    for (const byte of bytes) this.byte(byte)
  }

  /** Writes an opcode with its operand, in one byte if it fits, else in four. */
  sized(operand: number, short: number, long: number): void {
    if (operand <= 0xff) {
      this.byte(short)
      this.byte(operand)
    } else {
      this.byte(long)
      this.uint32(operand)
    }
  }

  uint32(value: number): void {
    const at = this.#advance(4)
    this.#bytes.writeUInt32LE(value, at)
  }

  float64(value: number): void {
    const at = this.#advance(8)
    this.#bytes.writeDoubleBE(value, at)
  }

  utf8(text: string): void {
    const length = Buffer.byteLength(text)
    this.sized(length, OP.SHORT_BINUNICODE, OP.BINUNICODE)
    const at = this.#advance(length)
    this.#bytes.write(text, at)
  }

  append(bytes: Uint8Array): void {
    const at = this.#advance(bytes.length)
    this.#bytes.set(bytes, at)
  }

  /** Makes room for `size` bytes, and returns their offset. It may replace the buffer. */
  #advance(size: number): number {
    const start = this.#length
    this.#length += size
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2))
      this.#bytes.copy(grown, 0, 0, start)
      this.#bytes = grown
    }
    return start
  }
}
