import { LRUCache } from 'lru-cache'
import type { ChangeListener } from '../keys/change-listener.ts'
import { PendingReads } from '../keys/pending-reads.ts'
import type { LocalEntry } from './local-entry.ts'
import { PatternRemovals } from './pattern-removals.ts'

/** The estimated memory of an entry beside its key and its encoded value: map slot, list links, objects. */
const ENTRY_OVERHEAD_BYTES = 200

/**
 * The precision of the order of eviction, in milliseconds: a hit moves an entry to the end of that order at most once
 * in this time, since moving an entry costs as much as finding it.
 */
const RECENCY_MS = 16

/** Bounds of the {@link LocalTier}. */
export interface LocalBounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

/**
 * Decoded values in this process. Redis (or the bus) announces changes, after which a value is no longer served:
 *
 * - Only the reply to a read enters the tier, never a written value (L1), and only if nothing has touched the key
 *   between the command and its reply: see {@link PendingReads} (L2).
 * - A reply is not kept if an own write of its key was in flight at the same time (L3).
 * - A lost connection or channel begins a new epoch (L5). Entries of an older epoch stay, but are served only if the
 *   source fails and their policy allows that.
 */
export class LocalTier implements ChangeListener {
  readonly #entries: LRUCache<string, LocalEntry> | undefined
  readonly #rootPrefix: string
  readonly #reads = new PendingReads<object>()
  readonly #removals = new PatternRemovals()
  readonly #onKeep: ((storedKey: string, stamp: string) => void) | undefined
  #epoch = 0

  /**
   * @param rootPrefix the prefix of every stored key; the tier omits it, so that a lookup need not build a string
   * @param bounds `undefined` to keep nothing
   * @param onEvict called for each entry that is evicted for lack of room
   * @param onKeep called for each entry with a stamp that enters the tier
   */
  constructor(
    rootPrefix: string,
    bounds: LocalBounds | undefined,
    onEvict: () => void,
    onKeep?: (storedKey: string, stamp: string) => void,
  ) {
    this.#rootPrefix = rootPrefix
    this.#onKeep = onKeep
    this.#entries =
      bounds &&
      new LRUCache<string, LocalEntry>({
        max: bounds.maxEntries,
        maxSize: bounds.maxBytes,
        dispose: (_entry, _name, reason) => {
          if (reason === 'evict') onEvict()
        },
      })
  }

  get epoch(): number {
    return this.#epoch
  }

  /** The number of entries, and their estimated size, to which `maxBytes` applies. */
  get usage(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#entries?.size ?? 0, bytes: this.#entries?.calculatedSize ?? 0 }
  }

  /**
   * The entry of a key, even if it is stale, invalid or of an older epoch. Does not change the order of eviction.
   * @param name the stored key without the root prefix
   */
  peek(name: string): LocalEntry | undefined {
    const entry = this.#entries?.peek(name)
    if (entry === undefined || entry.removalsSeen === this.#removals.count) return entry
    return this.#isRemoved(name, entry) ? undefined : entry
  }

  /** Applies the removals by pattern that the entry has not been compared with yet. Returns whether one deleted it. */
  #isRemoved(name: string, entry: LocalEntry): boolean {
    if (this.#removals.haveRemoved(this.#rootPrefix + name, entry.removalsSeen)) {
      this.#entries?.delete(name)
      return true
    }
    entry.removalsSeen = this.#removals.count
    return false
  }

  /** Records the use of an entry in the order of eviction, whose precision is {@link RECENCY_MS}. */
  used(name: string, entry: LocalEntry, nowMs: number): void {
    if (nowMs < entry.recentUntilMs) return
    entry.recentUntilMs = Math.floor(nowMs) + RECENCY_MS
    this.#entries?.get(name)
  }

  /** Must be called before a key is read. The object identifies that read. */
  expect(storedKey: string, read: object = {}): object {
    return this.#reads.begin(storedKey, read)
  }

  /** The last read of a key, if it is in flight and nothing has touched the key since. */
  expected(storedKey: string): object | undefined {
    return this.#reads.current(storedKey)
  }

  /** Whether nothing has touched the key since this read of it began. */
  isExpected(storedKey: string, read: object): boolean {
    return this.#reads.holds(storedKey, read)
  }

  /** Keeps the entry that was read, if nothing has touched its key since the read began. Returns whether that is so. */
  keep(storedKey: string, read: object, entry: LocalEntry, bytes: number): boolean {
    if (!this.#reads.end(storedKey, read)) return false
    if (this.#entries === undefined) return true
    entry.removalsSeen = this.#removals.count
    const size = ENTRY_OVERHEAD_BYTES + 2 * storedKey.length + bytes
    const name = this.#name(storedKey)
    this.#entries.set(name, entry, { size })
    if (this.#onKeep !== undefined && entry.stamp !== undefined && this.#entries.has(name)) {
      this.#onKeep(storedKey, entry.stamp)
    }
    return true
  }

  /** Ends a read whose result is not kept. */
  forget(storedKey: string, read: object): void {
    this.#reads.end(storedKey, read)
  }

  /** Drops the local entry, since a read did not find it valid: it must not be served even if the source fails. */
  drop(storedKey: string): void {
    this.#entries?.delete(this.#name(storedKey))
  }

  invalidated(storedKey: string): void {
    this.#reads.touched(storedKey)
    this.#entries?.delete(this.#name(storedKey))
  }

  writeBegan(storedKey: string): void {
    this.#reads.writeBegan(storedKey)
    this.invalidated(storedKey)
  }

  writeSettled(storedKey: string): void {
    this.invalidated(storedKey)
    this.#reads.writeSettled(storedKey)
  }

  removing(matches: (storedKey: string) => boolean): void {
    this.#reads.touchedWhere(matches)
    if (this.#entries !== undefined && this.#entries.size > 0) this.#removals.add(matches)
  }

  epochBegan(): void {
    this.#epoch++
    this.#reads.touchedAll()
  }

  clear(): void {
    this.epochBegan()
    this.#entries?.clear()
  }

  #name(storedKey: string): string {
    return storedKey.slice(this.#rootPrefix.length)
  }
}
