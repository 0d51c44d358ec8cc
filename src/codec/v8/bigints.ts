import { LimitExceeded } from '../refusals/limits.ts'

/** Most bigints in a set, or as keys of a map, whose lowest 64 bits are the same. */
export const MAX_ALIKE = 1_000

/**
 * Bigints in a set, or keys of a map. V8 finds one by its lowest 64 bits, and compares it with all others that share
 * them.
 * @throws LimitExceeded if too many share them
 */
export function assertFindable(lowest64: BigUint64Array): void {
  lowest64.sort()
  for (let at = MAX_ALIKE; at < lowest64.length; at++) {
    if (lowest64[at] === lowest64[at - MAX_ALIKE]) throw new LimitExceeded('too many bigints that are alike')
  }
}
