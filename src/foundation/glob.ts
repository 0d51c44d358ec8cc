/**
 * The special characters of Redis globs: `*` matches any bytes, `?` one byte, `[abc]` `[^a]` `[a-z]` a class, and `\x`
 * a literal x. Globs match **bytes**, as `SCAN … MATCH` does, so `?` does not match a whole character outside ASCII.
 */
const SPECIAL = /[*?[\]\\^-]/g

/** A text with its special characters quoted, so that it matches only itself as a glob. */
export function escapeGlob(text: string): string {
  return text.replace(SPECIAL, '\\$&')
}

/**
 * A template tag that quotes interpolated values: in ``glob`user:${id}:*` `` only the `*` is a wildcard, whatever `id`
 * contains.
 */
export function glob(
  literals: TemplateStringsArray,
  ...values: readonly (string | number | bigint)[]
): string {
  return literals.raw.reduce(
    (pattern, literal, index) => pattern + escapeGlob(String(values[index - 1])) + literal,
  )
}

/** A predicate that tells whether a key matches a glob, byte for byte as Redis does. */
export function globMatcher(pattern: string): (key: string) => boolean {
  const patternBytes = Buffer.from(pattern)
  return (key) => matchBytes(patternBytes, Buffer.from(key))
}

const STAR = 0x2a
const QUESTION = 0x3f
const OPEN = 0x5b
const CLOSE = 0x5d
const CARET = 0x5e
const BACKSLASH = 0x5c
const DASH = 0x2d

/**
 * Greedy matching, which returns to the last star only on a mismatch. It takes at most pattern × key steps, so no
 * pattern makes it exponential.
 */
function matchBytes(pattern: Buffer, key: Buffer): boolean {
  let p = 0
  let k = 0
  let starAt = -1
  let keyAtStar = 0
  while (k < key.length) {
    if (pattern[p] === STAR) {
      starAt = p++
      keyAtStar = k
      continue
    }
    const next = p < pattern.length ? matchOne(pattern, p, key[k] as number) : -1
    if (next !== -1) {
      p = next
      k++
    } else if (starAt !== -1) {
      p = starAt + 1
      k = ++keyAtStar
    } else {
      return false
    }
  }
  while (pattern[p] === STAR) p++
  return p >= pattern.length
}

/** The offset of the next element of the pattern if the one at `p` matches `byte`, or -1. */
function matchOne(pattern: Buffer, p: number, byte: number): number {
  switch (pattern[p]) {
    case QUESTION:
      return p + 1
    case OPEN:
      return matchClass(pattern, p + 1, byte)
    case BACKSLASH:
      if (p + 1 < pattern.length) return pattern[p + 1] === byte ? p + 2 : -1
      return byte === BACKSLASH ? p + 1 : -1
    default:
      return pattern[p] === byte ? p + 1 : -1
  }
}

function matchClass(pattern: Buffer, start: number, byte: number): number {
  let p = start
  const negated = pattern[p] === CARET
  if (negated) p++
  let found = false
  while (p < pattern.length && pattern[p] !== CLOSE) {
    if (pattern[p] === BACKSLASH && p + 1 < pattern.length) {
      found ||= pattern[p + 1] === byte
      p += 2
    } else if (p + 2 < pattern.length && pattern[p + 1] === DASH) {
      const from = signed(pattern[p] as number)
      const to = signed(pattern[p + 2] as number)
      found ||= signed(byte) >= Math.min(from, to) && signed(byte) <= Math.max(from, to)
      p += 3
    } else {
      found ||= pattern[p] === byte
      p++
    }
  }
  if (found === negated) return -1
  return p < pattern.length ? p + 1 : p
}

/** Redis compares the ends of a range as `char`, which is signed on x86: bytes beyond ASCII come before ASCII. */
function signed(byte: number): number {
  return byte < 0x80 ? byte : byte - 0x100
}
