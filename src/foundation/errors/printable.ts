/** Controls, line separators, characters that turn the direction of the text, and halves of a character. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

/**
 * The text with its unprintable characters escaped (`\x1b`, `\u2028`), so that a name in it can neither begin a line of
 * a log nor control a terminal.
 */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => {
    const hex = character.charCodeAt(0).toString(16)
    return hex.length > 2 ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`
  })
}
