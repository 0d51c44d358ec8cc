/** The most characters of a text that a message quotes. */
const LONGEST_QUOTED = 20
const LONG_BIGINT = 10n ** BigInt(LONGEST_QUOTED)

/**
 * A refused value, as the message of an error shows it: whole if it is short, else by its kind. A longer text is not
 * quoted: no option is that long, so it may be a stored value or a secret that was passed in the wrong place. Where a
 * value may be a secret even if it is short, such as a key, a URL or a member of `clientOptions`, use {@link kindOf}.
 */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value.length <= LONGEST_QUOTED ? JSON.stringify(value) : `a string of ${value.length} characters`
    case 'number':
    case 'boolean':
      return String(value)
    case 'bigint':
      return shownBigint(value)
    default:
      return kindOf(value)
  }
}

/** The kind of a value, with its article: `'null'`, `'an array'`, `'a string'`. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** A longer one is not converted to text: to write a bigint in decimal takes seconds if it is very long. */
function shownBigint(value: bigint): string {
  return value < LONG_BIGINT && value > -LONG_BIGINT
    ? `${value}n`
    : `a bigint of more than ${LONGEST_QUOTED} digits`
}
