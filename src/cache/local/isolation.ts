import { isNativeError } from 'node:util/types'
import { areSparse, hashElements, hasSparseIndices, indexOf } from '../../foundation/indexed-names.ts'
import { causeOf, copyDatum, copyWithoutCause, setCause } from './copy-datum.ts'

/**
 * How the cache keeps one caller from changing the value of another, since all callers share the local tier:
 *
 * - `'freeze'`: all callers get the same deeply frozen value; what cannot be frozen (a `Map`, `Set`, `Date`, `Buffer`,
 *   class instance) is cloned for each caller instead
 * - `'clone'`: each caller gets a structured clone of its own
 * - `'share'`: all callers get the same value, and must not change it
 *
 * With the first two, neither what is passed to `set` nor what a loader returns is touched: the cache keeps a copy.
 */
export type Isolation = 'freeze' | 'clone' | 'share'

type AnyFunction = (...args: never) => unknown

/** What is never frozen: a value that contains one of these is cloned for each caller. */
type Unfreezable =
  | AnyFunction
  | Date
  | RegExp
  | Error
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | ArrayBuffer
  | ArrayBufferView

/** The names of methods. An object that has one is an instance of a class, and is cloned. */
type MethodOf<T> = {
  [Name in keyof T]-?: 0 extends 1 & T[Name]
    ? never
    : [NonNullable<T[Name]>] extends [never]
      ? never
      : NonNullable<T[Name]> extends AnyFunction
        ? Name
        : never
}[keyof T]

/**
 * A value that is frozen to its depth: the properties of its objects and the items of its arrays are `readonly`. Functions,
 * `Date`, `RegExp`, `Error`, `Map`, `Set`, buffers, typed arrays and objects with methods have their own type: they are
 * cloned for each caller.
 */
export type Frozen<T> = T extends Unfreezable
  ? T
  : T extends readonly unknown[]
    ? { readonly [Index in keyof T]: Frozen<T[Index]> }
    : T extends object
      ? [MethodOf<T>] extends [never]
        ? { readonly [Name in keyof T]: Frozen<T[Name]> }
        : T
      : T

/** A value as a cache with this isolation hands it out. */
export type Served<T, Isolate extends Isolation> = [Isolate] extends ['clone' | 'share'] ? T : Frozen<T>

/** A value that is ready to be handed out. */
export interface IsolatedValue {
  readonly value: unknown
  /** Whether the next caller needs a clone. */
  readonly isCloned: boolean
}

/** What stands for a value where there is none. */
export const NO_VALUE: IsolatedValue = Object.freeze({ value: undefined, isCloned: false })

/** Prepares a value for being shared. No other code may hold a reference to it, since it may be frozen. */
export function isolate(value: unknown, isolation: Isolation): IsolatedValue {
  if (isolation === 'share' || !isReference(value)) return { value, isCloned: false }
  return { value, isCloned: isolation === 'clone' || !freezeDeeply(value) }
}

/** The value that one caller gets. */
export function handOut<T>({ isCloned, value }: IsolatedValue): T {
  return (isCloned ? copyOf(value) : value) as T
}

/**
 * A deep copy. As `structuredClone`, but several times as fast for plain data, and a `Buffer` stays one.
 * @throws DataCloneError if a part of it cannot be copied (a function, …)
 */
export function copyOf(value: unknown): unknown {
  return isReference(value) ? new Copying().of(value) : value
}

/** How deep a walk goes by recursion, which is fast. Deeper objects wait in a list, so that none exhausts the stack. */
const DEEPEST = 100

/** One deep copy, in which shared parts are shared, and cycles are cycles. */
class Copying {
  readonly #copies = new Map<object, object>()
  /** Objects whose copy is empty so far. */
  readonly #waiting: object[] = []
  #depth = 0

