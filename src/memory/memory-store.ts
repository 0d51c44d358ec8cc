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
import { globMatcher } from '../foundation/glob-matcher.ts'
import { isReserved } from '../foundation/reserved-keys.ts'
import type { Clock } from '../foundation/time/clock.ts'
import type { Keyspace } from './lease-rules.ts'
import { MemoryTier } from './memory-tier.ts'

/** The value of a key, of one of two Redis types. */
type MemoryEntry =
  | { readonly kind: 'string'; readonly bytes: Buffer; readonly isHead?: boolean }
  | { readonly kind: 'set'; readonly members: Set<string>; readonly memberBytes: number }

/** Bounds of a {@link MemoryStore}. */
export interface MemoryBounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

/** The estimated overhead of an entry beside its key and payload: map slot, list links, object headers. */
const ENTRY_OVERHEAD_BYTES = 64
const INT64 = /^(?:0|-?[1-9]\d{0,18})$/
const WALK_BATCH = 1_000
/** The expiry of a change that leaves the time to live as it is. */
const KEEPING: Expiry = { ttlMs: Number.POSITIVE_INFINITY, slide: false }
/** Added to the clock, which may begin at 0: for `lru-cache`, an entry that was stored at 0 never expires. */
const CLOCK_OFFSET_MS = 1

/**
 * A store in this process, bounded by entries and bytes. It keeps **encoded** values, as Redis does, so that a caller
 * cannot change the value that another caller gets, and a program behaves the same on both.
 */
export class MemoryStore implements CacheStore {
  readonly #entries: LRUCache<string, MemoryEntry>
  readonly #maxBytes: number
  /** Restores an entry of which only the head is kept. */
  #restore: RestoreEntry = () => undefined

  constructor({ maxEntries, maxBytes }: MemoryBounds, clock: Clock) {
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

  async writeMany(entries: readonly StoredEntry[], ttlMs: number): Promise<Map<string, CacheError>> {
    const failures = new Map<string, CacheError>()
    for (const { key, storedKey, encoded } of entries) {
      try {
        this.#put(storedKey, { kind: 'string', bytes: Buffer.from(encoded as string) }, ttlMs)
      } catch (error) {
        failures.set(key, (error as CacheError).within('setMany', key))
      }
    }
    return failures
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
    const matches = globMatcher(pattern)
    let removed = 0
    let seen = 0
    for (const storedKey of [...this.#entries.keys()]) {
      if (seen++ % WALK_BATCH === 0) {
        if (seen > 1) onProgress?.(removed)
        if (signal?.aborted) throw new CacheError('CACHE_ABORTED', 'The removal was aborted by its signal')
      }
      if (!isWhole && isReserved(storedKey)) continue
      if (matches(storedKey) && this.#remove(storedKey)) removed++
    }
    onProgress?.(removed)
    return removed
  }

  async addMembers(storedKey: string, given: readonly string[], expiry: Expiry): Promise<number> {
    if (!this.#isThere(storedKey)) this.#entries.delete(storedKey)
    const current = this.#set(storedKey)
    const members = current?.members ?? new Set()
    const added = members.size === 0 ? new Set(given) : new Set(given.filter((one) => !members.has(one)))
    let memberBytes = current?.memberBytes ?? 0
    for (const member of added) memberBytes += bytesOf(member)
    // A set that has become too large is refused before it is changed.
    this.#change(storedKey, { kind: 'set', members, memberBytes }, expiry, current !== undefined)
    for (const member of added) members.add(member)
    return added.size
  }

  async members(storedKey: string): Promise<string[]> {
    return [...(this.#set(storedKey)?.members ?? [])]
  }

  async removeMember(storedKey: string, member: string): Promise<boolean> {
    const current = this.#set(storedKey)
    if (current === undefined || !current.members.delete(member)) return false
    const { members } = current
    const memberBytes = current.memberBytes - bytesOf(member)
    if (members.size === 0) this.#entries.delete(storedKey)
    else this.#change(storedKey, { kind: 'set', members, memberBytes }, KEEPING, true)
    return true
  }

  /** The bytes of a string; `null` if there is none. Another type is `null` too, unless `strict`, which throws. */
  #bytes(storedKey: string, strict = false): Buffer | null {
    const entry = this.#entries.get(storedKey)
    if (entry?.kind === 'string') return entry.isHead ? this.#restored(storedKey, entry.bytes) : entry.bytes
    if (strict && entry !== undefined) throw wrongType()
    return null
  }

  #set(storedKey: string): (MemoryEntry & { kind: 'set' }) | undefined {
    const entry = this.#entries.get(storedKey)
    if (entry === undefined) return undefined
    if (entry.kind !== 'set') throw wrongType()
    return entry
  }

  share(settings: TierSettings): SharedTier {
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

  /** A placeholder does not count: its value is still being loaded. */
  #isThere(storedKey: string): boolean {
    const entry = this.#entries.peek(storedKey)
    return entry !== undefined && !(entry.kind === 'string' && isPlaceholder(entry.bytes))
  }

  /** Whether the key was there and had not expired. */
  #remove(storedKey: string): boolean {
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

function sizeOf(entry: MemoryEntry, storedKey: string): number {
  return bytesOf(storedKey) + (entry.kind === 'string' ? entry.bytes.length : entry.memberBytes)
}

/** The estimated size of a key or a member. */
function bytesOf(text: string): number {
  return ENTRY_OVERHEAD_BYTES + 2 * text.length
}

function isInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value
}

function notACounter(): CacheError {
  return new CacheError('CACHE_NOT_A_COUNTER', 'The key holds something that is not a 64-bit decimal integer')
}

function wrongType(): CacheError {
  return new CacheError('CACHE_WRONG_TYPE', 'The key holds a value of another type', {
    replyCode: 'WRONGTYPE',
  })
}
