/** The deepest nesting of arrays, objects, maps and sets in a value. Code that walks a value may recurse. */
export const MAX_DEPTH = 500

/**
 * Most arrays, objects, maps and sets in a value. An empty one takes 1 to 3 bytes of a payload, and some 56 of memory. In
 * a pickle, distinct strings count too.
 */
export const MAX_CONTAINERS = 1_000_000

/** A value that exceeds a bound of {@link MAX_DEPTH} and {@link MAX_CONTAINERS}. Its text may be shown. */
export class LimitExceeded extends RangeError {
  override readonly name = 'LimitExceeded'
}

/** The error of a value that is nested deeper than {@link MAX_DEPTH}. */
export function nestedTooDeep(): LimitExceeded {
  return new LimitExceeded(`more than ${MAX_DEPTH} arrays or objects within one another`)
}

/** The error of a value with more than {@link MAX_CONTAINERS}. */
export function tooManyContainers(): LimitExceeded {
  return new LimitExceeded('more than 1,000,000 parts')
}
