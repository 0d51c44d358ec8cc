import type { RemovalOptions } from '../../contract/cache-backend.ts'
import type { CacheStore, CounterChange, Expiry, OpenStore, StoredEntry } from '../seams/cache-store.ts'
import type { ReadOutcome } from '../seams/read-outcome.ts'

/** Stands for the store of a backend while that is not open: opens it, and then passes the operation on. */
export class OpeningStore implements OpenStore {
  readonly #open: () => Promise<void>
  readonly #store: () => CacheStore

  /**
   * @param open rejects if the backend cannot be opened
   * @param store called once the backend is open
   */
  constructor(open: () => Promise<void>, store: () => CacheStore) {
    this.#open = open
    this.#store = store
  }

  read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    return this.#open().then(
      () => this.#store().read(key, storedKey, outcome),
      (error: unknown) => outcome.failed(key, error),
    )
  }

  readMany(storedKeys: readonly string[]): ReturnType<CacheStore['readMany']> {
    return this.#opened((store) => store.readMany(storedKeys))
  }

  write(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<unknown> {
    return this.#opened((store) => store.write(storedKey, encoded, ttlMs))
  }

  writeMany(entries: readonly StoredEntry[]): ReturnType<CacheStore['writeMany']> {
    return this.#opened((store) => store.writeMany(entries))
  }

  writeIfAbsent(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<boolean> {
    return this.#opened((store) => store.writeIfAbsent(storedKey, encoded, ttlMs))
  }

  take(storedKey: string): Promise<Buffer | null> {
    return this.#opened((store) => store.take(storedKey))
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.#opened((store) => store.remove(storedKeys))
  }

  exists(storedKey: string): Promise<boolean> {
    return this.#opened((store) => store.exists(storedKey))
  }

  compareAndSet(
    storedKey: string,
    expected: Buffer | null,
    bytes: Buffer,
    ttlMs: number,
  ): Promise<Buffer | null> {
    return this.#opened((store) => store.compareAndSet(storedKey, expected, bytes, ttlMs))
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#opened((store) => store.ttlMs(storedKey))
  }

  serverTimeMs(storedKey: string): Promise<number> {
    return this.#opened((store) => store.serverTimeMs(storedKey))
  }

  expire(storedKey: string, ttlMs: number): Promise<boolean> {
    return this.#opened((store) => store.expire(storedKey, ttlMs))
  }

  async *list(pattern: string, signal: AbortSignal | undefined): AsyncGenerator<readonly string[]> {
    await this.#open()
    yield* this.#store().list(pattern, signal)
  }

  count(storedKey: string, change: CounterChange): Promise<number | string> {
    return this.#opened((store) => store.count(storedKey, change))
  }

  removeMatching(pattern: string, options: RemovalOptions, isWhole: boolean): Promise<number> {
    return this.#opened((store) => store.removeMatching(pattern, options, isWhole))
  }

  addMembers(storedKey: string, members: readonly string[], expiry: Expiry): Promise<number> {
    return this.#opened((store) => store.addMembers(storedKey, members, expiry))
  }

  members(storedKey: string): Promise<string[]> {
    return this.#opened((store) => store.members(storedKey))
  }

  removeMember(storedKey: string, member: string): Promise<boolean> {
    return this.#opened((store) => store.removeMember(storedKey, member))
  }

  #opened<Result>(work: (store: CacheStore) => Promise<Result>): Promise<Result> {
    return this.#open().then(() => work(this.#store()))
  }
}
