/** Numbers that belong to a 32-bit format or lie at a border of one. */
const BORDERS = [
  0, 1, 2, 0x1f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff,
]
/** The longest run of bytes that one mutation repeats. */
const LONGEST_REPEAT = 64

/** Random choices, the same for the same seed (Mulberry32). */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A whole number from 0 to (not including) `bound`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound)
  }

  /** Whether something of this probability happens. */
  happens(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item
  }

  /** A number at or beside a border. */
  border(): number {
    return this.pick(BORDERS)
  }

  /** A copy of the bytes with one change: bits, a number, a piece removed, repeated, moved or inserted. */
  mutateBytes(bytes: Buffer): Buffer {
    if (bytes.length === 0) return Buffer.of(this.below(256))
    const at = this.below(bytes.length)
    const end = Math.min(bytes.length, at + 1 + this.below(LONGEST_REPEAT))
    const piece = bytes.subarray(at, end)
    switch (this.below(7)) {
      case 0:
        return replaced(bytes, at, Buffer.of((bytes[at] as number) ^ (1 << this.below(8))))
      case 1:
        return replaced(bytes, at, Buffer.of(this.below(256)))
      case 2: {
        const number = Buffer.alloc(4)
        number.writeUInt32BE(this.border())
        return replaced(bytes, at, number.subarray(this.below(4)))
      }
      case 3:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)])
      case 4:
        return Buffer.concat([
          bytes.subarray(0, at),
          ...Array(1 + this.below(8)).fill(piece),
          bytes.subarray(at),
        ])
      case 5:
        return bytes.subarray(0, at)
      default: {
        const place = this.below(bytes.length)
        return Buffer.concat([bytes.subarray(0, place), piece, bytes.subarray(place)])
      }
    }
  }

  /** A copy of the text with one change, as {@link mutateBytes} makes them; `alphabet` has what means something in it. */
  mutateText(text: string, alphabet: readonly string[]): string {
    const at = this.below(text.length + 1)
    const end = Math.min(text.length, at + 1 + this.below(LONGEST_REPEAT))
    const piece = text.slice(at, end)
    switch (this.below(5)) {
      case 0:
        return text.slice(0, at) + text.slice(end)
      case 1:
        return text.slice(0, at) + piece.repeat(1 + this.below(8)) + text.slice(at)
      case 2:
        return text.slice(0, at) + this.pick(alphabet) + text.slice(at + 1)
      case 3:
        return (
          text.slice(0, at) +
          String.fromCharCode(this.below(this.happens(0.5) ? 128 : 65_536)) +
          text.slice(at)
        )
      default:
        return text.slice(0, at) + this.pick(alphabet) + text.slice(at)
    }
  }
}

function replaced(bytes: Buffer, at: number, piece: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  piece.copy(copy, at)
  return copy
}
