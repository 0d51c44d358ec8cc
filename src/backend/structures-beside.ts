import type { StructureStore } from '../codec/structures/structure-store.ts'
import { structuresKey } from '../foundation/reserved-keys.ts'
import type { CacheStore } from './cache-store.ts'
import { RAW } from './read-outcome.ts'

/**
 * The place of record structures beside the data under a prefix.
 * @param store asked for each time, as a backend may yet get another one in front of its own
 */
export function structuresBeside(prefix: string, store: () => CacheStore): StructureStore {
  const storedKey = structuresKey(prefix)
  return {
    storedKey,
    load: () => store().read(storedKey, storedKey, RAW),
    replace: (expected, bytes, ttlMs) => store().compareAndSet(storedKey, expected, bytes, ttlMs),
  }
}
