/** The property names of a record, in order. */
export type Shape = readonly string[]

/** The most shapes that a dictionary may have. */
export const MOST_SHAPES = 512
/** A record with more names is more likely used as a map, whose names are data and do not recur. */
const MOST_NAMES = 64
const LONGEST_NAME = 128

/** Names that msgpackr cannot represent: it reads `__proto__` as `__proto_`, and uses `__keys__` itself. */
const REFUSED_NAMES: ReadonlySet<string> = new Set(['__proto__', '__keys__'])

/**
 * Whether a dictionary may contain it. A dictionary is untrusted input: anyone who can write to the store can write
 * one.
 */
export function isShape(names: unknown): names is Shape {
  return (
    Array.isArray(names) &&
    names.length <= MOST_NAMES &&
    names.every(isShareableName) &&
    new Set(names).size === names.length
  )
}

/** A shape as the text that identifies it, and of which a dictionary consists. */
export function shapeText(shape: Shape): string {
  return JSON.stringify(shape)
}

function isShareableName(name: unknown): boolean {
  return (
    typeof name === 'string' && name.length <= LONGEST_NAME && name.isWellFormed() && !REFUSED_NAMES.has(name)
  )
}
