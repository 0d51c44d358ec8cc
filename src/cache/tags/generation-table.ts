import { LRUCache } from 'lru-cache'
import type { SharedTier } from '../../backend/seams/shared-tier.ts'
import type { BoundGeneration } from '../../codec/envelope/entry-meta.ts'
import { type GenerationValue, readGenerationValue } from '../../codec/envelope/generation-value.ts'
import { HELD_GENERATION } from '../../codec/envelope/hold-mark.ts'
import { isReserved } from '../../foundation/reserved-keys.ts'
import type { Clock } from '../../foundation/time/clock.ts'
import type { ChangeListener } from '../keys/change-listener.ts'
import { CoalescedCalls } from '../keys/coalesced-calls.ts'
import { PendingReads } from '../keys/pending-reads.ts'
import { generationTtlMs, SHORTEST_GENERATION_TTL_MS } from './generation-lifetime.ts'
import { type GenerationSet, SharedGenerationSets } from './generation-set.ts'
import { InvalidationLog } from './invalidation-log.ts'
import { KnownGeneration } from './known-generation.ts'

/** The most known generations, and the most whose time to live is remembered. */
const MOST_GENERATIONS = 50_000

/** Identifies one read of a generation; `askedAt` is the moment of the log at which it was sent. */
interface PendingGeneration {
  readonly askedAt: number
}

/** The last capture of a generation by this process. A capture renews the time to live if less than half is left. */
interface Renewal {
  readonly atMs: number
  readonly ttlMs: number
  /** The generation that it found; `undefined` until its reply. */
  generation: string | undefined
}

const countsOne = () => 1

/**
 * The generations of tags and namespaces: what this process knows of them, and how it learns more.
 *
 * - A **fetch** reads a generation. If there is none, the entries that are bound to it are invalid.
 * - A **capture** reads one before a load or a write that will be bound to it, and creates it if there is none (G2).
 *
 * Callers share a fetch or a capture in flight, unless the generation was invalidated since it was sent.
 */
export class GenerationTable implements ChangeListener {
  /** The time to live, in milliseconds, that an invalidation gives a generation at least. */
  readonly shortestTtlMs: number = SHORTEST_GENERATION_TTL_MS
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

