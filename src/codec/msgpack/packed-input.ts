/** A place within packed bytes, which only moves on. It never moves beyond their end. */
export class PackedInput {
  #bytes: Uint8Array = new Uint8Array()
  #at = 0

  /** Begins again, at `start` of other bytes. */
  reset(bytes: Uint8Array, start: number): void {
    this.#bytes = bytes
    this.#at = start
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

  /** A number in big-endian order. */
  number(bytes: number): number {
    let number = 0
    for (let left = bytes; left > 0; left--) number = number * 256 + this.byte()
    return number
  }

  /** As {@link skip}, and returns the bytes as text. */
  latin1(bytes: number): string {
    const start = this.#at
    this.skip(bytes)
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, bytes).toString('latin1')
  }

  skip(bytes: number): void {
    if (bytes > this.left) throw cutOff()
    this.#at += bytes
  }
}

function cutOff(): RangeError {
  return new RangeError('the payload is cut off')
}
