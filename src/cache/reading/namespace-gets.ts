import type { HitTier } from '../../contract/cache-events.ts'
import { assertCacheKey, isCacheKey } from '../../foundation/cache-key.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import { localOf } from '../core/read-your-writes.ts'
import { ABSENT, type Judgement, judgementFor, missReasonOf } from '../entries/judgement.ts'
import { copyTtlOf, isPassedBy } from '../freshness/copy-age.ts'
import { isTooOld, maxAgeOf, servableAsReadTo } from '../freshness/max-age.ts'
import { NO_TAGS } from '../freshness/policies.ts'
import { servableAsRead } from '../freshness/servable.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { FirstRead } from '../loading/load-request.ts'
import { handOut } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { type CachedEntry, cachedEntry } from './cached-entry.ts'
import type { GetEntryOptions } from './get-options.ts'
import type { LocalHits } from './local-hits.ts'
import { PendingRead } from './pending-read.ts'
import type { Answers, Question } from './waiting-caller.ts'

/** The parts of {@link NamespaceGets}. */
export interface NamespaceGetsParts {
  readonly core: CacheCore
  readonly monitor: Monitor
  readonly space: KeySpace
}

/** Reads the entries of one namespace for callers that have no loader. */
export class NamespaceGets {
  readonly #core: CacheCore
  readonly #monitor: Monitor
  readonly #space: KeySpace
  readonly #hits: LocalHits

  /** @param hits the local hits of the same namespace */
  constructor({ core, monitor, space }: NamespaceGetsParts, hits: LocalHits) {
    this.#core = core
    this.#monitor = monitor
    this.#space = space
    this.#hits = hits
  }

