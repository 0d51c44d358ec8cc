import { LRUCache } from 'lru-cache'
import type { LocalEntry } from './local-entry.ts'
import type { PatternRemovals } from './pattern-removals.ts'

/** The estimated memory of an entry beside its key and its encoded value: map slots, list links, objects. */
const ENTRY_OVERHEAD_BYTES = 250

/**
 * The precision of the order of eviction, in milliseconds: a hit moves an entry to the end of that order at most once
 * in this time, since moving an entry costs as much as finding it.
 */
const RECENCY_MS = 16

/** Bounds of a {@link LocalShelf}. */
export interface LocalBounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

/** The bounds that are not given. */
export const DEFAULT_BOUNDS: LocalBounds = { maxEntries: 10_000, maxBytes: 64 * 1024 * 1024 }

/** How much a shelf holds: its entries, and their estimated size, to which `maxBytes` applies. */
export interface LocalUsage {
  readonly entries: number
  readonly bytes: number
}

/** The parts of a {@link LocalShelf}. */
export interface ShelfParts {
  /** The prefix of every stored key; names omit it, so that a lookup need not build a string. */
  readonly rootPrefix: string
  /** `undefined` to keep nothing. */
  readonly bounds: LocalBounds | undefined
  /** Those of the tier. */
  readonly removals: PatternRemovals
  /** Called for each entry that is evicted for lack of room. */
  readonly onEvict: () => void
  /** Called for each entry that is gone, unless another one with the same value has taken its place. */
  readonly onGone?: ((entry: LocalEntry, name: string, reason: DisposeReason) => void) | undefined
}

/**
 * Why a value is gone from this process: its namespace had no room for it (`'evicted'`), the last time for which it could
 * be served is over (`'expired'`), it was deleted or invalidated by any process (`'invalidated'`), another value took its place
 * (`'replaced'`), or the cache was closed (`'closed'`).
 */
export type DisposeReason = 'evicted' | 'expired' | 'invalidated' | 'replaced' | 'closed'

/** The local entries that share bounds: those of the cache, or of a namespace with bounds of its own. */
export class LocalShelf {
  readonly #entries: LRUCache<string, LocalEntry> | undefined
  /** The same entries. Every hit looks one up, and a lookup in an `LRUCache` takes a tenth of a hit longer. */
  readonly #byName = new Map<string, LocalEntry>()
  readonly #rootPrefix: string
  readonly #removals: PatternRemovals
  /** Why the entry that is just being deleted is gone. */
  #reason: DisposeReason = 'invalidated'
  /** The value that is just being put. */
  #putting: unknown

  constructor({ bounds, onEvict, onGone, removals, rootPrefix }: ShelfParts) {
    this.#rootPrefix = rootPrefix
    this.#removals = removals
    this.#entries =
      bounds &&
      new LRUCache<string, LocalEntry>({
        max: bounds.maxEntries,
        maxSize: bounds.maxBytes,
        dispose: (entry, name, reason) => {
          if (this.#byName.get(name) === entry) this.#byName.delete(name)
          if (reason === 'evict') onEvict()
        },
        // Once the entry is out, since it may run code of the user.
        ...(onGone && {
          disposeAfter: (entry, name, reason) => {
            if (reason === 'set' && entry.value === this.#putting) return
            onGone(entry, name, reason === 'evict' ? 'evicted' : reason === 'set' ? 'replaced' : this.#reason)
          },
        }),
      })
  }

  /** Whether it keeps entries at all. */
  get isOn(): boolean {
    return this.#entries !== undefined
  }

  get usage(): LocalUsage {
    return { entries: this.#entries?.size ?? 0, bytes: this.#entries?.calculatedSize ?? 0 }
  }

  /**
   * The entry of a key, even if it is stale, invalid or of an older epoch. Does not change the order of eviction.
   * @param name the stored key without the root prefix
   */
  peek(name: string): LocalEntry | undefined {
    const entry = this.#byName.get(name)
    if (entry === undefined || entry.removalsSeen === this.#removals.count) return entry
    return this.#isRemoved(name, entry) ? undefined : entry
  }

  /** Applies the removals by pattern that the entry has not been compared with yet. Returns whether one deleted it. */
  #isRemoved(name: string, entry: LocalEntry): boolean {
    if (this.#removals.haveRemoved(this.#rootPrefix + name, entry.removalsSeen)) {
      this.delete(name)
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

  /** Puts an entry in the place of any other. Returns whether it was kept: one that is larger than all room is not. */
  put(name: string, entry: LocalEntry, bytes: number): boolean {
    if (this.#entries === undefined) return false
    entry.removalsSeen = this.#removals.count
    const size = ENTRY_OVERHEAD_BYTES + 2 * (this.#rootPrefix.length + name.length) + bytes
    this.#putting = entry.value
    this.#byName.set(name, entry)
    this.#entries.set(name, entry, { size })
    this.#putting = undefined
    if (this.#entries.has(name)) return true
    this.#byName.delete(name)
    return false
  }

  delete(name: string, reason: DisposeReason = 'invalidated'): void {
    this.#reason = reason
    this.#entries?.delete(name)
  }

  clear(): void {
    this.#reason = 'closed'
    this.#entries?.clear()
    this.#reason = 'invalidated'
  }

  /** All entries, also those that are stale or invalid. */
  get all(): readonly (readonly [name: string, entry: LocalEntry])[] {
    return [...(this.#entries?.entries() ?? [])]
  }
}
