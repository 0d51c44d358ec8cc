import type {
  CacheStore,
  CounterChange,
  Expiry,
  StoredEntry,
  TierSettings,
} from '../../backend/seams/cache-store.ts'
import type { ReadOutcome } from '../../backend/seams/read-outcome.ts'
import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import type { RemovalOptions } from '../../contract/cache-backend.ts'
import type { CacheError } from '../../foundation/errors/cache-error.ts'
import { globMatcher } from '../../foundation/glob-matcher.ts'
import type { Keyspace } from '../../memory/keyspace.ts'
import type { MemoryStore } from '../../memory/memory-store.ts'
import { SimulatedTier } from './simulated-tier.ts'
import type { TrackingTable } from './tracking-table.ts'

/**
 * The connection of one process to a shared store. Its changes are pushed to the connections that have read the keys.
 */
export class SimulatedStore implements CacheStore {
  readonly #shared: MemoryStore
  readonly #tracking: TrackingTable

  constructor(shared: MemoryStore, tracking: TrackingTable) {
    this.#shared = shared
    this.#tracking = tracking
  }

  async open(): Promise<void> {}

  /** Keeps the data, which other connections share. */
  async close(): Promise<void> {}

  read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    return this.#shared.read(key, storedKey, outcome)
  }

  readMany(storedKeys: readonly string[]): Promise<readonly (Buffer | null)[]> {
    return this.#shared.readMany(storedKeys)
  }

  write(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<void> {
    return this.#telling([storedKey], this.#shared.write(storedKey, encoded, ttlMs))
  }

  writeMany(entries: readonly StoredEntry[]): Promise<Map<string, CacheError>> {
    const storedKeys = entries.map(({ storedKey }) => storedKey)
    return this.#telling(storedKeys, this.#shared.writeMany(entries))
  }

  writeIfAbsent(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<boolean> {
    return this.#telling([storedKey], this.#shared.writeIfAbsent(storedKey, encoded, ttlMs))
  }

  take(storedKey: string): Promise<Buffer | null> {
    return this.#telling([storedKey], this.#shared.take(storedKey))
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.#telling(storedKeys, this.#shared.remove(storedKeys))
  }

  exists(storedKey: string): Promise<boolean> {
    return this.#shared.exists(storedKey)
  }

  compareAndSet(
    storedKey: string,
    expected: Buffer | null,
    bytes: Buffer,
    ttlMs: number,
  ): Promise<Buffer | null> {
    return this.#telling([storedKey], this.#shared.compareAndSet(storedKey, expected, bytes, ttlMs))
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#shared.ttlMs(storedKey)
  }

  serverTimeMs(): Promise<number> {
    return this.#shared.serverTimeMs()
  }

  expire(storedKey: string, ttlMs: number): Promise<boolean> {
    return this.#telling([storedKey], this.#shared.expire(storedKey, ttlMs))
  }

  list(pattern: string, signal: AbortSignal | undefined): AsyncIterable<readonly string[]> {
    return this.#shared.list(pattern, signal)
  }

  count(storedKey: string, change: CounterChange): Promise<string> {
    return this.#telling([storedKey], this.#shared.count(storedKey, change))
  }

  async removeMatching(pattern: string, options: RemovalOptions, isWhole: boolean): Promise<number> {
    try {
      return await this.#shared.removeMatching(pattern, options, isWhole)
    } finally {
      this.#tracking.changedWhere(globMatcher(pattern))
    }
  }

  addMembers(storedKey: string, members: readonly string[], expiry: Expiry): Promise<number> {
    return this.#telling([storedKey], this.#shared.addMembers(storedKey, members, expiry))
  }

  members(storedKey: string): Promise<string[]> {
    return this.#shared.members(storedKey)
  }

  removeMember(storedKey: string, member: string): Promise<boolean> {
    return this.#telling([storedKey], this.#shared.removeMember(storedKey, member))
  }

  share(settings: TierSettings): SharedTier {
    const parts = { keyspace: this.#keyspace(), store: this, tracking: this.#tracking }
    return new SimulatedTier(parts, settings)
  }

  /** The strings of the shared store; changes through them are pushed. */
  #keyspace(): Keyspace {
    const shared = this.#shared.keyspace()
    return {
      ...shared,
      put: (storedKey, bytes, ttlMs) => {
        shared.put(storedKey, bytes, ttlMs)
        this.#tracking.changed(storedKey)
      },
      putLease: (storedKey, bytes, ttlMs) => {
        shared.putLease(storedKey, bytes, ttlMs)
        this.#tracking.changed(storedKey)
      },
      remove: (storedKey) => {
        const wasThere = shared.remove(storedKey)
        if (wasThere) this.#tracking.changed(storedKey)
        return wasThere
      },
    }
  }

  async #telling<Result>(storedKeys: readonly string[], change: Promise<Result>): Promise<Result> {
    try {
      return await change
    } finally {
      for (const storedKey of storedKeys) this.#tracking.changed(storedKey)
    }
  }
}
