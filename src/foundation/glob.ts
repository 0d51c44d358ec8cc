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