  /**
   * The value in Redis. A failure is reported, and absorbed if the failure mode says so.
   * @param isPastLag whether the result must reflect every invalidation, by any process, that Redis acknowledged before
   * this call
   * @param maxAgeMs the age beyond which the value is a miss
   */
  read<T>(key: string, isPastLag: boolean, maxAgeMs?: number): Promise<T | undefined> {
    if (isCacheKey(key) && this.#core.changes.current === undefined && !this.#space.isHeld) {
      const storedKey = this.#space.storedKey(key)
      const generationKeys = this.#core.generationKeys(this.#space, storedKey)
      const outer = this.#core.inheritances.current
      const question: Question = { key, storedKey, generationKeys, maxAgeMs, outer }
      if (this.#core.tier.isClearFor(question.storedKey)) {
        const reading = isPastLag
          ? PendingRead.pastLag(this.#core, question, this.#getAnswers)
          : PendingRead.of(this.#core, question, this.#getAnswers)
        return reading as Promise<T | undefined>
      }
    }
    return this.#getAfterGate<T>(key, isPastLag, maxAgeMs)
  }

  /** As {@link read}, for an invalid key, within a change, or if the tier is not clear for the key (`isClearFor`). */
  #getAfterGate<T>(key: string, isPastLag: boolean, maxAgeMs: number | undefined): Promise<T | undefined> {
    return this.#monitor.absorb('get', key, undefined, async () => {
      assertCacheKey(key)
      const outer = this.#core.inheritances.current
      return this.#counted<T>({ key, maxAgeMs, outer }, this.#judgedInRedis(key, isPastLag))
    })
  }

  /** How a pending read answers a `get`. */
  readonly #getAnswers: Answers<Question, unknown> = {
    fresh: (question, entry, nowMs) => this.sharedHit(question, entry, nowMs),
    other: (question, read) =>
      this.#monitor.absorb('get', question.key, undefined, () => this.#getJudged<unknown>(question, read)),
  }

  /** @throws CacheError */
  #getJudged<T>(question: Question, read: FirstRead): Promise<T | undefined> {
    const judging = async () => judgementFor(await read.judged(), question)
    return this.#counted<T>(question, judging())
  }

  async #counted<T>(
    asked: Pick<Question, 'key' | 'maxAgeMs' | 'outer'>,
    judging: Promise<Judgement>,
  ): Promise<T | undefined> {
    const judgement = await judging.catch((error) => this.#unavailable(asked, error))
    const entry = this.#freshIn(judgement, asked.maxAgeMs)
    if (entry !== undefined) return this.sharedHit<T>(asked, entry, this.#core.clock.monotonicMs())
    this.#monitor.miss(asked.key, missReasonOf(judgement))
    return undefined
  }

  /** The caller gets `undefined`, as for a miss. If it is a loader, nothing vouches for what it makes of that. */
  #unavailable({ key, outer }: Pick<Question, 'key' | 'outer'>, error: unknown): never {
    this.#monitor.miss(key, 'unavailable')
    outer?.refuse('unavailable', this.#space.namePrefix + key)
    throw error
  }

  /** Counts and hands out an entry that was read from Redis. */
  sharedHit<T>({ key, outer }: Pick<Question, 'key' | 'outer'>, entry: LocalEntry, nowMs: number): T {
    this.#monitor.sharedHit(key, nowMs, entry.loadCostMs)
    outer?.add(entry, this.#space.namePrefix + key)
    return handOut<T>(entry)
  }

  /** The fresh entry, or a stale one if that is wanted; `undefined` for a miss. @throws CacheError */
  async entry<T>(key: string, options: GetEntryOptions): Promise<CachedEntry<T> | undefined> {
    assertCacheKey(key)
    const asked = localOf(options, this.#core.tier)
    const isPastLag = asked === false
    const maxAgeMs = maxAgeOf(options.maxAge)
    const copyTtlMs = copyTtlOf(asked)
    const outer = this.#core.inheritances.current
    const local = isPastLag ? undefined : this.#hits.fresh(key, NO_TAGS)
    const isTooLong = local !== undefined && isPassedBy(local, this.#hits.hitAtMs, copyTtlMs)
    if (local !== undefined && !isTooLong && !isTooOld(local, this.#hits.hitAtMs, maxAgeMs)) {
      this.#hits.count(key, local)
      return this.#described<T>(local, 'hit', 'local')
    }
    const judgement = await this.#judgedInRedis(key, isPastLag).catch((error) =>
      this.#unavailable({ key, outer }, error),
    )
    const entry = judgement.state === 'usable' ? judgement.entry : undefined
    const nowMs = this.#core.clock.monotonicMs()
    const how = entry === undefined ? 'no' : servableAsReadTo(maxAgeMs, entry, nowMs)
    if (entry !== undefined && how === 'fresh') {
      this.#monitor.sharedHit(key, nowMs, entry.loadCostMs)
      outer?.add(entry, this.#space.namePrefix + key)
      return this.#described<T>(entry, 'hit', 'shared')
    }
    if (entry !== undefined && how !== 'no' && options.stale === true) {
      this.#monitor.staleServe(key, how === 'error' ? 'error' : 'revalidate')
      outer?.add(entry, this.#space.namePrefix + key)
      return this.#described<T>(entry, 'stale', 'shared')
    }
    this.#monitor.miss(key, missReasonOf(judgement))
    return undefined
  }

  #described<T>(entry: LocalEntry, status: 'hit' | 'stale', tier: HitTier): CachedEntry<T> {
    const nowMs = this.#core.clock.monotonicMs()
    return cachedEntry(entry, handOut<T>(entry), { status, tier, space: this.#space, nowMs })
  }

  /** The seconds for which the entry that is found stays fresh; `undefined` for none. @throws CacheError */
  async ttl(key: string, finding: Promise<LocalEntry | undefined>): Promise<number | undefined> {
    const { clock, tier } = this.#core
    const entry = await finding
    if (entry === undefined) return undefined
    if (!entry.isPlain) return (entry.freshUntilMs - clock.monotonicMs()) / 1_000
    const ttlMs = await tier.ttlMs(this.#space.storedKey(key))
    return ttlMs === undefined ? undefined : ttlMs / 1_000
  }

  /** The fresh entry with a value, from the local tier or from Redis. @throws CacheError */
  async freshEntry(key: string): Promise<LocalEntry | undefined> {
    assertCacheKey(key)
    const entry = this.#hits.fresh(key, NO_TAGS) ?? this.#freshIn(await this.#judgedInRedis(key, false))
    return entry?.value === undefined ? undefined : entry
  }

  /** Within a change, the cache is out of the way. */
  async #judgedInRedis(key: string, isPastLag: boolean): Promise<Judgement> {
    if (this.#core.changes.current !== undefined) return ABSENT
    const storedKey = this.#space.storedKey(key)
    const wants = { generationKeys: this.#core.generationKeys(this.#space, storedKey) }
    return this.#core.reader.read(storedKey, wants, isPastLag)
  }

  #freshIn(judgement: Judgement, maxAgeMs?: number): LocalEntry | undefined {
    if (judgement.state !== 'usable') return undefined
    const { entry } = judgement
    const nowMs = this.#core.clock.monotonicMs()
    const isFresh = servableAsRead(entry, nowMs) === 'fresh' && !isTooOld(entry, nowMs, maxAgeMs)
    return isFresh ? entry : undefined
  }
}
