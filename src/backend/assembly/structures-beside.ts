import type { StructureStore } from '../../codec/structures/structure-store.ts'
import { structuresKey } from '../../foundation/reserved-keys.ts'
import type { CacheStore } from '../seams/cache-store.ts'
import { RAW } from '../seams/read-outcome.ts'

/**
 * The store of the record structures under a prefix.
 * @param store called at each access, since a backend may be decorated later
 */
export function structuresBeside(prefix: string, store: () => CacheStore): StructureStore {
  const storedKey = structuresKey(prefix)
  return {
    storedKey,
    load: () => store().read(storedKey, storedKey, RAW),
    replace: (expected, bytes, ttlMs) => store().compareAndSet(storedKey, expected, bytes, ttlMs),
  }
}
