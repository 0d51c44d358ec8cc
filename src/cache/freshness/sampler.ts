import type { Random } from './early-refresh.ts'

/** V8 keeps it as a small integer, so that counting down allocates nothing. */
const LONGEST_GAP = 2 ** 30

/**
 * Samples a fraction of calls at random. It draws the number of calls to skip before the next sample (a geometric
 * distribution), so that most calls cost one subtraction.
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

  /** The number of calls to skip before the next sample. */
  #gap(): number {
    if (this.#part === 0) return LONGEST_GAP
    if (this.#part === 1) return 0
    return Math.min(Math.floor(Math.log1p(-this.#random()) / Math.log1p(-this.#part)), LONGEST_GAP)
  }
}
