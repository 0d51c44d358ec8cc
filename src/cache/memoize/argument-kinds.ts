import { types } from 'node:util'

/**
 * Whether an object with the prototype of plain objects, or with none, is really one. An object of a built-in type keeps
 * its content in internal slots, which a change of its prototype does not touch, so it would read as `{}`.
 */
export function isPlainObject(value: object): boolean {
  return (
    // Arrays, errors, dates, patterns and most boxed primitives, by one call that costs little.
    Object.prototype.toString.call(value) === '[object Object]' &&
    !SLOTTED.some((isSlotted) => isSlotted(value))
  )
}

const SLOTTED: readonly ((value: object) => boolean)[] = [
  types.isMap,
  types.isSet,
  types.isPromise,
  types.isAnyArrayBuffer,
  types.isBoxedPrimitive,
  types.isWeakMap,
  types.isWeakSet,
  types.isMapIterator,
  types.isSetIterator,
  types.isGeneratorObject,
]

/** How a view of bytes is written. */
export interface ViewKind {
  readonly name: string
  /** Whether it is written as numbers, since its bytes depend on the machine. */
  readonly isNumeric: boolean
}

const BYTE_VIEWS = [Buffer, Uint8Array, Uint8ClampedArray, Int8Array, DataView]
const NUMBER_VIEWS = [
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
]

const VIEW_KINDS: ReadonlyMap<unknown, ViewKind> = new Map<unknown, ViewKind>([
  ...BYTE_VIEWS.map(({ name, prototype }) => [prototype, { name, isNumeric: false }] as const),
  ...NUMBER_VIEWS.map(({ name, prototype }) => [prototype, { name, isNumeric: true }] as const),
])

/** Own properties of these names would hide the content of a view. */
const CONTENT_NAMES = ['buffer', 'byteOffset', 'byteLength', Symbol.iterator] as const

/** The kind of a view; `undefined` if it is of a subclass, of another kind than its prototype tells, or hides its content. */
export function viewKindOf(view: ArrayBufferView): ViewKind | undefined {
  const kind = VIEW_KINDS.get(Object.getPrototypeOf(view))
  if (kind === undefined || CONTENT_NAMES.some((name) => Object.hasOwn(view, name))) return undefined
  return slotName(view) === (kind.name === 'Buffer' ? 'Uint8Array' : kind.name) ? kind : undefined
}

const typedArrayName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get as (this: ArrayBufferView) => string | undefined

/** The type that a view was made as, whatever its prototype is. */
function slotName(view: ArrayBufferView): string {
  return typedArrayName.call(view) ?? 'DataView'
}
