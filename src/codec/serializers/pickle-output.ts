/** The opcodes that the writer uses, under the names that Python's `pickletools` gives them. */
export const OP = {
  MARK: 0x28,
  STOP: 0x2e,
  BINBYTES: 0x42,
  SHORT_BINBYTES: 0x43,
  BINFLOAT: 0x47,
  BININT: 0x4a,
  BININT1: 0x4b,
  NONE: 0x4e,
  REDUCE: 0x52,
  BINUNICODE: 0x58,
  EMPTY_LIST: 0x5d,
  APPENDS: 0x65,
  BINGET: 0x68,
  LONG_BINGET: 0x6a,
  SETITEMS: 0x75,
  EMPTY_DICT: 0x7d,
  PROTO: 0x80,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
  LONG4: 0x8b,
  SHORT_BINUNICODE: 0x8c,
  EMPTY_SET: 0x8f,
  ADDITEMS: 0x90,
  STACK_GLOBAL: 0x93,
  MEMOIZE: 0x94,
} as const

/** The bytes of a pickle as they are written, in a buffer that doubles when it is full. */
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

  /** An opcode with its operand, in one byte where it fits and in four where not. */
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

  /** Makes room for `size` bytes and returns where they begin; the buffer may be another one afterwards. */
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
