/** Numbers from 0 up to, but not including, 1. */
export type Random = () => number

/** Random numbers that are the same again for the same seed (the mulberry32 generator). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Draws from `items` by Zipf's law: the second is drawn half as often as the first, the third a third as often.
 * What people ask for, read and buy comes close to this; it is why caches work.
 */
export function zipfDraw<Item>(items: readonly Item[], random: Random): () => Item {
  let total = 0
  const cumulative = items.map((_, index) => {
    total += 1 / (index + 1)
    return total
  })
  return () => {
    const point = random() * total
    const index = cumulative.findIndex((sum) => point < sum)
    return items[index] as Item
  }
}
