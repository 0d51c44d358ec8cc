const BACKSLASH = 0x5c
const LETTERS: ReadonlySet<number> = new Set([0x50, 0x70])
/** With the flag `v`, V8 makes up to 900 KB of one property (`\\p{RGI_Emoji}`) when it reads a pattern. */
const WEIGHT_OF_PROPERTY = 10_000

/**
 * What the pattern of a regular expression weighs beside its text, in parts.
 * @param pattern its text, in units of one byte or two
 */
export function weightOfProperties(pattern: Uint8Array): number {
  let weight = 0
  for (let at = pattern.indexOf(BACKSLASH); at >= 0; at = pattern.indexOf(BACKSLASH, at + 1)) {
    const isWide = pattern[at + 1] === 0
    if (LETTERS.has(pattern[isWide ? at + 2 : at + 1] as number)) weight += WEIGHT_OF_PROPERTY
  }
  return weight
}
