import { LRUCache } from 'lru-cache'
import { isShape, type Shape, shapeText } from '../msgpack/shape.ts'

/** A shape gets an id when this many values have had it. */
const VALUES_TO_ADMIT = 3
/** The most candidates that are kept; objects that are used as maps have a new shape with every value. */
const REMEMBERED = 256

interface Candidate {
  /** The number of values that had the shape. */
  values: number
  /** The number of the last such value. */
  lastValue: number
}

/** Counts the shapes that are written without an id. */
export class ShapeCandidates {
  readonly #seen = new LRUCache<string, Candidate>({ max: REMEMBERED })

  /**
   * Counts a record with these names.
   * @param value the number of the value that contains it; one value counts once
   * @returns the shape, once, when it is to get an id
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
