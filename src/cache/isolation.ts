/**
 * How callers are kept from changing one another's values, which the local tier would share:
 *
 * - `'freeze'`: they get the same deeply frozen value; what cannot be frozen (a `Map`, `Set`, `Date`, `Buffer`, class
 *   instance) is cloned for each instead
 * - `'clone'`: each gets a structured clone of its own
 * - `'share'`: they get the same value, and promise to leave it as it is
 */
export type Isolation = 'freeze' | 'clone' | 'share'

/** A value that is ready to be handed out. */
export interface IsolatedValue {
  readonly value: unknown
  /** Whether the next caller needs a clone. */
  readonly isCloned: boolean
}

/** Makes a value safe to keep; it must belong to nobody else, since it may be frozen. */
export function isolate(value: unknown, isolation: Isolation): IsolatedValue {
  if (isolation === 'share' || !isReference(value)) return { value, isCloned: false }
  return { value, isCloned: isolation === 'clone' || !freezeDeeply(value) }
}

/** What one caller gets. */
export function handOut<T>({ isCloned, value }: IsolatedValue): T {
  return (isCloned ? structuredClone(value) : value) as T
}

function isReference(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Freezes plain objects and arrays; `false` where something else was met, which freezing does not make constant. */
function freezeDeeply(root: object): boolean {
  const open = [root]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (Object.isFrozen(next)) continue
    if (!Array.isArray(next)) {
      const prototype: unknown = Object.getPrototypeOf(next)
      if (prototype !== Object.prototype && prototype !== null) return false
    }
    Object.freeze(next)
    for (const part of Object.values(next)) if (isReference(part)) open.push(part)
  }
  return true
}
