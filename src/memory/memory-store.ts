import { LRUCache } from 'lru-cache'
import type {
  CacheStore,
  CounterChange,
  Expiry,
  StoredEntry,
  TierSettings,
} from '../backend/seams/cache-store.ts'
import type { ReadOutcome } from '../backend/seams/read-outcome.ts'
import type { RestoreEntry, SharedTier } from '../backend/seams/shared-tier.ts'
import { entryHead, isEntry, isPlaceholder, stampIn } from '../codec/envelope/entry-meta.ts'
import type { RemovalOptions } from '../contract/cache-backend.ts'
import { CacheError } from '../foundation/errors/cache-error.ts'
import { isReserved } from '../foundation/reserved-keys.ts'
import type { Clock } from '../foundation/time/clock.ts'
import { isHeld } from './hold-rules.ts'
import type { Keyspace } from './keyspace.ts'
import { matchingKeys } from './matching-keys.ts'
import { type MemoryEntry, sizeOf } from './memory-entry.ts'
import { KEEPING, MemorySets, wrongType } from './memory-sets.ts'
import { MemoryTier } from './memory-tier.ts'

/** Bounds of a {@link MemoryStore}. */
export interface MemoryBounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

const INT64 = /^(?:0|-?[1-9]\d{0,18})$/
/** Added to the clock, which may begin at 0: for `lru-cache`, an entry that was stored at 0 never expires. */
const CLOCK_OFFSET_MS = 1

/**
 * A store in this process, bounded by entries and bytes. It keeps **encoded** values, as Redis does, so that a caller
 * cannot change the value that another caller gets, and a program behaves the same on both.
 */