  of(root: object): object {
    const copy = this.#copyOf(root)
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      this.#fill(next, this.#copies.get(next) as object)
    }
    return copy
  }

  #copyOf(source: object): object {
    const known = this.#copies.get(source)
    if (known !== undefined) return known
    const empty = emptyCopyOf(source)
    const copy = empty ?? copyDatum(source)
    this.#copies.set(source, copy)
    if (empty === undefined) return copy
    if (this.#depth === DEEPEST) this.#waiting.push(source)
    else this.#fill(source, empty)
    return copy
  }

  #fill(source: object, copy: object): void {
    this.#depth++
    if (Array.isArray(source)) {
      this.#fillArray(source, copy as unknown[])
    } else if (isPlain(source)) {
      const entries = Object.entries(source)
      // Indices come first.
      const hasIndices = indexOf(entries[0]?.[0] ?? '') >= 0
      if (hasIndices && hasSparseIndices(Object.keys(source))) hashElements(copy)
      for (const [name, value] of entries) define(copy as Record<string, unknown>, name, this.#part(value))
    } else if (source instanceof Map) {
      // A subclass may iterate over something else.
      for (const [key, value] of Map.prototype.entries.call(source))
        (copy as Map<unknown, unknown>).set(this.#part(key), this.#part(value))
    } else if (source instanceof Set) {
      for (const member of Set.prototype.values.call(source)) (copy as Set<unknown>).add(this.#part(member))
    } else {
      const cause = causeOf(source as Error)
      if (cause !== undefined) setCause(copy, this.#part(cause.value))
    }
    this.#depth--
  }

  #fillArray(source: readonly unknown[], copy: unknown[]): void {
    for (let index = 0; index < source.length; index++) {
      const item = source[index]
      if (item === undefined && !(index in source)) {
        this.#fillSparseArray(source, copy)
        return
      }
      copy[index] = this.#part(item)
    }
  }

  /** An array with holes, which may be many times as long as it has items. */
  #fillSparseArray(source: readonly unknown[], copy: unknown[]): void {
    const entries = Object.entries(source)
    if (areSparse(entries.length, source.length)) hashElements(copy)
    copy.length = source.length
    for (const [name, value] of entries) {
      if (indexOf(name) < 0) break
      copy[Number(name)] = this.#part(value)
    }
  }

  #part(value: unknown): unknown {
    return isReference(value) ? this.#copyOf(value) : plain(value)
  }
}

/** What to fill with the copies of the parts; `undefined` if the object is copied as a whole. */
function emptyCopyOf(source: object): object | undefined {
  if (Array.isArray(source)) return []
  if (isPlain(source)) return Object.create(Object.getPrototypeOf(source))
  if (source instanceof Map) return new Map()
  if (source instanceof Set) return new Set()
  return isNativeError(source) ? copyWithoutCause(source) : undefined
}

/** Sets a property. An assignment to `__proto__` would set the prototype. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true })
  else target[name] = value
}

/** Refuses functions and symbols, for which `structuredClone` throws. */
function plain(value: unknown): unknown {
  return typeof value === 'function' || typeof value === 'symbol' ? structuredClone(value) : value
}

/** Whether a value has an identity, so that two callers could notice that they share it. */
export function isReference(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** The prototypes that {@link copyOf} copies, beside plain objects and arrays. */
const COPIED: ReadonlySet<unknown> = new Set(
  [
    ...[Map, Set, Date, RegExp, Buffer, ArrayBuffer, DataView, Int8Array, Uint8Array, Uint8ClampedArray],
    ...[Int16Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array, BigUint64Array],
    ...[Float32Array, Float64Array],
  ].map(({ prototype }) => prototype),
)

/** Whether {@link copyOf} makes an equal copy. It does so for data, but not for an instance of a custom class. */
export function isCopyable(root: unknown): boolean {
  const open = [root]
  const met = new Set<object>()
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next === 'function' || typeof next === 'symbol') return false
    if (!isReference(next) || met.has(next)) continue
    met.add(next)
    if (Array.isArray(next) || isPlain(next)) for (const part of Object.values(next)) open.push(part)
    else if (!COPIED.has(Object.getPrototypeOf(next))) return false
    else if (next instanceof Map) for (const [key, value] of next) open.push(key, value)
    else if (next instanceof Set) for (const member of next) open.push(member)
  }
  return true
}

/** Freezes plain objects and arrays at any depth. `false` if there is anything else: freezing does not protect it. */
function freezeDeeply(root: object): boolean {
  return freezeTree(root, 0) || freezeGraph(root)
}

/**
 * Freezes a tree of plain data, such as most decoded values, in one walk. `false` if it meets anything but plain data,
 * is too deep, or meets an array with holes, or an object that is frozen already and may be part of a cycle. Only a part
 * is then frozen.
 */
function freezeTree(node: object, depth: number): boolean {
  if (depth > DEEPEST || !Object.isExtensible(node)) return false
  if (Array.isArray(node)) {
    Object.freeze(node)
    for (let index = 0; index < node.length; index++) {
      const part: unknown = node[index]
      if (part === undefined && !(index in node)) return false
      if (isReference(part) && !freezeTree(part, depth + 1)) return false
    }
    return true
  }
  if (!isPlain(node)) return false
  Object.freeze(node)
  // `for … in` uses V8's enumeration cache; Object.values would allocate an array for every object.
  for (const name in node) {
    const part = (node as Record<string, unknown>)[name]
    if (isReference(part) && !freezeTree(part, depth + 1)) return false
  }
  return true
}

function freezeGraph(root: object): boolean {
  const open = [root]
  let metFrozen: Set<object> | undefined
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (Object.isFrozen(next)) {
      // This walk froze it, or other code did, and may not have frozen its content.
      if (metFrozen?.has(next)) continue
      metFrozen ??= new Set()
      metFrozen.add(next)
    }
    if (!Array.isArray(next) && !isPlain(next)) return false
    Object.freeze(next)
    for (const part of Object.values(next)) if (isReference(part)) open.push(part)
  }
  return true
}
