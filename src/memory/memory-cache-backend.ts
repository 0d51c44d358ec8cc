import { type BackendOptions, resolveBackendOptions } from '../backend/backend-options.ts'
import { StoreBackend } from '../backend/store-backend.ts'
import { type Clock, SYSTEM_CLOCK } from '../foundation/clock.ts'
import { positiveInteger } from '../foundation/option-checks.ts'
import { MemoryStore } from './memory-store.ts'

export type { Clock } from '../foundation/clock.ts'

/** Options of {@link MemoryCacheBackend}. */
export interface MemoryCacheBackendOptions extends BackendOptions {
  /**
   * The least recently used entries beyond this number are evicted.
   * @default 10_000
   */
  readonly maxEntries?: number | undefined
  /**
   * The least recently used entries beyond this size are evicted; counts keys, encoded values and an estimate
   * of what an entry costs beside them.
   * @default 64 MiB
   */
  readonly maxBytes?: number | undefined
  /**
   * For tests that advance time without sleeping.
   * @default the system's monotonic clock
   */
  readonly clock?: Clock | undefined
}

/**
 * The contract in this process's memory, on `lru-cache`. Values are kept as the serializer encodes them, so
 * they are isolated from later changes by the caller, and a program moves to Redis without a surprise.
 */
export class MemoryCacheBackend<T = unknown> extends StoreBackend<T> {
  /** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION` */
  constructor(options: MemoryCacheBackendOptions = {}) {
    const bounds = {
      maxEntries: positiveInteger('maxEntries', options.maxEntries ?? 10_000),
      maxBytes: positiveInteger('maxBytes', options.maxBytes ?? 64 * 1024 * 1024),
    }
    super(resolveBackendOptions(options), () => new MemoryStore(bounds, options.clock ?? SYSTEM_CLOCK))
  }
}
