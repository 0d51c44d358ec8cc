/**
 * The memory of this process as a backend: {@link MemoryCacheBackend}, for tests and for a program without Redis.
 * @module cachewright/memory
 */
import {
  BACKEND_OPTIONS,
  type BackendOptions,
  INSTEAD_OF_BACKEND_OPTIONS,
  resolveBackendOptions,
} from '../backend/assembly/backend-options.ts'
import { StoreBackend } from '../backend/store-backend.ts'
import {
  checkedClock,
  type KnownOptions,
  type OptionNames,
  positiveInteger,
} from '../foundation/option-checks.ts'
import { type Clock, SYSTEM_CLOCK } from '../foundation/time/clock.ts'
import { MemoryStore } from './memory-store.ts'

export type { Clock } from '../foundation/time/clock.ts'

/** Options of {@link MemoryCacheBackend}. */
export interface MemoryCacheBackendOptions extends BackendOptions {
  /**
   * The least recently used entries beyond this number are evicted.
   * @default 10_000
   */
  readonly maxEntries?: number | undefined
  /**
   * The least recently used entries beyond this size are evicted. It counts keys, encoded values and an estimated
   * overhead of each entry.
   * @default 64 MiB
   */
  readonly maxBytes?: number | undefined
  /**
   * The clock by which entries expire; a test may pass one that it advances itself.
   * @default the system's monotonic clock
   */
  readonly clock?: Clock | undefined
}

const KNOWN: KnownOptions = {
  of: 'MemoryCacheBackend',
  names: {
    ...BACKEND_OPTIONS,
    maxEntries: 'value',
    maxBytes: 'value',
    clock: 'value',
  } satisfies OptionNames<MemoryCacheBackendOptions>,
  instead: { ...INSTEAD_OF_BACKEND_OPTIONS, max: "its name here is 'maxEntries'" },
}

/**
 * A backend in the memory of this process, on `lru-cache`. Values are kept as the serializer encodes them: later
 * changes by the caller do not reach them, and a program that moves to Redis finds the same behaviour. Nothing takes a
 * round trip. Counters and sets are evicted as values are. `createCache` without Redis makes one with the bounds of `local`.
 * @example
 * ```ts
 * import { MemoryCacheBackend } from 'cachewright/memory'
 *
 * const backend = new MemoryCacheBackend<{ name: string }>({ maxEntries: 1_000, ttl: '5m' })
 * await backend.set('user:1', { name: 'Ada' })
 * const user = await backend.get('user:1')
 * ```
 */
export class MemoryCacheBackend<T = unknown> extends StoreBackend<T> {
  /** @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION` */
  constructor(options: MemoryCacheBackendOptions = {}) {
    const resolved = resolveBackendOptions(options, KNOWN)
    const bounds = {
      maxEntries: positiveInteger('maxEntries', options.maxEntries ?? 10_000),
      maxBytes: positiveInteger('maxBytes', options.maxBytes ?? 64 * 1024 * 1024),
    }
    const clock = checkedClock(options.clock ?? SYSTEM_CLOCK)
    super(resolved, () => new MemoryStore(bounds, clock))
  }
}
