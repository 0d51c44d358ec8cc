/** The shortest time to live of a generation; a new one that replaces another has no need of more, see `capture`. */
export const SHORTEST_GENERATION_TTL_MS: number = 10 * 60_000
/** Used if entries never expire. */
const LONGEST_GENERATION_TTL_MS = 400 * 86_400_000

/**
 * The time to live of a generation that entries with this time to live are bound to: at least four times as long (G4).
 *
 * A capture leaves at least half of it, and is repeated after an eighth. So the generation outlives the entry, also if
 * the load takes a while. Extending a key pushes an invalidation to every process that has read it: there are few
 * different lifetimes, each twice as long as the one before, so entries with different times to live seldom do.
 */
export function generationTtlMs(entryTtlMs: number): number {
  let ttlMs = SHORTEST_GENERATION_TTL_MS
  while (ttlMs < 4 * entryTtlMs && ttlMs < LONGEST_GENERATION_TTL_MS) ttlMs *= 2
  return Math.min(ttlMs, LONGEST_GENERATION_TTL_MS)
}
