/** V8 makes a table of an object whose next index is this far beyond what it has room for. */
const LARGEST_GAP = 1_024
/** Up to this many, V8 keeps room for elements that are not there. */
const UNCHECKED_ROOM = 5_000
/** Beyond that, it makes a table if this many times as many elements as there are would be room for more. */
const ROOM_OF_ONE = 27
/** So many elements take the memory of one part. */
const ELEMENTS_OF_PART = 12

/**
 * The room that V8 makes for the properties of one object that are named by an index (`"1000"`): for all indices below it
 * and half as many above, unless the gap is large.
 */
export class ElementStore {
  #room = 0
  #elements = 0

  /** @returns the memory that V8 takes for this index, in parts */
  add(index: number): number {
    this.#elements++
    if (index < this.#room) return 0
    const room = index + 1 + ((index + 1) >> 1) + 16
    const isTable = index - this.#room >= LARGEST_GAP
    if (isTable || (room > UNCHECKED_ROOM && room > ROOM_OF_ONE * this.#elements)) {
      this.#room = Number.POSITIVE_INFINITY
      return 0
    }
    const grown = room - this.#room
    this.#room = room
    return grown / ELEMENTS_OF_PART
  }
}
