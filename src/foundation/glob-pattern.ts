const STAR = 0x2a
const QUESTION = 0x3f
const OPEN = 0x5b
const CLOSE = 0x5d
const CARET = 0x5e
const BACKSLASH = 0x5c
const DASH = 0x2d

/** Part of a pattern that matches one byte: the bytes that it accepts. */
export type GlobElement = readonly number[]

const ANY: GlobElement = Array.from({ length: 256 }, (_, byte) => byte)

/** The elements of a pattern, divided at its stars: `a*?b` is `[[a], [any, b]]`. Stars side by side count as one. */
export function globSegments(pattern: Buffer): readonly (readonly GlobElement[])[] {
  let segment: GlobElement[] = []
  const segments = [segment]
  let p = 0
  while (p < pattern.length) {
    if (pattern[p] === STAR) {
      while (pattern[p] === STAR) p++
      segment = []
      segments.push(segment)
    } else {
      const { element, end } = elementAt(pattern, p)
      segment.push(element)
      p = end
    }
  }
  return segments
}

interface ParsedElement {
  readonly element: GlobElement
  /** The offset of what follows it. */
  readonly end: number
}

function elementAt(pattern: Buffer, p: number): ParsedElement {
  const byte = pattern[p] as number
  if (byte === QUESTION) return { element: ANY, end: p + 1 }
  if (byte === OPEN) return classAt(pattern, p + 1)
  // A backslash at the end stands for itself.
  if (byte === BACKSLASH && p + 1 < pattern.length) {
    return { element: [pattern[p + 1] as number], end: p + 2 }
  }
  return { element: [byte], end: p + 1 }
}

/** As Redis does, a class takes all that follows if it is not closed. */
function classAt(pattern: Buffer, start: number): ParsedElement {
  let p = start
  const isNegated = pattern[p] === CARET
  if (isNegated) p++
  const listed = new Uint8Array(256)
  while (p < pattern.length && pattern[p] !== CLOSE) {
    const byte = pattern[p] as number
    if (byte === BACKSLASH && p + 1 < pattern.length) {
      listed[pattern[p + 1] as number] = 1
      p += 2
    } else if (p + 2 < pattern.length && pattern[p + 1] === DASH) {
      listRange(listed, byte, pattern[p + 2] as number)
      p += 3
    } else {
      listed[byte] = 1
      p++
    }
  }
  const element = ANY.filter((byte) => (listed[byte] === 1) !== isNegated)
  return { element, end: Math.min(p + 1, pattern.length) }
}

function listRange(listed: Uint8Array, one: number, other: number): void {
  const least = Math.min(signed(one), signed(other))
  const most = Math.max(signed(one), signed(other))
  for (let byte = least; byte <= most; byte++) listed[byte & 0xff] = 1
}

/** Redis compares the ends of a range as `char`, which is signed on x86: bytes beyond ASCII come before ASCII. */
function signed(byte: number): number {
  return byte < 0x80 ? byte : byte - 0x100
}
