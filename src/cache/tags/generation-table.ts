import { LRUCache } from 'lru-cache'
import type { BoundGeneration } from '../../codec/envelope/entry-meta.ts'
import type { Clock } from '../../foundation/clock.ts'
import { isReserved } from '../../foundation/reserved-keys.ts'
import { PendingReads } from '../keys/pending-reads.ts'
import { GenerationSet } from './generation-set.ts'
import { KnownGeneration } from './known-generation.ts'

/** Most generations that are known at a time, and most invalidations that are remembered. */
const MOST_GENERATIONS = 50_000

/** Combinations of generations that are shared at a time. */
const MOST_DEPENDENCES = 10_000

/** Bounded by size, so that nothing is allocated before it is used. */
const one = () => 1

/** Stands for one read. */
export interface Pending {
  /** When it was asked for: a count of this process's events. */
  readonly askedAt: number
}

/**
 * The generations of tags and namespaces that were read, until they are known or suspected to have changed.
 *
 * Time is counted in events of this process (`now`), so that it can be said what was invalidated between two of
 * them.
 */
export class GenerationTable {
  readonly #known: LRUCache<string, KnownGeneration>
  readonly #reads = new PendingReads<Pending>()
  readonly #invalidatedAt: LRUCache<string, number>
  readonly #dependences = new Map<string, GenerationSet>()
  readonly #clock: Clock
  readonly #localTtlMs: () => number
  #now = 1
  /** Invalidations up to here are no longer told apart: everything metrics as invalidated. */
  #floor = 0

  /** @param localTtlMs how long a generation may be believed without being told that it is still so */
  constructor(clock: Clock, localTtlMs: () => number) {
    this.#clock = clock
    this.#localTtlMs = localTtlMs
    this.#known = new LRUCache({
      maxSize: MOST_GENERATIONS,
      sizeCalculation: one,
      ttlResolution: 0,
      perf: { now: () => clock.monotonicMs() },
      dispose: (known) => {
        known.isLive = false
        known.isDead = true
      },
    })
    this.#invalidatedAt = new LRUCache({
      maxSize: MOST_GENERATIONS,
      sizeCalculation: one,
      dispose: (at, _storedKey, reason) => {
        if (reason === 'evict') this.#floor = Math.max(this.#floor, at)
      },
    })
  }

  /** The present moment, as {@link wasInvalidatedSince} understands it. */
  get now(): number {
    return this.#now
  }

  known(storedKey: string): KnownGeneration | undefined {
    const generation = this.#known.get(storedKey)
    return generation?.isLive ? generation : undefined
  }

  /** What an entry depends on, if all of it is known here, and still what the entry is bound to. */
  generationSetOf(bound: readonly BoundGeneration[]): GenerationSet | undefined {
    const all: KnownGeneration[] = []
    for (const { generation, storedKey } of bound) {
      const known = this.known(storedKey)
      if (known?.generation !== generation) return undefined
      all.push(known)
    }
    return this.generationSet(bound, all)
  }

  /** The same object for all that are bound to the same generations, of which the same is known. */
  generationSet(bound: readonly BoundGeneration[], generations: readonly KnownGeneration[]): GenerationSet {
    const name = bound.length === 1 ? (bound[0] as BoundGeneration).generation : nameOf(bound)
    const shared = this.#dependences.get(name)
    if (shared?.isOf(generations)) return shared
    if (this.#dependences.size >= MOST_DEPENDENCES) this.#dependences.clear()
    const generationSet = new GenerationSet(bound, generations)
    this.#dependences.set(name, generationSet)
    return generationSet
  }

  /** As {@link known}, and leaves the order of eviction as it is. */
  peek(storedKey: string): KnownGeneration | undefined {
    const generation = this.#known.peek(storedKey)
    return generation?.isLive ? generation : undefined
  }

  /** Called before a generation is read; the object stands for that read. */
  expect(storedKey: string): Pending {
    return this.#reads.begin(storedKey, { askedAt: this.#now })
  }

  /**
   * What was read, kept where nothing has happened to it since it was asked for. Whatever is handed out is told of the
   * next renewal, though it may not be believed any more: so one that is read again stays the same object, and one that
   * came too late stands here as well.
   */
  learn(storedKey: string, pending: Pending, generation: string): KnownGeneration {
    const isCurrent = this.#reads.end(storedKey, pending)
    const before = this.#known.get(storedKey)
    if (before?.generation === generation) {
      if (isCurrent) this.#believe(storedKey, before)
      return before
    }
    const learned = new KnownGeneration(generation, ++this.#now, isCurrent)
    if (isCurrent) this.#believe(storedKey, learned)
    else if (before?.isLive || this.#wasRenewedSince(storedKey, pending.askedAt)) learned.isDead = true
    else this.#keep(storedKey, learned)
    return learned
  }

  #believe(storedKey: string, known: KnownGeneration): void {
    if (!known.isLive) known.learnedAt = ++this.#now
    known.isLive = true
    this.#keep(storedKey, known)
  }

  #keep(storedKey: string, known: KnownGeneration): void {
    const localTtlMs = this.#localTtlMs()
    this.#known.set(storedKey, known, {
      ttl: localTtlMs === Number.POSITIVE_INFINITY ? 0 : localTtlMs,
      start: this.#clock.monotonicMs(),
    })
  }

  /** Nothing came of a read. */
  forget(storedKey: string, pending: Pending): void {
    this.#reads.end(storedKey, pending)
  }

  /** The generation may have been renewed, by anybody. */
  invalidated(storedKey: string): void {
    this.#reads.touched(storedKey)
    this.#known.delete(storedKey)
    // Also where it is not known: it may be that it was being read.
    if (isReserved(storedKey)) this.#invalidatedAt.set(storedKey, ++this.#now)
  }

  writeBegan(storedKey: string): void {
    this.#reads.writeBegan(storedKey)
    this.invalidated(storedKey)
  }

  writeSettled(storedKey: string): void {
    this.invalidated(storedKey)
    this.#reads.writeSettled(storedKey)
  }

  /** Generations are spared by removals. */
  removing(): void {}

  /** Nothing that was read may be believed any more. */
  epochBegan(): void {
    this.#floor = ++this.#now
    this.#reads.touchedAll()
    for (const known of this.#known.values()) known.isLive = false
  }

  /** Whether this process made or heard of an invalidation after that moment; `true` where it cannot tell. */
  wasInvalidatedSince(storedKey: string, moment: number): boolean {
    return this.#floor > moment || this.#wasRenewedSince(storedKey, moment)
  }

  #wasRenewedSince(storedKey: string, moment: number): boolean {
    return (this.#invalidatedAt.peek(storedKey) ?? 0) > moment
  }
}

/** Generations are never used twice, so they name what they are generations of. */
function nameOf(bound: readonly BoundGeneration[]): string {
  let name = ''
  for (const { generation } of bound) name += generation
  return name
}
