/**
 * Controls, line separators, halves of a character, and what has no shape of its own: characters that turn the direction
 * of the text, that join others, or that are not shown.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029\u115f\u1160\u3164\uffa0]/gu

/**
 * The text with its unprintable characters escaped (`\x1b`, `\u2028`), so that a name in it can neither begin a line of
 * a log nor control a terminal.
 */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => {
    const hex = (character.codePointAt(0) as number).toString(16)
    if (hex.length > 4) return `\\u{${hex}}`
    return hex.length > 2 ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`
  })
}
