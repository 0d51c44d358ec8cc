/** The property names of a record, in their order. */
export type Shape = readonly string[]

/** Most shapes of one dictionary. */
export const MOST_SHAPES = 512
/** A record of more names than this is more likely a map: its names are data, and come once. */
const MOST_NAMES = 64
const LONGEST_NAME = 128

/** What msgpackr does not carry: it reads `__proto__` as `__proto_`, and keeps notes of its own under `__keys__`. */
const REFUSED_NAMES: ReadonlySet<string> = new Set(['__proto__', '__keys__'])

/** Whether a dictionary may hold it. Whoever can write to the store can write a dictionary, so this trusts nothing. */
export function isShape(names: unknown): names is Shape {
  return (
    Array.isArray(names) &&
    names.length <= MOST_NAMES &&
    names.every(isShareableName) &&
    new Set(names).size === names.length
  )
}

/** A shape as text: what tells it from every other, and what a dictionary is made of. */
export function shapeText(shape: Shape): string {
  return JSON.stringify(shape)
}

function isShareableName(name: unknown): boolean {
  return (
    typeof name === 'string' && name.length <= LONGEST_NAME && name.isWellFormed() && !REFUSED_NAMES.has(name)
  )
}
