import { isKeyGeneration } from '../../foundation/reserved-keys.ts'
import type { ChangeListener } from '../keys/change-listener.ts'
import { PendingReads } from '../keys/pending-reads.ts'
import type { LocalEntry } from './local-entry.ts'
import {
  type DisposeReason,
  type LocalBounds,
  LocalShelf,
  type LocalUsage,
  type ShelfParts,
} from './local-shelf.ts'
import { PatternRemovals } from './pattern-removals.ts'
import { PrefixRules } from './prefix-rules.ts'
import { type LocalRule, ShelfRules, type Shelving } from './shelf-rules.ts'

/** The room for the values of a namespace that stay in this process. */
export interface HeldRule extends Pick<ShelfParts, 'onEvict' | 'onGone'> {
  readonly maxEntries: number
  /** How long a copy is served before its generations are asked for again. */
  readonly ttlMs: number
  /** Who disposes of the values; `undefined` if nobody does. */
  readonly owner: unknown
}

interface HeldShelving extends Shelving, Pick<HeldRule, 'owner'> {
  readonly id: string
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
  readonly #rootPrefix: string
  readonly #rules: ShelfRules
  /** Where the values of namespaces lie that stay in this process (`store: 'local'`): their names are reserved. */
  readonly #held = new PrefixRules<HeldShelving | undefined>(undefined)
  readonly #reads = new PendingReads<object>()
  readonly #removals = new PatternRemovals()
  readonly #onKeep: ((storedKey: string, stamp: string) => void) | undefined
  #epoch = 0

  /**
   * @param rootPrefix the prefix of every stored key; the tier omits it, so that a lookup need not build a string
   * @param bounds those of the cache; `undefined` to keep nothing
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
    this.#rules = new ShelfRules(
      this.#newShelf(bounds, onEvict),
      this.#newShelf(undefined, () => {}),
    )
  }

  #newShelf(bounds: LocalBounds | undefined, onEvict: () => void): LocalShelf {
    return new LocalShelf({ rootPrefix: this.#rootPrefix, bounds, removals: this.#removals, onEvict })
  }

  get epoch(): number {
    return this.#epoch
  }

  get #shelves(): readonly LocalShelf[] {
    return [...this.#rules.shelves, ...this.held]
  }

  /** The shelves of values that stay in this process. */
  get held(): readonly LocalShelf[] {
    return this.#held.all.flatMap((one) => one?.shelf ?? [])
  }

  /** What the cache and all its namespaces keep. */
  get usage(): LocalUsage {
    const all = this.#shelves.map(({ usage }) => usage)
    return all.reduce((sum, one) => ({
      entries: sum.entries + one.entries,
      bytes: sum.bytes + one.bytes,
    }))
  }

  /** What is kept in the shelf that this very namespace has for itself; `undefined` if it has none. */
  usageOf(prefix: string): LocalUsage | undefined {
    return (this.#rules.ownShelf(prefix) ?? this.#held.own(prefix)?.shelf)?.usage
  }

  /** Whether a namespace treats its local entries in a way of its own. */
  get isDivided(): boolean {
    return !this.#rules.isUniform
  }

  /** Where the entry of a name is kept, or those of all names under a prefix. */
  shelfOf(name: string): LocalShelf {
    return this.#heldOf(name)?.shelf ?? this.#rules.of(name).shelf
  }

  #heldOf(name: string): HeldShelving | undefined {
    return this.#held.isUniform || !isKeyGeneration(name) ? undefined : this.#held.of(name)
  }

