import type { Random } from './early-refresh.ts'

/** A small integer to V8, so that counting down allocates nothing. */
const LONGEST_GAP = 2 ** 30

/**
 * Takes a part of all there is, at random. How many are left out before the next one is drawn once (a geometric
 * distribution), so that most cost a subtraction.
 */
export class Sampler {
  readonly #part: number
  readonly #random: Random
  #left: number

  /** @param part from 0 to 1 */
  constructor(part: number, random: Random) {
    this.#part = part
    this.#random = random
    this.#left = this.#gap()
  }

  takes(): boolean {
    if (this.#left-- > 0) return false
    this.#left = this.#gap()
    return this.#part > 0
  }

  /** How many are left out before the next one. */
  #gap(): number {
    if (this.#part === 0) return LONGEST_GAP
    if (this.#part === 1) return 0
    return Math.min(Math.floor(Math.log1p(-this.#random()) / Math.log1p(-this.#part)), LONGEST_GAP)
  }
}
