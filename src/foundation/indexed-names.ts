const DIGIT_9 = 0x39

/** The largest index. V8 never again stores the elements of an object that had it in an array. */
const LARGEST_INDEX = 2 ** 32 - 2

/** The most room for an element. Where an array of elements would take more, a hash table does. */
const MOST_ROOM = 16

/** The index that a property name such as `'1000'` is to V8; -1 for other names. */
export function indexOf(name: string): number {
  if (name.charCodeAt(0) > DIGIT_9) return -1
  const index = Number(name) >>> 0
  return index <= LARGEST_INDEX && String(index) === name ? index : -1
}

/** Whether so many elements are far apart, if they have indices up to the largest. */
export function areSparse(elements: number, largestIndex: number): boolean {
  return largestIndex > MOST_ROOM * elements
}

/** Whether those of the names that are indices are far apart. V8 would make room for all elements up to the last. */
export function hasSparseIndices(names: Iterable<string>): boolean {
  let elements = 0
  let largest = -1
  for (const name of names) {
    const index = indexOf(name)
    if (index < 0) continue
    elements++
    if (index > largest) largest = index
  }
  return areSparse(elements, largest)
}

/**
 * Makes an object that is still empty keep its elements in a hash table: as an array, those of `{ 1000: true }` would take
 * 12 KB. An empty array then has another length, which must be set.
 */
export function hashElements<T extends object>(empty: T): T {
  Object.defineProperty(empty, LARGEST_INDEX, { configurable: true })
  Reflect.deleteProperty(empty, LARGEST_INDEX)
  return empty
}
