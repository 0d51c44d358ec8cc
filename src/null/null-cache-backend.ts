import { type BackendOptions, resolveBackendOptions } from '../backend/backend-options.ts'
import type { CacheStore, CounterChange } from '../backend/cache-store.ts'
import { StoreBackend } from '../backend/store-backend.ts'

/** Keeps nothing: every write is acknowledged, every read misses, every counter starts anew. */
const NULL_STORE: CacheStore = Object.freeze({
  async open() {},
  async close() {},
  read: async (key, storedKey, outcome) => outcome.found(key, storedKey, null),
  readMany: async (storedKeys) => storedKeys.map(() => null),
  async write() {},
  writeMany: async () => new Map(),
  remove: async () => 0,
  exists: async () => false,
  ttlMs: async () => undefined,
  count: async (_storedKey: string, { start, amount }: CounterChange) =>
    String(BigInt(start) + BigInt(amount)),
  removeMatching: async () => 0,
  addMembers: async (_storedKey, members) => members.length,
  members: async () => [],
  removeMember: async () => false,
} satisfies CacheStore)

/**
 * A cache that is switched off. Arguments are checked as everywhere, so a program that works with it works
 * with the others.
 */
export class NullCacheBackend<T = unknown> extends StoreBackend<T> {
  constructor(options: BackendOptions = {}) {
    super(resolveBackendOptions(options), () => NULL_STORE)
  }
}
