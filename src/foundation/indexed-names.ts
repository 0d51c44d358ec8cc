/** Names of more digits are beyond what V8 makes room for. */
const LONGEST_DENSE_INDEX = 4
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39

/** V8 makes room for half as many elements more than it needs, and for these. */
const SPARE_SLOTS = 16
/** From a gap of this many elements on, and for more than these with gaps, V8 stores elements in a hash table. */
const HASHED_FROM_GAP = 1_024
const MOST_SLOTS_WITH_GAPS = 5_000
/** Elements that an object may have for each of its properties. */
const SLOTS_PER_PROPERTY = 4

/** The largest index. V8 never again stores the elements of an object that had it in an array. */
const LARGEST_INDEX = '4294967294'

/**
 * The index that a property name such as `'1000'` is to V8, which makes room for all elements up to it; -1 for other names,
 * and for an index so large that V8 never does.
 */
function denseIndex(name: string): number {
  if (name.length === 0 || name.length > LONGEST_DENSE_INDEX) return -1
  for (let at = 0; at < name.length; at++) {
    const unit = name.charCodeAt(at)
    if (unit < DIGIT_0 || unit > DIGIT_9) return -1
  }
  return name.length > 1 && name.charCodeAt(0) === DIGIT_0 ? -1 : Number(name)
}

/** Whether an object of so many properties would have many empty elements if it had this name. */
export function isFarIndex(name: string, properties: number): boolean {
  return name.charCodeAt(0) <= DIGIT_9 && denseIndex(name) > SPARE_SLOTS + SLOTS_PER_PROPERTY * properties
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

/** The elements that an object has in excess if its properties are set in this order, and are not hashed. */
export function emptyElements(names: readonly string[]): number {
  let slots = 0
  let indices = 0
  for (const name of names) {
    const index = denseIndex(name)
    if (index >= 0) indices++
    if (index < slots) continue
    if (index >= slots + HASHED_FROM_GAP) break
    const needed = index + 1
    const room = needed + (needed >> 1) + SPARE_SLOTS
    if (room > MOST_SLOTS_WITH_GAPS) break
    slots = room
  }
  return Math.max(0, slots - SPARE_SLOTS - SLOTS_PER_PROPERTY * indices)
}
