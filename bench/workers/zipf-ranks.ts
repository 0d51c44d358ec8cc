/**
 * Draws ranks by Zipf's law: the rank `r` comes with a weight of `1 / (r + 1)`. Two samplers with one seed draw the
 * same ranks.
 */
export class ZipfRanks {
  readonly #cumulative: Float64Array
  readonly #random: () => number

  constructor(ranks: number, seed: number) {
    this.#cumulative = new Float64Array(ranks)
    let sum = 0
    for (let rank = 0; rank < ranks; rank++) {
      sum += 1 / (rank + 1)
      this.#cumulative[rank] = sum
    }
    this.#random = seededRandom(seed)
  }

  next(): number {
    const cumulative = this.#cumulative
    const aim = this.#random() * (cumulative[cumulative.length - 1] as number)
    let [low, high] = [0, cumulative.length - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((cumulative[middle] as number) < aim) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Numbers from 0 to (not including) 1, the same for the same seed (Mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
