import { LRUCache } from 'lru-cache'
import type { EntryMeta } from '../codec/entry-meta.ts'
import type { KnownGeneration } from './generations.ts'
import { handOut, type IsolatedValue } from './isolation.ts'
import type { KeySpace } from './key-space.ts'

/** What an entry costs beside its encoded size: map slot, list links, objects. An estimate. */
const ENTRY_OVERHEAD_BYTES = 200

/** Times of a {@link LocalEntry}. */
export interface LocalTimes {
  readonly freshUntilMs: number
  /** Until when this copy may be served where nobody tells of changes. */
  readonly keptUntilMs: number
  readonly leasedUntilMs: number
}

/** A decoded value that may be served without a round trip. Times are of this process's monotonic clock. */
export class LocalEntry {
  readonly isolated: IsolatedValue
  /** What every caller gets, where all get the same. */
  readonly answer: Promise<unknown> | undefined
  /** `undefined` for a plain value. */
  readonly meta: EntryMeta | undefined
  /** When it is no longer fresh. */
  readonly freshUntilMs: number
  /** Until when this copy may be served: as long as it is fresh, or as news of a change may be missed. */
  readonly servableUntilMs: number
  /** Until when somebody may be loading a newer one. */
  readonly leasedUntilMs: number
  readonly generations: readonly KnownGeneration[]
  /** Stored keys of these generations, in the same order. */
  readonly generationKeys: readonly string[]
  readonly epoch: number
  readonly #keptUntilMs: number
  #space: KeySpace | undefined
  #isOfSpace = false
  #tags: readonly string[] = []

  constructor(
    isolated: IsolatedValue,
    meta: EntryMeta | undefined,
    { freshUntilMs, keptUntilMs, leasedUntilMs }: LocalTimes,
    generations: readonly KnownGeneration[],
    epoch: number,
  ) {
    this.isolated = isolated
    this.answer = isolated.isCloned ? undefined : Promise.resolve(isolated.value)
    this.meta = meta
    this.freshUntilMs = freshUntilMs
    this.#keptUntilMs = keptUntilMs
    this.servableUntilMs = Math.min(freshUntilMs, keptUntilMs)
    this.leasedUntilMs = leasedUntilMs
    this.generations = generations
    this.generationKeys = meta?.generations.map(({ storedKey }) => storedKey) ?? []
    this.epoch = epoch
  }

  /** Whether no generation it depends on has been renewed, as far as is known here. */
  get isValid(): boolean {
    for (const generation of this.generations) if (!generation.isLive) return false
    return true
  }

  /** Whether nothing is known against it, though it may not be known to be valid. */
  get isUnrefuted(): boolean {
    for (const generation of this.generations) if (generation.isDead) return false
    return true
  }

  /** Until when it may be served while a new one is loaded. */
  get staleWhileRevalidateUntilMs(): number {
    return this.freshUntilMs + (this.meta?.staleWhileRevalidateMs ?? 0)
  }

  /** Whether this copy may be served while a new one is loaded, without asking whether there is a newer one. */
  isStaleServable(nowMs: number): boolean {
    return nowMs < this.#keptUntilMs && nowMs < this.staleWhileRevalidateUntilMs
  }

  /** Until when it may be served where its source fails. */
  get staleIfErrorUntilMs(): number {
    return this.freshUntilMs + (this.meta?.staleIfErrorMs ?? 0)
  }

