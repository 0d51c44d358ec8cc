import { globSegments } from './glob-pattern.ts'

/** A predicate that tells whether a key matches a glob, byte for byte as Redis does. */
export function globMatcher(pattern: string): (key: string) => boolean {
  const matcher = new GlobMatcher(Buffer.from(pattern))
  return (key) => matcher.matches(Buffer.from(key))
}

/** Consecutive elements of a pattern, by their numbers. */
interface Segment {
  readonly from: number
  /** Not included. */
  readonly to: number
}

/**
 * Matches a pattern in one pass over the key.
 *
 * The segments between the stars are found one after another, each at its first place: no other choice could leave more
 * of the key to those that follow. A segment is searched by the bit-parallel algorithm of Baeza-Yates and Gonnet
 * (Shift-And, CACM 1992): bit `i` of a state says that the last bytes match the first `i` elements, so a byte advances
 * 32 elements in one step, whatever they are. No pattern makes it go back in the key.
 */
class GlobMatcher {
  /** The words of 32 bits, a bit for each element, that all elements take. */
  readonly #words: number
  /** For each byte, the elements that accept it. */
  readonly #accepting: Int32Array
  readonly #state: Int32Array
  /** The number of elements, each of which takes one byte of the key. */
  readonly #length: number
  readonly #head: Segment
  readonly #middle: readonly Segment[]
  /** `undefined` if there is no star: then the head is everything. */
  readonly #tail: Segment | undefined

  constructor(pattern: Buffer) {
    const parsed = globSegments(pattern)
    const elements = parsed.flat()
    this.#length = elements.length
    this.#words = (elements.length + 31) >>> 5
    this.#state = new Int32Array(this.#words)
    this.#accepting = new Int32Array(256 * this.#words)
    for (const [index, element] of elements.entries()) {
      for (const byte of element) {
        const word = byte * this.#words + (index >>> 5)
        this.#accepting[word] = (this.#accepting[word] as number) | (1 << (index & 31))
      }
    }
    const [head, ...others] = placed(parsed)
    this.#head = head as Segment
    this.#tail = others.pop()
    this.#middle = others
  }

  matches(key: Buffer): boolean {
    if (key.length < this.#length || !this.#matchesAt(this.#head, key, 0)) return false
    if (this.#tail === undefined) return key.length === this.#length
    const tailAt = key.length - (this.#tail.to - this.#tail.from)
    if (!this.#matchesAt(this.#tail, key, tailAt)) return false
    let at = this.#head.to
    for (const segment of this.#middle) {
      at = this.#endOf(segment, key, at, tailAt)
      if (at < 0) return false
    }
    return true
  }

  #matchesAt({ from, to }: Segment, key: Buffer, at: number): boolean {
    for (let index = from; index < to; index++) {
      const accepting = this.#accepting[(key[at + index - from] as number) * this.#words + (index >>> 5)]
      if (((accepting as number) & (1 << (index & 31))) === 0) return false
    }
    return true
  }

  /** The end of the first place of a segment between two offsets of the key, or -1. */
  #endOf({ from, to }: Segment, key: Buffer, start: number, end: number): number {
    const state = this.#state
    const first = from >>> 5
    const last = (to - 1) >>> 5
    const found = 1 << ((to - 1) & 31)
    state.fill(0, first, last + 1)
    for (let at = start; at < end; at++) {
      const row = (key[at] as number) * this.#words
      // A match may begin at every byte. What is carried from word to word is the highest bit.
      let carry = 1 << (from & 31)
      for (let word = first; word <= last; word++) {
        const before = state[word] as number
        state[word] = ((before << 1) | carry) & (this.#accepting[row + word] as number)
        carry = before >>> 31
      }
      if (((state[last] as number) & found) !== 0) return at + 1
    }
    return -1
  }
}

/** The numbers of the elements of each segment. Between two stars there is at least one. */
function placed(segments: readonly (readonly unknown[])[]): Segment[] {
  let from = 0
  return segments.map(({ length }) => {
    const segment = { from, to: from + length }
    from = segment.to
    return segment
  })
}