  constructor(tier: SharedTier, clock: Clock) {
    this.#tier = tier
    this.#clock = clock
    this.#known = new LRUCache({
      // With `max`, lru-cache would allocate memory for all generations at once.
      maxSize: MOST_GENERATIONS,
      sizeCalculation: countsOne,
      // Sets may still refer to it, but the table no longer marks it when the generation is invalidated.
      dispose: (known) => {
        known.isLive = false
        known.isDead = true
      },
    })
  }

  /** The current moment, for {@link wasInvalidatedSince}. */
  get now(): number {
    return this.#log.now
  }

  /** Begins a moment: what is asked from now on comes after it. */
  mark(): number {
    return this.#log.advance()
  }

  /** The current generation; `undefined` if this process does not know it. */
  known(storedKey: string): KnownGeneration | undefined {
    return this.#believed(this.#known.get(storedKey))
  }

  /** As {@link known}, but does not change the order of eviction. */
  peek(storedKey: string): KnownGeneration | undefined {
    return this.#believed(this.#known.peek(storedKey))
  }

  #believed(known: KnownGeneration | undefined): KnownGeneration | undefined {
    if (!known?.isLive) return undefined
    if (known.believedUntilMs === Number.POSITIVE_INFINITY) return known
    return this.#clock.monotonicMs() < known.believedUntilMs ? known : undefined
  }

  /** The set of these generations, if this process knows that all of them are current or expired, and none replaced. */
  resolve(bound: readonly BoundGeneration[]): GenerationSet | undefined {
    const all: KnownGeneration[] = []
    for (const { generation, storedKey } of bound) {
      const known = this.known(storedKey)
      if (!known?.admits(generation)) return undefined
      all.push(known)
    }
    return this.#sets.of(bound, all)
  }

  /** @param known what this process knows of each, in the same order */
  setOf(bound: readonly BoundGeneration[], known: readonly KnownGeneration[]): GenerationSet {
    return this.#sets.of(bound, known)
  }

  /**
   * Reads a generation, in one round trip; `undefined` if there is none.
   * @throws CacheError if it cannot be read
   */
  fetch(storedKey: string): Promise<KnownGeneration | undefined> {
    return this.#fetches.join(storedKey, () => this.#fetch(storedKey))
  }

  /** As {@link fetch}, but does not join a read that was sent before. */
  fetchAnew(storedKey: string): Promise<KnownGeneration | undefined> {
    this.#fetches.forget(storedKey)
    return this.fetch(storedKey)
  }

  /**
   * Reads the generations that are not known, in one tick. A later {@link fetch} of one of them joins its read, and
   * gets its failure. This promise never rejects; it is `undefined` if all generations are known.
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
      const value = readGenerationValue(await this.#tier.read(storedKey))
      if (value !== undefined) return this.#learn(storedKey, pending, value)
      // It was evicted, and nothing told of it. What is stored from now on needs a new one.
      if (this.#pending.end(storedKey, pending)) this.#known.delete(storedKey)
      return undefined
    } finally {
      this.#pending.end(storedKey, pending)
    }
  }

  /**
   * The generations that an entry will be bound to. Redis is asked, in one round trip, for those that this process does
   * not know, and creates those that do not exist. A generation that a change holds is `HELD_GENERATION`.
   * @param entryTtlMs the time for which the entry may be stored
   * @throws CacheError
   */
  capture(storedKeys: readonly string[], entryTtlMs: number): Promise<readonly BoundGeneration[]> {
    const ttlMs = generationTtlMs(entryTtlMs)
    return Promise.all(storedKeys.map((storedKey) => this.#captureOne(storedKey, ttlMs)))
  }

  async #captureOne(storedKey: string, ttlMs: number): Promise<BoundGeneration> {
    const known = this.known(storedKey)
    if (known === undefined) return { storedKey, generation: await this.#sendCapture(storedKey, ttlMs) }
    const bound = { storedKey, generation: known.generation }
    this.#renew(bound, ttlMs)
    return bound
  }

  /** Makes generations outlive an entry that is bound to them, also if its loader has prolonged it or added a tag. */
  outlive(bound: readonly BoundGeneration[], entryTtlMs: number): void {
    const ttlMs = generationTtlMs(entryTtlMs)
    for (const one of bound) this.#renew(one, ttlMs)
  }

  /** A known generation is seldom read from Redis, and would expire there. Nobody waits for the renewal. */
  #renew(bound: BoundGeneration, ttlMs: number): void {
    if (!this.#isRenewed(bound, ttlMs)) this.#sendCapture(bound.storedKey, ttlMs).catch(() => {})
  }

  #sendCapture(storedKey: string, ttlMs: number): Promise<string> {
    // One in flight may be for entries that expire earlier.
    if ((this.#renewals.get(storedKey)?.ttlMs ?? 0) < ttlMs) this.#captures.forget(storedKey)
    return this.#captures.join(storedKey, async () => {
      const pending = this.#expect(storedKey)
      const renewal: Renewal = { atMs: this.#clock.monotonicMs(), ttlMs, generation: undefined }
      this.#renewals.set(storedKey, renewal)
      try {
        const value = readGenerationValue(await this.#tier.capture(storedKey, ttlMs)) as GenerationValue
        const { generation } = value
        if (generation === HELD_GENERATION) {
          this.#renewals.delete(storedKey)
          return generation
        }
        renewal.generation = generation
        this.#learn(storedKey, pending, value)
        return generation
      } catch (error) {
        this.#renewals.delete(storedKey)
        throw error
      } finally {
        this.#pending.end(storedKey, pending)
      }
    })
  }

  /**
   * Whether this process captured the generation so recently that it outlives the entries that are bound to it. One that
   * has replaced it may have been made by a process whose entries expire earlier.
   */
  #isRenewed({ generation, storedKey }: BoundGeneration, ttlMs: number): boolean {
    const renewal = this.#renewals.get(storedKey)
    if (renewal === undefined || renewal.ttlMs < ttlMs) return false
    if (renewal.generation !== undefined && renewal.generation !== generation) return false
    return this.#clock.monotonicMs() - renewal.atMs < renewal.ttlMs / 8
  }

  #expect(storedKey: string): PendingGeneration {
    return this.#pending.begin(storedKey, { askedAt: this.#log.now })
  }

  /**
   * Records the result of a read. It is believed only if nothing has touched the generation since the read was sent.
   *
   * The returned object stays in the table, unless it is dead, so that the next invalidation marks it. A generation
   * that is read again is the same object again.
   */
  #learn(storedKey: string, pending: PendingGeneration, value: GenerationValue): KnownGeneration {
    const isCurrent = this.#pending.end(storedKey, pending)
    const before = this.#known.get(storedKey)
    if (before?.generation === value.generation) {
      if (isCurrent) this.#believe(before, pending.askedAt)
      return before
    }
    const learned = new KnownGeneration(value, this.#log.advance(), pending.askedAt)
    if (!isCurrent && (before?.isLive || this.#log.heardSince(storedKey, pending.askedAt))) {
      learned.isDead = true
      return learned
    }
    if (isCurrent) this.#believe(learned, pending.askedAt)
    this.#known.set(storedKey, learned)
    return learned
  }

  #believe(known: KnownGeneration, askedAt: number): void {
    // Each confirmation begins a new moment, so that reads after it are distinguished from reads before it.
    const moment = this.#log.advance()
    if (!known.isLive) known.learnedAt = moment
    known.isLive = true
    known.confirmedAt = Math.max(known.confirmedAt, askedAt)
    const { localTtlMs } = this.#tier
    known.believedUntilMs =
      localTtlMs === Number.POSITIVE_INFINITY ? localTtlMs : this.#clock.monotonicMs() + localTtlMs
  }

  /** Whether the generation was invalidated after that moment; `true` if this process cannot tell. */
  wasInvalidatedSince(storedKey: string, moment: number): boolean {
    return this.#log.mayHaveBeenSince(storedKey, moment)
  }

  /** A key of an entry is none of a generation, and takes one look. */
  invalidated(storedKey: string): void {
    if (!isReserved(storedKey)) return
    this.#pending.touched(storedKey)
    this.#fetches.forget(storedKey)
    this.#captures.forget(storedKey)
    this.#known.delete(storedKey)
    // Even if the generation is not known: a read of it may be in flight.
    this.#log.invalidated(storedKey)
  }

  writeBegan(storedKey: string): void {
    if (!isReserved(storedKey)) return
    this.#pending.writeBegan(storedKey)
    this.invalidated(storedKey)
  }

  writeSettled(storedKey: string): void {
    if (!isReserved(storedKey)) return
    this.invalidated(storedKey)
    this.#pending.writeSettled(storedKey)
  }

  /** Does nothing: a removal by pattern spares generations. */
  removing(): void {}

  epochBegan(): void {
    this.#log.epochBegan()
    this.#pending.touchedAll()
    this.#fetches.forgetAll()
    this.#captures.forgetAll()
    for (const known of this.#known.values()) known.isLive = false
  }
}
