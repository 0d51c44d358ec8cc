/** V8 makes room for half as many elements more than it needs, and for these. */
const SPARE_SLOTS = 16
/** It keeps the elements in a hash table if the next index is this far beyond what it has room for. */
const LARGEST_GAP = 1_024
/** Up to so many slots it does not look how many are empty. */
const MOST_UNCHECKED_SLOTS = 5_000
/** Beyond that, it keeps the elements in a hash table if there are this many slots for each. */
const SLOTS_OF_ELEMENT = 27

/** It turns such a table into an array again if there are no more than this many slots for each. */
const SLOTS_OF_ENTRY = 18

/** Slots that an object may have for each element without counting as more. */
const FREE_SLOTS_OF_ELEMENT = 4
/** So many more take the memory of one part. */
const SLOTS_OF_PART = 12

/** The most parts that the elements of one object count as, besides {@link MOST_PARTS_OF_ELEMENT} for each. */
export const MOST_PARTS_OF_ELEMENTS: number = Math.ceil(MOST_UNCHECKED_SLOTS / SLOTS_OF_PART)
export const MOST_PARTS_OF_ELEMENT: number = Math.ceil(SLOTS_OF_ELEMENT / SLOTS_OF_PART)

/**
 * The room that V8 makes for the properties of one object that are named by an index (`"1000"`), if they are set one after
 * the other. The elements of `{ 1000: true }` take 12 KB. It is exact while there is little room, and an upper bound of
 * what `ShouldConvertToSlowElements` and `ShouldConvertToFastElements` of V8 lead to from then on.
 */
export class ElementStore {
  #elements = 0
  #largest = 0
  #slots = 0
  /** Whether the elements are in a table, or were once, or have much room. */
  #isUnsure = false
  #mayBeArray = true

  add(index: number): void {
    this.#elements++
    if (index > this.#largest) this.#largest = index
    if (this.#isUnsure) this.#mayBeArray ||= this.#largest < SLOTS_OF_ENTRY * this.#elements
    else if (index >= this.#slots) this.#grow(index)
  }

  #grow(index: number): void {
    const slots = slotsFor(index)
    const isFar = index - this.#slots >= LARGEST_GAP
    this.#isUnsure = isFar || slots > MOST_UNCHECKED_SLOTS
    if (this.#isUnsure) this.#mayBeArray = !isFar && slots < SLOTS_OF_ELEMENT * this.#elements
    else this.#slots = slots
  }

  /** The memory of the slots that are too many, in parts. */
  get parts(): number {
    if (!this.#mayBeArray) return 0
    const slots = this.#isUnsure
      ? Math.min(slotsFor(this.#largest), Math.max(MOST_UNCHECKED_SLOTS, SLOTS_OF_ELEMENT * this.#elements))
      : this.#slots
    const excess = slots - SPARE_SLOTS - FREE_SLOTS_OF_ELEMENT * this.#elements
    return Math.max(0, Math.floor(excess / SLOTS_OF_PART))
  }
}

function slotsFor(index: number): number {
  const needed = index + 1
  return needed + Math.floor(needed / 2) + SPARE_SLOTS
}
