import { LRUCache } from 'lru-cache'
import { isShape, type Shape, shapeText } from '../msgpack/shape.ts'

/** A shape is worth an id when this many values have had it. */
const VALUES_TO_ADMIT = 3
/** Objects that are used as maps bring a new shape with every value: of so many shapes the last uses are remembered. */
const REMEMBERED = 256

interface Candidate {
  /** How many values had it. */
  values: number
  /** The last of them. */
  lastValue: number
}

/** Shapes that were written without an id, and how often. */
export class ShapeCandidates {
  readonly #seen = new LRUCache<string, Candidate>({ max: REMEMBERED })

  /**
   * Notes that a value has a record of these names.
   * @param value number of the value; one value counts once
   * @returns the shape where it is to be admitted, which is told once
   */
  note(names: readonly string[], value: number): Shape | undefined {
    if (!isShape(names)) return undefined
    const text = shapeText(names)
    const candidate = this.#seen.get(text)
    if (candidate === undefined) {
      this.#seen.set(text, { values: 1, lastValue: value })
      return undefined
    }
    if (candidate.lastValue !== value) candidate.values++
    candidate.lastValue = value
    if (candidate.values < VALUES_TO_ADMIT) return undefined
    this.#seen.delete(text)
    return [...names]
  }
}
