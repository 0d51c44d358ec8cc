import { LRUCache } from 'lru-cache'
import { RAW } from '../../backend/seams/read-outcome.ts'
import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import { type BoundGeneration, GENERATION_BYTES } from '../../codec/envelope/entry-meta.ts'
import type { Clock } from '../../foundation/clock.ts'
import { isReserved } from '../../foundation/reserved-keys.ts'
import type { ChangeListener } from '../keys/change-listener.ts'
import { CoalescedCalls } from '../keys/coalesced-calls.ts'
import { PendingReads } from '../keys/pending-reads.ts'
import { type GenerationSet, SharedGenerationSets } from './generation-set.ts'
import { InvalidationLog } from './invalidation-log.ts'
import { KnownGeneration } from './known-generation.ts'

/** Most generations that are known at a time, and most whose time to live is remembered. */
const MOST_GENERATIONS = 50_000
const SHORTEST_TTL_MS = 30 * 86_400_000
/** Where entries never expire. */
const LONGEST_TTL_MS = 400 * 86_400_000

/** Stands for one read of a generation. */
interface PendingGeneration {
  /** A moment of the log before it was sent. */
  readonly askedAt: number
}

/** A generation whose time to live this process has seen to. */
interface Renewal {
  readonly atMs: number
  readonly ttlMs: number
}

const countsOne = () => 1

/**
 * The generations of tags and namespaces: what this process knows of them, and how it learns more.
 *
 * - A **fetch** reads a generation. There may be none: what is bound to it is then invalid.
 * - A **capture** reads one before a load or a write that is to be bound to it, and creates it where there is none (G2).
 *
 * Callers share a fetch or a capture that is under way, unless the generation was invalidated since it was sent.
 */
