import type { InheritRefusal } from '../../contract/cache-events.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { GenerationSet } from '../tags/generation-set.ts'
import type { LateTagKey } from '../tags/late-tags.ts'

/** Why what a loader has read rules out that its value is stored. */
export interface Refusal {
  readonly reason: InheritRefusal
  /** The key that was read, below the prefix of the cache; `undefined` if no single one is the reason. */
  readonly part: string | undefined
}

/** Told of the reads that are made while a loader runs. */
export interface Inheritance {
  /** Whether the load has ended, so that nothing more is inherited. */
  readonly isOver: boolean
  /**
   * The loader is about to get the value of this entry, fresh or stale.
   * @param part the key of the entry, below the prefix of the cache
   */
  add(entry: LocalEntry, part: string): void
  /**
   * The loader is about to get what no entry vouches for.
   * @param depends the generations that it depends on nevertheless
   */
  refuse(reason: InheritRefusal, part: string, depends?: readonly LateTagKey[]): void
}

/**
 * What the entry of one load inherits of the entries that its loader has read: the earliest of each of their times, in
 * milliseconds of the monotonic clock, and their generations.
 */
export class LoadInheritance implements Inheritance {
  bornMs: number = Number.POSITIVE_INFINITY
  freshUntilMs: number = Number.POSITIVE_INFINITY
  staleWhileRevalidateUntilMs: number = Number.POSITIVE_INFINITY
  staleIfErrorUntilMs: number = Number.POSITIVE_INFINITY
  /** The shortest of their stale windows, which an expiry of a tag begins at once. */
  staleWhileRevalidateMs: number = Number.POSITIVE_INFINITY
  staleIfErrorMs: number = Number.POSITIVE_INFINITY
  /** The first reason why the value cannot be stored. */
  refusal: Refusal | undefined
  isOver = false
  readonly #generations = new Map<string, string>()
  readonly #unbound: LateTagKey[] = []
  /** Those whose generations have been taken: most entries of a batch share one. */
  readonly #sets = new Set<GenerationSet>()

  /** The generations that the entries are bound to, by stored key. */
  get generations(): ReadonlyMap<string, string> {
    return this.#generations
  }

  /** All generations that the value depends on, also where it cannot be bound to them. */
  get depends(): readonly LateTagKey[] {
    const bound = Array.from(this.#generations.keys(), (tagKey) => ({ tagKey, isKnown: true }))
    return [...bound, ...this.#unbound]
  }

  add(entry: LocalEntry, part: string): void {
    if (this.isOver) return
    if (entry.isPlain) {
      this.refuse('plain', part)
      return
    }
    const { freshUntilMs, staleIfErrorMs, staleWhileRevalidateMs } = entry
    this.bornMs = Math.min(this.bornMs, entry.bornMs ?? freshUntilMs - entry.ttlMs)
    this.freshUntilMs = Math.min(this.freshUntilMs, freshUntilMs)
    this.staleWhileRevalidateUntilMs = Math.min(
      this.staleWhileRevalidateUntilMs,
      entry.staleWhileRevalidateUntilMs,
    )
    this.staleIfErrorUntilMs = Math.min(this.staleIfErrorUntilMs, freshUntilMs + staleIfErrorMs)
    this.staleWhileRevalidateMs = Math.min(this.staleWhileRevalidateMs, staleWhileRevalidateMs)
    this.staleIfErrorMs = Math.min(this.staleIfErrorMs, staleIfErrorMs)
    if (!this.#sets.has(entry.generationSet)) this.#take(entry.generationSet, part)
  }

  #take(set: GenerationSet, part: string): void {
    this.#sets.add(set)
    for (const { generation, storedKey } of set.bound) {
      const before = this.#generations.get(storedKey)
      if (before === undefined) this.#generations.set(storedKey, generation)
      // One of the two was replaced, so what is made of both is invalid.
      else if (before !== generation) this.refuse('invalidated', part)
    }
  }

  refuse(reason: InheritRefusal, part: string, depends: readonly LateTagKey[] = []): void {
    if (this.isOver) return
    this.refusal ??= { reason, part }
    this.#unbound.push(...depends)
  }
}

/** What the loads of a batch inherit: each of them inherits all that their common loader reads. */
export class BatchInheritance implements Inheritance {
  readonly #loads: readonly Inheritance[]

  constructor(loads: readonly Inheritance[]) {
    this.#loads = loads
  }

  get isOver(): boolean {
    return this.#loads.every(({ isOver }) => isOver)
  }

  add(entry: LocalEntry, part: string): void {
    for (const load of this.#loads) load.add(entry, part)
  }

  refuse(reason: InheritRefusal, part: string, depends?: readonly LateTagKey[]): void {
    for (const load of this.#loads) load.refuse(reason, part, depends)
  }
}