export class MemoryStore implements CacheStore {
  readonly #entries: LRUCache<string, MemoryEntry>
  readonly #maxBytes: number
  #entryClock: Clock
  readonly #sets = new MemorySets({
    find: (storedKey) => (this.#isThere(storedKey) ? this.#entries.get(storedKey) : undefined),
    change: (...change) => this.#change(...change),
    remove: (storedKey) => this.#entries.delete(storedKey),
  })
  /** Restores an entry of which only the head is kept. */
  #restore: RestoreEntry = () => undefined

  constructor({ maxEntries, maxBytes }: MemoryBounds, clock: Clock) {
    this.#entryClock = clock
    this.#maxBytes = maxBytes
    this.#entries = new LRUCache({
      max: maxEntries,
      maxSize: maxBytes,
      sizeCalculation: sizeOf,
      ttlResolution: 0,
      perf: { now: () => clock.monotonicMs() + CLOCK_OFFSET_MS },
    })
  }

  async open(): Promise<void> {}

  async close(): Promise<void> {
    this.#entries.clear()
  }

  async read<Result>(key: string, storedKey: string, outcome: ReadOutcome<Result>): Promise<Result> {
    return outcome.found(key, storedKey, this.#bytes(storedKey))
  }

  async readMany(storedKeys: readonly string[]): Promise<(Buffer | null)[]> {
    return storedKeys.map((storedKey) => this.#bytes(storedKey))
  }

  async write(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<void> {
    this.#put(storedKey, { kind: 'string', bytes: Buffer.from(encoded as string) }, ttlMs)
  }

  async writeMany(entries: readonly StoredEntry[]): Promise<Map<string, CacheError>> {
    const failures = new Map<string, CacheError>()
    for (const { key, storedKey, encoded, ttlMs } of entries) {
      try {
        this.#put(storedKey, { kind: 'string', bytes: Buffer.from(encoded as string) }, ttlMs)
      } catch (error) {
        failures.set(key, (error as CacheError).within('setMany', key))
      }
    }
    return failures
  }

  async writeIfAbsent(storedKey: string, encoded: string | Buffer, ttlMs: number): Promise<boolean> {
    const present = this.#whole(storedKey)
    if (present !== undefined) this.#change(storedKey, present, KEEPING, true)
    else this.#put(storedKey, { kind: 'string', bytes: Buffer.from(encoded as string) }, ttlMs)
    return present === undefined
  }

  async take(storedKey: string): Promise<Buffer | null> {
    const present = this.#whole(storedKey)
    if (present?.kind !== 'string') return null
    this.#entries.delete(storedKey)
    return present.bytes
  }

  async remove(storedKeys: readonly string[]): Promise<number> {
    return storedKeys.reduce((removed, storedKey) => removed + (this.#remove(storedKey) ? 1 : 0), 0)
  }

  async exists(storedKey: string): Promise<boolean> {
    return this.#isThere(storedKey)
  }

  async compareAndSet(
    storedKey: string,
    expected: Buffer | null,
    bytes: Buffer,
    ttlMs: number,
  ): Promise<Buffer | null> {
    const current = this.#bytes(storedKey, true)
    if (current !== null && !current.equals(bytes) && !(expected?.equals(current) ?? false)) return current
    this.#put(storedKey, { kind: 'string', bytes }, ttlMs)
    return null
  }

  async ttlMs(storedKey: string): Promise<number | undefined> {
    return this.#isThere(storedKey) ? this.#entries.getRemainingTTL(storedKey) : undefined
  }

  /** By the clock that the entries of a cache have their times of. */
  async serverTimeMs(): Promise<number> {
    return this.#entryClock.monotonicMs()
  }

  async expire(storedKey: string, ttlMs: number): Promise<boolean> {
    const present = this.#whole(storedKey)
    if (present !== undefined) this.#put(storedKey, present, ttlMs)
    return present !== undefined
  }

  /** The keys of the beginning. Each is looked up when its batch is reached, so that none is listed that has gone. */
  async *list(pattern: string, signal: AbortSignal | undefined): AsyncGenerator<readonly string[]> {
    for (const batch of matchingKeys([...this.#entries.keys()], pattern, signal)) {
      yield batch.filter((storedKey) => !isReserved(storedKey) && this.#isThere(storedKey))
    }
  }

  async count(storedKey: string, change: CounterChange): Promise<string> {
    if (!this.#isThere(storedKey)) this.#entries.delete(storedKey)
    if (this.#isHead(storedKey)) throw notACounter()
    const current = this.#bytes(storedKey, true)
    const text = current === null ? change.start : current.toString('latin1')
    if (!INT64.test(text) || !isInt64(BigInt(text))) {
      throw notACounter()
    }
    const next = BigInt(text) + BigInt(change.amount)
    if (!isInt64(next) || (change.safeOnly && !Number.isSafeInteger(Number(next)))) {
      throw new CacheError(
        'CACHE_COUNTER_OVERFLOW',
        'The counter would leave the range of its type; it was left as it was',
      )
    }
    this.#change(storedKey, { kind: 'string', bytes: Buffer.from(String(next)) }, change, current !== null)
    return String(next)
  }

  async removeMatching(
    pattern: string,
    { signal, onProgress }: RemovalOptions,
    isWhole: boolean,
  ): Promise<number> {
    let removed = 0
    for (const batch of matchingKeys([...this.#entries.keys()], pattern, signal)) {
      for (const storedKey of batch) {
        if ((isWhole || !isReserved(storedKey)) && this.#remove(storedKey)) removed++
      }
      onProgress?.(removed)
    }
    return removed
  }

  async addMembers(storedKey: string, members: readonly string[], expiry: Expiry): Promise<number> {
    return this.#sets.add(storedKey, members, expiry)
  }

  async members(storedKey: string): Promise<string[]> {
    return this.#sets.members(storedKey)
  }

  async removeMember(storedKey: string, member: string): Promise<boolean> {
    return this.#sets.remove(storedKey, member)
  }

  /** The bytes of a string; `null` if there is none. Another type is `null` too, unless `strict`, which throws. */
  #bytes(storedKey: string, strict = false): Buffer | null {
    const entry = this.#entries.get(storedKey)
    if (entry?.kind === 'string') return entry.isHead ? this.#restored(storedKey, entry.bytes) : entry.bytes
    if (strict && entry !== undefined) throw wrongType()
    return null
  }

  share(settings: TierSettings): SharedTier {
    this.#entryClock = settings.clock
    return new MemoryTier(this.keyspace(), this, settings.clock)
  }

  /**
   * From now on, keeps only the heads of entries whose values a cache holds.
   * @returns a function to call for each such entry; `stamp` identifies the entry
   */
  shedValues(restore: RestoreEntry): (storedKey: string, stamp: string) => void {
    this.#restore = restore
    return (storedKey, stamp) => {
      const entry = this.#entries.peek(storedKey)
      if (entry?.kind !== 'string' || entry.isHead || !isEntry(entry.bytes)) return
      if (stampIn(entry.bytes) !== stamp) return
      // A copy: a view would keep all of the bytes.
      const bytes = Buffer.from(entryHead(entry.bytes))
      const ttlMs = this.#entries.getRemainingTTL(storedKey)
      this.#put(storedKey, { kind: 'string', bytes, isHead: true }, ttlMs)
    }
  }

  #isHead(storedKey: string): boolean {
    const entry = this.#entries.peek(storedKey)
    return entry?.kind === 'string' && entry.isHead === true
  }

  /** An entry whose value the cache no longer holds is lost, as if it had been evicted here. */
  #restored(storedKey: string, head: Buffer): Buffer | null {
    const bytes = this.#restore(storedKey, head)
    if (bytes !== undefined) return bytes
    this.#entries.delete(storedKey)
    return null
  }

  /** The strings of this store, on which the rules of leases and generations work. */
  keyspace(): Keyspace {
    return {
      get: (storedKey) => {
        const entry = this.#entries.get(storedKey)
        return entry === undefined || entry.kind === 'string' ? entry?.bytes : 'other'
      },
      put: (storedKey, bytes, ttlMs) => this.#put(storedKey, { kind: 'string', bytes }, ttlMs),
      putLease: (storedKey, bytes, ttlMs) => {
        this.#put(storedKey, { kind: 'string', bytes, isHead: this.#isHead(storedKey) }, ttlMs)
      },
      remove: (storedKey) => this.#entries.delete(storedKey),
      remainingMs: (storedKey) => this.#entries.getRemainingTTL(storedKey),
      keys: () => [...this.#entries.keys()],
    }
  }

  /** An entry with its value, which the cache may be about to drop; `undefined` if there is none. */
  #whole(storedKey: string): MemoryEntry | undefined {
    if (!this.#isThere(storedKey)) return undefined
    if (!this.#isHead(storedKey)) return this.#entries.peek(storedKey)
    const bytes = this.#bytes(storedKey)
    return bytes === null ? undefined : { kind: 'string', bytes }
  }

  /** A placeholder does not count: its value is still being loaded. */
  #isThere(storedKey: string): boolean {
    const entry = this.#entries.peek(storedKey)
    return entry !== undefined && !(entry.kind === 'string' && isPlaceholder(entry.bytes))
  }

  /** Whether the key was there and had not expired. */
  #remove(storedKey: string): boolean {
    const entry = this.#entries.peek(storedKey)
    if (entry?.kind === 'string' && isHeld(entry.bytes)) return false
    const wasThere = this.#isThere(storedKey)
    this.#entries.delete(storedKey)
    return wasThere
  }

  #put(storedKey: string, entry: MemoryEntry, ttlMs: number): void {
    const size = sizeOf(entry, storedKey)
    if (size > this.#maxBytes) {
      throw new CacheError(
        'CACHE_VALUE_TOO_LARGE',
        `The entry takes ${size} bytes, more than the whole cache of ${this.#maxBytes}`,
      )
    }
    this.#entries.set(storedKey, entry, { ttl: ttlMs === Number.POSITIVE_INFINITY ? 0 : ttlMs })
  }

  /** Stores a changed counter or set. An existing one keeps its time to live, unless that slides. */
  #change(storedKey: string, entry: MemoryEntry, { ttlMs, slide }: Expiry, existed: boolean): void {
    const remainingMs = existed && !slide ? this.#entries.getRemainingTTL(storedKey) : ttlMs
    this.#put(storedKey, entry, Math.max(remainingMs, Number.MIN_VALUE))
  }
}

function isInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value
}

function notACounter(): CacheError {
  return new CacheError('CACHE_NOT_A_COUNTER', 'The key holds something that is not a 64-bit decimal integer')
}
