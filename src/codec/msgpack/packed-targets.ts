/** A value that is no number. */
export const NO_HASH = -1

/** What an id takes: a part is about 100 bytes of memory. */
const PARTS_OF_ID = 2

/** The values and arrays of names in a payload that others point to, by their ids. */
export class PackedTargets {
  #hashes: Map<number, number> | undefined
  #largestId = 0
  readonly #count: (parts: number) => void

  /** @param count counts parts of the payload */
  constructor(count: (parts: number) => void) {
    this.#count = count
  }

  /** @param largestId msgpackr counts, so no id is larger than the payload */
  reset(largestId: number): void {
    this.#hashes = undefined
    this.#largestId = largestId
  }

  /** The value with this id begins. */
  add(id: number): void {
    this.#count(PARTS_OF_ID)
    this.#hashes ??= new Map()
    if (id > this.#largestId || this.#hashes.has(id)) throw new SyntaxError('an id that is never written')
    this.#hashes.set(id, NO_HASH)
  }

  /** The value with this id is a number, which has this hash. */
  setHash(id: number, hash: number): void {
    this.#hashes?.set(id, hash)
  }

  /** The hash of the number that a pointer leads to; {@link NO_HASH} for other values. */
  hashOf(id: number): number {
    const hash = this.#hashes?.get(id)
    if (hash === undefined) throw new SyntaxError('a pointer to nothing')
    return hash
  }
}
