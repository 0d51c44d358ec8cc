import { LRUCache } from 'lru-cache'
import type { ChangeListener } from '../keys/change-listener.ts'
import { PendingReads } from '../keys/pending-reads.ts'
import type { LocalEntry } from './local-entry.ts'
import { PatternRemovals } from './pattern-removals.ts'

/** What an entry costs beside its encoded size: map slot, list links, objects. An estimate. */
const ENTRY_OVERHEAD_BYTES = 200

/**
 * How exactly the order of eviction follows use, in milliseconds. Moving an entry to the end of that order costs as
 * much as finding it, and an entry that is hit a thousand times in this time need not be moved a thousand times.
 */
const RECENCY_MS = 16

/** Bounds of the {@link LocalTier}. */
export interface LocalBounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

/**
 * Decoded values in this process. Redis (or the bus) tells which of them may still be served:
 *
 * - Only the reply to a read enters the tier, never what was written (L1), and only if nothing was heard of the key
 *   between the command and its reply: see {@link PendingReads} (L2).
 * - What is read of a key while an own write of it is under way is not kept (L3).
 * - A lost connection or channel begins a new epoch (L5). Entries of an older epoch stay, to be served where the
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
   * @param rootPrefix the prefix of every stored key; it is left out here, so that a lookup makes no new string
   * @param bounds `undefined` = keeps nothing
   * @param onEvict called for each entry that is evicted for want of room
   * @param onKeep called for each entry that is kept from now on
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

  /** Entries that are kept, and what they take by the estimate that bounds them. */
  get usage(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#entries?.size ?? 0, bytes: this.#entries?.calculatedSize ?? 0 }
  }

  /**
   * The entry of a key, also one that is stale, invalid or of an older epoch. The order of eviction stays as it is.
   * @param name the stored key without the root prefix
   */
  peek(name: string): LocalEntry | undefined {
    const entry = this.#entries?.peek(name)
    if (entry === undefined || entry.removalsSeen === this.#removals.count) return entry
    return this.#isRemoved(name, entry) ? undefined : entry
  }

  /** Whether a removal by pattern that the entry has not been compared with yet removes it. */
  #isRemoved(name: string, entry: LocalEntry): boolean {
    if (this.#removals.haveRemoved(this.#rootPrefix + name, entry.removalsSeen)) {
      this.#entries?.delete(name)
      return true
    }
    entry.removalsSeen = this.#removals.count
    return false
  }

  /** An entry has been used. The order of eviction is kept to {@link RECENCY_MS}. */
  used(name: string, entry: LocalEntry, nowMs: number): void {
    if (nowMs < entry.recentUntilMs) return
    entry.recentUntilMs = Math.floor(nowMs) + RECENCY_MS
    this.#entries?.get(name)
  }

  /** Called before a key is read. The object stands for that read. */
  expect(storedKey: string, read: object = {}): object {
    return this.#reads.begin(storedKey, read)
  }

  /** The last read of a key that is under way, if nothing has touched the key since. */
  expected(storedKey: string): object | undefined {
    return this.#reads.current(storedKey)
  }

  /** Whether nothing has touched the key since this read of it began. */
  isExpected(storedKey: string, read: object): boolean {
    return this.#reads.holds(storedKey, read)
  }

  /** Keeps what was read, if nothing has touched the key since the read began. Returns whether that is so. */
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

  /** A read has ended, and nothing of it is kept. */
  forget(storedKey: string, read: object): void {
    this.#reads.end(storedKey, read)
  }

  /** A read has not found the entry that is kept: it may not even be served in place of an error any more. */
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
