/**
 * A backend that stores nothing: {@link NullCacheBackend}, to turn a cache off without changing the code that uses it.
 * @module cachewright/null
 */
import {
  BACKEND_OPTIONS,
  type BackendOptions,
  INSTEAD_OF_BACKEND_OPTIONS,
  resolveBackendOptions,
} from '../backend/assembly/backend-options.ts'
import type { CacheStore, CounterChange } from '../backend/seams/cache-store.ts'
import type { SharedTier } from '../backend/seams/shared-tier.ts'
import { StoreBackend } from '../backend/store-backend.ts'
import type { KnownOptions } from '../foundation/option-checks.ts'

/** No lease can be acquired, so a read-through cache over it loads on every call. */
const NULL_TIER: SharedTier = Object.freeze({
  coherence: 'process',
  trustedUntilMs: Number.POSITIVE_INFINITY,
  localTtlMs: 0,
  watch() {},
  start() {},
  async stop() {},
  pushesInOrder: () => true,
  connectionOf: () => undefined,
  nodeOf: () => '',
  hasManyNodes: false,
  generationCopies: [''],
  copyNear: () => '',
  serverNowMs: () => 0,
  serverTimeMs: async () => 0,
  epochOffsetMs: () => 0,
  mark: async () => '',
  hasNewsOf: () => false,
  read: async () => null,
  readInto: (storedKey, outcome) => outcome.found(storedKey, storedKey, null),
  acquire: async () => ({ status: 'foreign', serverNowMs: 0, remainingMs: 0, fruitlessLoads: 0 }),
  renew: async () => false,
  reserve: async () => ({ status: 'foreign', token: '' }),
  fill: async () => false,
  async release() {},
  async write() {},
  remove: async () => 0,
  removeMatching: async () => 0,
  ttlMs: async () => undefined,
  capture: async () => Buffer.alloc(16),
  bump: async () => '',
  hold: async () => '',
  endHold: async () => true,
  removeUnbound: async () => 0,
  reclaim: async () => 0,
} satisfies SharedTier)

/** Keeps nothing: every write is acknowledged, every read misses, and every counter starts again. */
const NULL_STORE: CacheStore = Object.freeze({
  async open() {},
  async close() {},
  read: async (key, storedKey, outcome) => outcome.found(key, storedKey, null),
  readMany: async (storedKeys) => storedKeys.map(() => null),
  async write() {},
  writeMany: async () => new Map(),
  writeIfAbsent: async () => true,
  take: async () => null,
  remove: async () => 0,
  exists: async () => false,
  compareAndSet: async () => null,
  ttlMs: async () => undefined,
  serverTimeMs: async () => 0,
  expire: async () => false,
  async *list() {},
  count: async (_storedKey: string, { start, amount }: CounterChange) =>
    String(BigInt(start) + BigInt(amount)),
  removeMatching: async () => 0,
  addMembers: async (_storedKey, members) => members.length,
  members: async () => [],
  removeMember: async () => false,
  share: () => NULL_TIER,
} satisfies CacheStore)

const KNOWN: KnownOptions = {
  of: 'NullCacheBackend',
  names: BACKEND_OPTIONS,
  instead: INSTEAD_OF_BACKEND_OPTIONS,
}

/**
 * A backend that keeps nothing, for a cache that is switched off. It validates arguments as every other backend does.
 * Nothing takes a round trip. Reads miss, and a set has no members. `set`, `setIfAbsent`, `setMany`, `addToSet` and `clear`
 * answer `true`; `delete`, `touch`, `persist` and `removeFromSet` answer `false`; `addManyToSet` answers the number of
 * members; every counter starts again at its default. A cache over it calls its loaders every time.
 */
export class NullCacheBackend<T = unknown> extends StoreBackend<T> {
  /** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION` */
  constructor(options: BackendOptions = {}) {
    super(resolveBackendOptions(options, KNOWN), () => NULL_STORE)
  }
}