export class GenerationTable implements ChangeListener {
  readonly #tier: SharedTier
  readonly #clock: Clock
  readonly #log = new InvalidationLog()
  readonly #sets = new SharedGenerationSets()
  readonly #known: LRUCache<string, KnownGeneration>
  readonly #pending = new PendingReads<PendingGeneration>()
  readonly #fetches = new CoalescedCalls<KnownGeneration | undefined>()
  readonly #captures = new CoalescedCalls<string>()
  readonly #renewals = new LRUCache<string, Renewal>({
    maxSize: MOST_GENERATIONS,
    sizeCalculation: countsOne,
  })
  #ttlMs = SHORTEST_TTL_MS

  constructor(tier: SharedTier, clock: Clock) {
    this.#tier = tier
    this.#clock = clock
    this.#known = new LRUCache({
      // Bounded by size: with `max`, lru-cache would allocate all of it at once.
      maxSize: MOST_GENERATIONS,
      sizeCalculation: countsOne,
      // Whoever holds it would not be told of the next invalidation.
      dispose: (known) => {
        known.isLive = false
        known.isDead = true
      },
    })
  }

  /** The present moment, as {@link wasInvalidatedSince} understands it. */
  get now(): number {
    return this.#log.now
  }

  /** Time to live of a generation, in milliseconds: twice that of the longest entry met so far (G4). */
  get ttlMs(): number {
    return this.#ttlMs
  }

  /** The current generation, as far as this process knows; `undefined` where it does not. */
  known(storedKey: string): KnownGeneration | undefined {
    return this.#believed(this.#known.get(storedKey))
  }

  /** As {@link known}, without an effect on the order of eviction. */
  peek(storedKey: string): KnownGeneration | undefined {
    return this.#believed(this.#known.peek(storedKey))
  }

  #believed(known: KnownGeneration | undefined): KnownGeneration | undefined {
    if (!known?.isLive) return undefined
    if (known.believedUntilMs === Number.POSITIVE_INFINITY) return known
    return this.#clock.monotonicMs() < known.believedUntilMs ? known : undefined
  }

  /** The set of these generations, if all of them are known here to be the current ones. */
  resolve(bound: readonly BoundGeneration[]): GenerationSet | undefined {
    const all: KnownGeneration[] = []
    for (const { generation, storedKey } of bound) {
      const known = this.known(storedKey)
      if (known?.generation !== generation) return undefined
      all.push(known)
    }
    return this.#sets.of(bound, all)
  }

  /** The set of these generations, of which `known` was found out, in the same order. */
  setOf(bound: readonly BoundGeneration[], known: readonly KnownGeneration[]): GenerationSet {
    return this.#sets.of(bound, known)
  }

  /**
   * Reads a generation; `undefined` where there is none. One round trip.
   * @throws CacheError where it cannot be read
   */
  fetch(storedKey: string): Promise<KnownGeneration | undefined> {
    return this.#fetches.join(storedKey, () => this.#fetch(storedKey))
  }

  /** As {@link fetch}, and never shares a read that was sent before. */
  fetchAnew(storedKey: string): Promise<KnownGeneration | undefined> {
    this.#fetches.forget(storedKey)
    return this.fetch(storedKey)
  }

  /**
   * Reads those that are not known, in one tick; whoever needs one of them joins its read. Never rejects: a failure is
   * told to those who join. `undefined` where all are known.
   */
  fetchAll(storedKeys: readonly string[]): Promise<unknown> | undefined {
    let fetching: Promise<unknown>[] | undefined
    for (const storedKey of storedKeys) {
      if (this.known(storedKey) !== undefined) continue
      fetching ??= []
      fetching.push(this.fetch(storedKey).catch(() => {}))
    }
    return fetching && Promise.all(fetching)
  }

  async #fetch(storedKey: string): Promise<KnownGeneration | undefined> {
    const pending = this.#expect(storedKey)
    try {
      const bytes = await this.#tier.read(storedKey, RAW)
      if (bytes?.length !== GENERATION_BYTES) return undefined
      return this.#learn(storedKey, pending, bytes.toString('latin1'))
    } finally {
      this.#pending.end(storedKey, pending)
    }
  }

  /**
   * The generations that an entry is to be bound to: as this process knows them, else as the server has them, created
   * there where it has none. One round trip for those that are not known.
   * @param entryTtlMs how long the entry may be stored
   * @throws CacheError
   */
  capture(storedKeys: readonly string[], entryTtlMs: number): Promise<readonly BoundGeneration[]> {
    this.#ttlMs = Math.min(Math.max(this.#ttlMs, 2 * entryTtlMs), LONGEST_TTL_MS)
    return Promise.all(storedKeys.map((storedKey) => this.#captureOne(storedKey)))
  }

  async #captureOne(storedKey: string): Promise<BoundGeneration> {
    const known = this.known(storedKey)
    if (known === undefined) return { storedKey, generation: await this.#sendCapture(storedKey) }
    // Redis is seldom asked for one that is known, and would let it expire. Nobody waits for its renewal.
    if (!this.#isRenewed(storedKey)) this.#sendCapture(storedKey).catch(() => {})
    return { storedKey, generation: known.generation }
  }

  #sendCapture(storedKey: string): Promise<string> {
    return this.#captures.join(storedKey, async () => {
      const pending = this.#expect(storedKey)
      const ttlMs = this.#ttlMs
      this.#renewals.set(storedKey, { atMs: this.#clock.monotonicMs(), ttlMs })
      try {
        const generation = await this.#tier.capture(storedKey, ttlMs)
        this.#learn(storedKey, pending, generation)
        return generation
      } catch (error) {
        this.#renewals.delete(storedKey)
        throw error
      } finally {
        this.#pending.end(storedKey, pending)
      }
    })
  }

  /** Whether this process has seen to it that the generation outlives the entries that are bound to it. */
  #isRenewed(storedKey: string): boolean {
    const renewal = this.#renewals.get(storedKey)
    if (renewal === undefined || renewal.ttlMs < this.#ttlMs) return false
    return this.#clock.monotonicMs() - renewal.atMs < renewal.ttlMs / 4
  }

  #expect(storedKey: string): PendingGeneration {
    return this.#pending.begin(storedKey, { askedAt: this.#log.now })
  }

  /**
   * Takes in what was read. It is believed only if nothing happened to the generation since the read was sent.
   *
   * Whatever is handed out stays in the table, live or not, so that it hears of the next invalidation: a generation
   * that is read again is the same object again.
   */
  #learn(storedKey: string, pending: PendingGeneration, generation: string): KnownGeneration {
    const { askedAt } = pending
    const isCurrent = this.#pending.end(storedKey, pending)
    const before = this.#known.get(storedKey)
    if (before?.generation === generation) {
      if (isCurrent) this.#believe(before, askedAt)
      return before
    }
    const learned = new KnownGeneration(generation, this.#log.advance(), askedAt)
    if (!isCurrent && (before?.isLive || this.#log.heardSince(storedKey, askedAt))) {
      learned.isDead = true
      return learned
    }
    if (isCurrent) this.#believe(learned, askedAt)
    this.#known.set(storedKey, learned)
    return learned
  }

  #believe(known: KnownGeneration, askedAt: number): void {
    // Every confirmation is a moment of its own, so that later reads are told from earlier ones.
    const moment = this.#log.advance()
    if (!known.isLive) known.learnedAt = moment
    known.isLive = true
    known.confirmedAt = Math.max(known.confirmedAt, askedAt)
    const { localTtlMs } = this.#tier
    known.believedUntilMs =
      localTtlMs === Number.POSITIVE_INFINITY ? localTtlMs : this.#clock.monotonicMs() + localTtlMs
  }

  /** Whether the generation was invalidated after that moment; `true` where this process cannot tell. */
  wasInvalidatedSince(storedKey: string, moment: number): boolean {
    return this.#log.mayHaveBeenSince(storedKey, moment)
  }

  invalidated(storedKey: string): void {
    this.#pending.touched(storedKey)
    this.#forgetCalls(storedKey)
    this.#known.delete(storedKey)
    // Also where it is not known: it may be that it is being read.
    if (isReserved(storedKey)) this.#log.invalidated(storedKey)
  }

  writeBegan(storedKey: string): void {
    this.#pending.writeBegan(storedKey)
    this.invalidated(storedKey)
  }

  writeSettled(storedKey: string): void {
    this.invalidated(storedKey)
    this.#pending.writeSettled(storedKey)
  }

  /** A removal by pattern spares generations. */
  removing(): void {}

  epochBegan(): void {
    this.#log.epochBegan()
    this.#pending.touchedAll()
    this.#fetches.forgetAll()
    this.#captures.forgetAll()
    for (const known of this.#known.values()) known.isLive = false
  }

  #forgetCalls(storedKey: string): void {
    this.#fetches.forget(storedKey)
    this.#captures.forget(storedKey)
  }
}
