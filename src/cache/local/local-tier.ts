import { LRUCache } from 'lru-cache'
import type { ChangeListener } from '../keys/change-listener.ts'
import { PendingReads } from '../keys/pending-reads.ts'
import type { LocalEntry } from './local-entry.ts'

/** What an entry costs beside its encoded size: map slot, list links, objects. An estimate. */
const ENTRY_OVERHEAD_BYTES = 200

/**
 * How exactly the order of eviction follows use. To move an entry to the end of it costs as much as to find it, and
 * what is hit a thousand times in this time need not be moved a thousand times.
 */
const RECENCY_MS = 16

/** Bounds of the {@link LocalTier}. */
export interface LocalBounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

/**
 * Decoded values in this process. Which of them may be served follows from what Redis (or the bus) tells:
 *
 * - Only the reply to a read enters it, never what was written (L1); and only if nothing was heard of the key between
 *   the question and the answer: see {@link PendingReads} (L2).
 * - While an own write of a key is under way, what is read of it is not kept (L3).
 * - A lost connection or channel begins a new epoch (L5). Entries of an older one stay, to be served where the
 *   source fails and their policy allows it.
 */
export class LocalTier implements ChangeListener {
  readonly #entries: LRUCache<string, LocalEntry> | undefined
  readonly #rootPrefix: string
  readonly #reads = new PendingReads<object>()
  #epoch = 0

  /**
   * @param rootPrefix what every stored key begins with: left out here, so that a lookup makes no new string
   * @param bounds `undefined` = keeps nothing
   * @param onEvict told of each entry that had to go for want of room
   */
  constructor(rootPrefix: string, bounds: LocalBounds | undefined, onEvict: () => void) {
    this.#rootPrefix = rootPrefix
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
   * Also an entry that is stale, invalid or of an older epoch. Leaves the order of eviction as it is.
   * @param name the stored key without the root prefix
   */
  peek(name: string): LocalEntry | undefined {
    return this.#entries?.peek(name)
  }

  /** An entry has been used; the order of eviction is kept to {@link RECENCY_MS}. */
  used(name: string, entry: LocalEntry, nowMs: number): void {
    if (nowMs < entry.recentUntilMs) return
    entry.recentUntilMs = Math.floor(nowMs) + RECENCY_MS
    this.#entries?.get(name)
  }

  /** Called before a key is read; the object stands for that read. */
  expect(storedKey: string, read: object = {}): object {
    return this.#reads.begin(storedKey, read)
  }

  /** What stands for the last read of a key that is under way, where nothing has happened to the key since. */
  expected(storedKey: string): object | undefined {
    return this.#reads.underWay(storedKey)
  }

  /** Whether nothing has happened to the key since it was asked for. */
  isExpected(storedKey: string, pending: object): boolean {
    return this.#reads.holds(storedKey, pending)
  }

  /** Keeps what was read, where nothing has happened to the key since it was asked for. */
  keep(storedKey: string, pending: object, entry: LocalEntry, bytes: number): boolean {
    if (!this.#reads.end(storedKey, pending)) return false
    if (this.#entries === undefined) return true
    const size = ENTRY_OVERHEAD_BYTES + 2 * storedKey.length + bytes
    this.#entries.set(this.#name(storedKey), entry, { size })
    return true
  }

  /** Nothing came of a read. */
  forget(storedKey: string, pending: object): void {
    this.#reads.end(storedKey, pending)
  }

  /** A read has not found what is kept: it may not even stand in for an error any more. */
  drop(storedKey: string): void {
    this.#entries?.delete(this.#name(storedKey))
  }

  /** The key may have been changed, by anybody. */
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

  /** Drops what matches, kept or being read. */
  removing(matches: (storedKey: string) => boolean): void {
    this.#reads.touchedWhere(matches)
    if (this.#entries === undefined) return
    for (const name of [...this.#entries.keys()])
      if (matches(this.#rootPrefix + name)) this.#entries.delete(name)
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
