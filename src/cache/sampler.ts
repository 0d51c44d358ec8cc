import type { Random } from './freshness.ts'

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
    this.#left = this.#draw()
  }

  takes(): boolean {
    this.#left -= 1
    if (this.#left >= 0) return false
    this.#left = this.#draw()
    return true
  }

  /** How many are left out before the next one. */
  #draw(): number {
    if (this.#part === 0) return Number.POSITIVE_INFINITY
    if (this.#part === 1) return 0
    return Math.floor(Math.log(1 - this.#random()) / Math.log(1 - this.#part))
  }
}
