import type {
  CacheStore,
  CounterChange,
  Expiry,
  StoredEntry,
  TierSettings,
} from '../../backend/seams/cache-store.ts'
import { RAW, type ReadOutcome, readAs } from '../../backend/seams/read-outcome.ts'
import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import type { RemovalOptions } from '../../contract/cache-backend.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { FaultState } from './fault-state.ts'
import { FaultyLine } from './faulty-line.ts'
import { FaultyTier } from './faulty-tier.ts'

/** A store whose connection has faults. */
export class FaultyStore implements CacheStore {
  readonly #store: CacheStore
  readonly #faults: FaultState
  readonly #line: FaultyLine

  constructor(store: CacheStore, faults: FaultState) {
    this.#store = store
    this.#faults = faults
    this.#line = new FaultyLine(faults)
  }

  open(): Promise<void> {
    return this.#line.send('connecting', () => this.#store.open())
  }

  close(): Promise<void> {
    this.#line.disconnected()
    return this.#store.close()
  }

  read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    const reading = this.#line.send('reads', () => this.#store.read(key, storedKey, RAW))
    return readAs(reading, key, storedKey, outcome)
  }

  async readMany(storedKeys: readonly string[]): Promise<readonly (Buffer | CacheError | null)[]> {
    try {
      return await this.#line.send('reads', () => this.#store.readMany(storedKeys))
    } catch (error) {
      return storedKeys.map(() => error as CacheError)
    }
  }

  write(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<unknown> {
    return this.#line.send('writes', () => this.#store.write(storedKey, encoded, ttlMs))
  }

  async writeMany(entries: readonly StoredEntry[]): Promise<Map<string, CacheError>> {
    try {
      return await this.#line.send('writes', () => this.#store.writeMany(entries))
    } catch (error) {
      return new Map(entries.map(({ key }) => [key, (error as CacheError).within('setMany', key)]))
    }
  }

  writeIfAbsent(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<boolean> {
    return this.#line.send('writes', () => this.#store.writeIfAbsent(storedKey, encoded, ttlMs))
  }

  take(storedKey: string): Promise<Buffer | null> {
    return this.#line.send('writes', () => this.#store.take(storedKey))
  }

  remove(storedKeys: readonly string[]): Promise<number> {
    return this.#line.send('writes', () => this.#store.remove(storedKeys))
  }

  exists(storedKey: string): Promise<boolean> {
    return this.#line.send('reads', () => this.#store.exists(storedKey))
  }

  compareAndSet(
    storedKey: string,
    expected: Buffer | null,
    bytes: Buffer,
    ttlMs: number,
  ): Promise<Buffer | null> {
    return this.#line.send('writes', () => this.#store.compareAndSet(storedKey, expected, bytes, ttlMs))
  }

  ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#line.send('reads', () => this.#store.ttlMs(storedKey))
  }

  serverTimeMs(storedKey: string): Promise<number> {
    return this.#line.send('reads', () => this.#store.serverTimeMs(storedKey))
  }

  expire(storedKey: string, ttlMs: number): Promise<boolean> {
    return this.#line.send('writes', () => this.#store.expire(storedKey, ttlMs))
  }

  /** Each step of the walk is a command. */
  async *list(pattern: string, signal: AbortSignal | undefined): AsyncGenerator<readonly string[]> {
    const walk = this.#store.list(pattern, signal)[Symbol.asyncIterator]()
    try {
      for (;;) {
        const { done, value } = await this.#line.send('reads', () => walk.next())
        if (done) return
        yield value
      }
    } finally {
      await walk.return?.()
    }
  }

  /** A counter cannot be changed again after a lost reply, since the change may have been applied. */
  async count(storedKey: string, change: CounterChange): Promise<number | string> {
    try {
      return await this.#line.send('writes', () => this.#store.count(storedKey, change))
    } catch (error) {
      const { code } = error as CacheError
      if (code !== 'CACHE_TIMEOUT' && code !== 'CACHE_DISCONNECTED') throw error
      throw new CacheError('CACHE_AMBIGUOUS', 'The reply was lost: the counter may or may not have changed', {
        cause: error,
      })
    }
  }

  removeMatching(pattern: string, options: RemovalOptions, isWhole: boolean): Promise<number> {
    return this.#line.send('writes', () => this.#store.removeMatching(pattern, options, isWhole))
  }

  addMembers(storedKey: string, members: readonly string[], expiry: Expiry): Promise<number> {
    return this.#line.send('writes', () => this.#store.addMembers(storedKey, members, expiry))
  }

  members(storedKey: string): Promise<string[]> {
    return this.#line.send('reads', () => this.#store.members(storedKey))
  }

  removeMember(storedKey: string, member: string): Promise<boolean> {
    return this.#line.send('writes', () => this.#store.removeMember(storedKey, member))
  }

  share(settings: TierSettings): SharedTier {
    return new FaultyTier(this.#store.share(settings), this.#line, this.#faults, settings)
  }
}
