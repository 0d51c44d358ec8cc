import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { globMatcher } from '../../foundation/glob-matcher.ts'
import type { CacheStore, CounterChange, Expiry, StoredEntry, TierSettings } from '../seams/cache-store.ts'
import type { ReadOutcome } from '../seams/read-outcome.ts'
import type { SharedTier } from '../seams/shared-tier.ts'

/** Observes the writes to a store, before each is sent and after it has settled. */
export interface StoreObserver {
  writeBegan(storedKeys: readonly string[]): void
  writeSettled(storedKeys: readonly string[]): void
  /** A removal by pattern begins or ends. */
  removing(matches: (storedKey: string) => boolean): void
}

/** A store that reports every write to an observer, which keeps copies of the stored values. */
export class ObservedStore implements CacheStore {
  readonly #store: CacheStore
  readonly #observer: StoreObserver

  constructor(store: CacheStore, observer: StoreObserver) {
    this.#store = store
    this.#observer = observer
  }

  open(): Promise<void> {
    return this.#store.open()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    return this.#store.read(key, storedKey, outcome)
  }

  readMany(storedKeys: readonly string[]): ReturnType<CacheStore['readMany']> {
    return this.#store.readMany(storedKeys)
  }

  write(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<unknown> {
    return this.#observed([storedKey], () => this.#store.write(storedKey, encoded, ttlMs))
  }

  writeMany(entries: readonly StoredEntry[]): ReturnType<CacheStore['writeMany']> {
    const storedKeys = entries.map(({ storedKey }) => storedKey)
    return this.#observed(storedKeys, () => this.#store.writeMany(entries))
  }

  writeIfAbsent(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<boolean> {
    return this.#observedBegun(storedKey, this.#store.writeIfAbsent(storedKey, encoded, ttlMs))
  }

  take(storedKey: string): Promise<Buffer | null> {
    return this.#observedBegun(storedKey, this.#store.take(storedKey))
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.#observed(storedKeys, () => this.#store.remove(storedKeys))
  }

  exists(storedKey: string): Promise<boolean> {
    return this.#store.exists(storedKey)
  }

  /** Not observed: no cache keeps copies of what is stored this way. */
  compareAndSet(
    storedKey: string,
    expected: Buffer | null,
    bytes: Buffer,
    ttlMs: number,
  ): Promise<Buffer | null> {
    return this.#store.compareAndSet(storedKey, expected, bytes, ttlMs)
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#store.ttlMs(storedKey)
  }

  serverTimeMs(storedKey: string): Promise<number> {
    return this.#store.serverTimeMs(storedKey)
  }

  expire(storedKey: string, ttlMs: number): Promise<boolean> {
    return this.#observedBegun(storedKey, this.#store.expire(storedKey, ttlMs))
  }

  list(pattern: string, signal: AbortSignal | undefined): AsyncIterable<readonly string[]> {
    return this.#store.list(pattern, signal)
  }

  count(storedKey: string, change: CounterChange): Promise<number | string> {
    return this.#observed([storedKey], () => this.#store.count(storedKey, change))
  }

  async removeMatching(pattern: string, options: RemovalOptions, isWhole: boolean): Promise<number> {
    const matches = globMatcher(pattern)
    this.#observer.removing(matches)
    try {
      return await this.#store.removeMatching(pattern, options, isWhole)
    } finally {
      this.#observer.removing(matches)
    }
  }

  addMembers(storedKey: string, members: readonly string[], expiry: Expiry): Promise<number> {
    return this.#observed([storedKey], () => this.#store.addMembers(storedKey, members, expiry))
  }

  members(storedKey: string): Promise<string[]> {
    return this.#store.members(storedKey)
  }

  removeMember(storedKey: string, member: string): Promise<boolean> {
    return this.#observed([storedKey], () => this.#store.removeMember(storedKey, member))
  }

  share(settings: TierSettings): SharedTier {
    return this.#store.share(settings)
  }

  async #observed<Result>(storedKeys: readonly string[], write: () => Promise<Result>): Promise<Result> {
    this.#observer.writeBegan(storedKeys)
    try {
      return await write()
    } finally {
      this.#observer.writeSettled(storedKeys)
    }
  }

  /**
   * For what needs the present value: a store in this process may have left it to the observer, which drops it when it is
   * told. So the store comes first. Nothing runs between the two.
   */
  #observedBegun<Result>(storedKey: string, writing: Promise<Result>): Promise<Result> {
    return this.#observed([storedKey], () => writing)
  }
}
