import { types } from 'node:util'
import { Refusal } from './refusal.ts'

/**
 * The deepest nesting of arrays, objects, maps and sets in a value. Code that walks a deeper one may exhaust the call
 * stack, here or where the value is read.
 */
export const MAX_NESTING = 500

/**
 * Most arrays, objects, maps and sets in a value. An empty one takes 1 to 3 bytes of a payload, and 56 to 400 of memory. In
 * a pickle, byte strings and distinct strings count too; in msgpack, what takes more memory counts as several.
 */
export const MAX_PARTS = 1_000_000

/** A payload, or a value to be written, exceeds a limit. The text says which, and may be shown. */
export class LimitExceeded extends RangeError {
  override readonly name = 'LimitExceeded'
}

/** The refusal of a value to be written that is nested deeper than {@link MAX_NESTING}. */
export class NestedTooDeep extends Refusal {
  constructor() {
    super(`nested more than ${MAX_NESTING} levels deep`)
  }
}

/** The error of a payload whose value is nested deeper than {@link MAX_NESTING}. */
export function tooManyLevels(): LimitExceeded {
  return new LimitExceeded(`more than ${MAX_NESTING} levels`)
}

/** The error of a value with more than {@link MAX_PARTS}. */
export function tooManyParts(): LimitExceeded {
  return new LimitExceeded('more than 1,000,000 parts')
}

/** The first limit that a value exceeds. It goes level by level, without recursion, and visits each object once. */
export function exceededLimit(root: unknown): 'levels' | 'parts' | undefined {
  const seen = new Set<object>()
  let level: readonly unknown[] = [root]
  for (let depth = 0; level.length > 0; depth++) {
    const containers = level.filter(isObject)
    if (depth === MAX_NESTING && containers.length > 0) return 'levels'
    const inner: unknown[] = []
    for (const container of containers) {
      if (seen.has(container)) continue
      seen.add(container)
      if (seen.size > MAX_PARTS) return 'parts'
      for (const part of partsOf(container)) inner.push(part)
    }
    level = inner
  }
  return undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function partsOf(container: object): Iterable<unknown> {
  if (types.isMap(container)) return [...container].flat()
  if (types.isSet(container)) return container
  return ArrayBuffer.isView(container) ? [] : Object.values(container)
}