  /** Whether it depends on a namespace, and bears these tags of it. */
  bearsAll(space: KeySpace, tags: readonly string[] | undefined): boolean {
    if (this.#space !== space) this.#lookAt(space)
    if (!this.#isOfSpace) return false
    if (tags === undefined) return true
    for (const tag of tags) if (!this.#tags.includes(tag)) return false
    return true
  }

  /** Entries are asked for through one namespace as a rule, so what it means there is worked out once. */
  #lookAt(space: KeySpace): void {
    this.#space = space
    this.#isOfSpace = this.dependsOn(space.generationKeys)
    this.#tags = this.tagsOf(space)
  }

  /** The tags of a namespace that it bears. */
  tagsOf(space: KeySpace): readonly string[] {
    const tagPrefix = space.tagKey('')
    return this.generationKeys
      .filter((key) => key.startsWith(tagPrefix))
      .map((key) => key.slice(tagPrefix.length))
  }

  /** Whether the renewal of each of these generations would end it. */
  dependsOn(generationKeys: readonly string[]): boolean {
    for (const generationKey of generationKeys) if (!this.generationKeys.includes(generationKey)) return false
    return true
  }

  handOut<T>(): Promise<T> {
    return (this.answer ?? Promise.resolve(handOut(this.isolated))) as Promise<T>
  }
}

/** Bounds of the {@link LocalTier}. */
export interface LocalBounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

/**
 * Decoded values in this process. Which of them may be served follows from what Redis (or the bus) tells:
 *
 * - Only the reply to a read enters it, never what was written (L1); and only if nothing was heard of the key between
 *   the question and the answer. The question leaves an object in `#pending`, which whatever touches the key removes,
 *   and which the answer must find there **itself** (L2).
 * - While an own write of a key is under way, what is read of it is not kept (L3).
 * - A lost connection or channel begins a new epoch (L5). Entries of an older one stay, to be served where the
 *   source fails and their policy allows it.
 */
export class LocalTier {
  readonly #entries: LRUCache<string, LocalEntry> | undefined
  readonly #rootPrefix: string
  readonly #pending = new Map<string, object>()
  readonly #writing = new Map<string, number>()
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
   * Also an entry that is stale, invalid or of an older epoch.
   * @param name the stored key without the root prefix
   */
  get(name: string): LocalEntry | undefined {
    return this.#entries?.get(name)
  }

  /** Called before a key is read; the object stands for that read. */
  expect(storedKey: string): object {
    const pending = {}
    if (!this.#writing.has(storedKey)) this.#pending.set(storedKey, pending)
    return pending
  }

  /** Whether nothing has happened to the key since it was asked for. */
  isExpected(storedKey: string, pending: object): boolean {
    return this.#pending.get(storedKey) === pending
  }

  /** Keeps what was read, where nothing has happened to the key since it was asked for. */
  keep(storedKey: string, pending: object, entry: LocalEntry, bytes: number): boolean {
    if (this.#pending.get(storedKey) !== pending) return false
    this.#pending.delete(storedKey)
    this.#entries?.set(this.#name(storedKey), entry, {
      size: ENTRY_OVERHEAD_BYTES + 2 * storedKey.length + bytes,
    })
    return true
  }

  /** Nothing came of a read. */
  forget(storedKey: string, pending: object): void {
    if (this.#pending.get(storedKey) === pending) this.#pending.delete(storedKey)
  }

  /** The key may have been changed, by anybody. */
  invalidated(storedKey: string): void {
    this.#pending.delete(storedKey)
    this.#entries?.delete(this.#name(storedKey))
  }

  writeBegan(storedKey: string): void {
    this.#writing.set(storedKey, (this.#writing.get(storedKey) ?? 0) + 1)
    this.invalidated(storedKey)
  }

  writeSettled(storedKey: string): void {
    this.invalidated(storedKey)
    const left = (this.#writing.get(storedKey) ?? 1) - 1
    if (left === 0) this.#writing.delete(storedKey)
    else this.#writing.set(storedKey, left)
  }

  /** Drops what matches, kept or being read. */
  invalidatedWhere(matches: (storedKey: string) => boolean): void {
    for (const storedKey of this.#pending.keys()) if (matches(storedKey)) this.#pending.delete(storedKey)
    if (this.#entries === undefined) return
    for (const name of [...this.#entries.keys()])
      if (matches(this.#rootPrefix + name)) this.#entries.delete(name)
  }

  epochBegan(): void {
    this.#epoch++
    this.#pending.clear()
  }

  clear(): void {
    this.epochBegan()
    this.#entries?.clear()
  }

  #name(storedKey: string): string {
    return storedKey.slice(this.#rootPrefix.length)
  }
}