  /** How long a copy of this key is served at most, in milliseconds. */
  ttlMsOf(storedKey: string): number {
    if (this.#rules.isUniform && this.#held.isUniform) return Number.POSITIVE_INFINITY
    const name = this.#name(storedKey)
    return this.#heldOf(name)?.ttlMs ?? this.#rules.of(name).ttlMs
  }

  /** Whether an entry of this key is kept. */
  keeps(storedKey: string): boolean {
    return this.shelfOf(this.#name(storedKey)).isOn
  }

  /**
   * Gives the names under a prefix a rule of their own, for good.
   * @param onEvict called for each entry that a shelf of their own evicts
   * @returns whether they had none; `undefined` if they have another one
   */
  claim(prefix: string, rule: LocalRule, onEvict: () => void): boolean | undefined {
    const own = this.#rules.rule(prefix)
    if (own !== undefined) return idOf(own) === idOf(rule) ? false : undefined
    this.#rules.add(prefix, rule, (bounds) => this.#newShelf(bounds, onEvict))
    return true
  }

  /**
   * Makes room for the values under a prefix that stay in this process, for good.
   * @returns whether there was none; `undefined` if there is another one
   */
  hold(prefix: string, rule: HeldRule): boolean | undefined {
    const own = this.#held.own(prefix)
    const id = JSON.stringify([rule.maxEntries, rule.ttlMs])
    if (own !== undefined) return own.id === id && own.owner === rule.owner ? false : undefined
    const { maxEntries, onEvict, onGone, owner, ttlMs } = rule
    const bounds = { maxEntries, maxBytes: Number.MAX_SAFE_INTEGER }
    const parts = { rootPrefix: this.#rootPrefix, bounds, removals: this.#removals, onEvict, onGone }
    this.#held.set(prefix, { shelf: new LocalShelf(parts), ttlMs, id, owner })
    return true
  }

  /** As {@link peek}, by the stored key. */
  peekStored(storedKey: string): LocalEntry | undefined {
    return this.peek(this.#name(storedKey))
  }

  storedKeyOf(name: string): string {
    return this.#rootPrefix + name
  }

  /** Puts a value that stays in this process in the place of any other. */
  putHeld(storedKey: string, entry: LocalEntry): boolean {
    const name = this.#name(storedKey)
    return this.shelfOf(name).put(name, entry, 0)
  }

  /**
   * The entry of a key, even if it is stale, invalid or of an older epoch. Does not change the order of eviction.
   * @param name the stored key without the root prefix
   */
  peek(name: string): LocalEntry | undefined {
    return this.shelfOf(name).peek(name)
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
    const name = this.#name(storedKey)
    const isKept = this.shelfOf(name).put(name, entry, bytes)
    if (isKept && this.#onKeep !== undefined && entry.stamp !== undefined)
      this.#onKeep(storedKey, entry.stamp)
    return true
  }

  /** Ends a read whose result is not kept. */
  forget(storedKey: string, read: object): void {
    this.#reads.end(storedKey, read)
  }

  /** Drops the local entry, since a read did not find it valid: it must not be served even if the source fails. */
  drop(storedKey: string, reason?: DisposeReason): void {
    const name = this.#name(storedKey)
    this.shelfOf(name).delete(name, reason)
  }

  /** A value that stays in this process is not dropped: its generation may only have been prolonged. */
  invalidated(storedKey: string): void {
    this.#reads.touched(storedKey)
    if (this.#held.isUniform || !isKeyGeneration(storedKey)) this.drop(storedKey)
  }

  writeBegan(storedKey: string): void {
    this.#reads.writeBegan(storedKey)
    this.drop(storedKey)
  }

  writeSettled(storedKey: string): void {
    this.drop(storedKey)
    this.#reads.writeSettled(storedKey)
  }

  removing(matches: (storedKey: string) => boolean): void {
    this.#reads.touchedWhere(matches)
    if (this.#shelves.some(({ usage }) => usage.entries > 0)) this.#removals.add(matches)
  }

  epochBegan(): void {
    this.#epoch++
    this.#reads.touchedAll()
  }

  clear(): void {
    this.epochBegan()
    for (const shelf of this.#shelves) shelf.clear()
  }

  #name(storedKey: string): string {
    return storedKey.slice(this.#rootPrefix.length)
  }
}

/** A text that tells a rule from others. */
function idOf(rule: LocalRule): string {
  return rule === false
    ? 'none'
    : JSON.stringify([rule.bounds, rule.ttlMs === Number.POSITIVE_INFINITY ? 'ever' : rule.ttlMs])
}
