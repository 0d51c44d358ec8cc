import { assertCacheKey, isCacheKey } from '../../foundation/cache-key.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { kindOf } from '../../foundation/errors/shown-value.ts'
import type { KnownOptions } from '../../foundation/option-checks.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import { isAccepted } from '../entries/acceptance.ts'
import { type Judgement, judgementFor, missReasonOf } from '../entries/judgement.ts'
import type { Flights } from '../flights/flights.ts'
import type { SingleFlight } from '../flights/single-flight.ts'
import {
  CALL_OPTIONS,
  checkedTags,
  type GetOrSetOptions,
  isBounded,
  NO_TAGS,
  type Policies,
  resolvePolicies,
} from '../freshness/policies.ts'
import { servableAsRead } from '../freshness/servable.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { Loader } from '../loading/load-context.ts'
import type { FirstRead, LoadRequest } from '../loading/load-request.ts'
import { handOut } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { ShadowVerification } from '../monitoring/shadow-verification.ts'
import { type FollowUp, HitFollowUps } from './hit-follow-ups.ts'
import { LocalHits } from './local-hits.ts'
import { PendingRead } from './pending-read.ts'
import type { SlowReads } from './slow-reads.ts'
import type { Answers, Question } from './waiting-caller.ts'

/** The parts of {@link NamespaceReads}. */
export interface NamespaceReadsParts {
  readonly core: CacheCore
  readonly flights: Flights
  readonly reads: SingleFlight
  readonly slowReads: SlowReads
  readonly verification: ShadowVerification
  readonly monitor: Monitor
  readonly space: KeySpace
  readonly policies: Policies
}

/** Settings of a read beyond the options of `getOrSet`. */
export type ReadExtras = Pick<LoadRequest, 'accepts' | 'shared' | 'replaces'>

/** Reads the entries of one namespace: from the local tier, from Redis, or by loading them. */
export class NamespaceReads {
  readonly hits: LocalHits
  readonly followUps: HitFollowUps
  readonly #core: CacheCore
  readonly #flights: Flights
  readonly #loads: SingleFlight
  readonly #slowReads: SlowReads
  readonly #monitor: Monitor
  readonly #space: KeySpace
  readonly #policies: Policies

  constructor(parts: NamespaceReadsParts) {
    const { core, flights, monitor, policies, reads, slowReads, space } = parts
    this.#core = core
    this.#monitor = monitor
    this.#flights = flights
    this.#loads = reads
    this.#slowReads = slowReads
    this.#space = space
    this.#policies = policies
    this.hits = new LocalHits(core, space, monitor)
    this.followUps = new HitFollowUps(parts)
  }

  /** The value in the local tier, or the one in Redis, or what the loader returns. */
  getOrSet<T>(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions | undefined,
    extras?: ReadExtras,
  ): Promise<T> {
    // A key that has an entry was validated before.
    if (typeof key === 'string') {
      const entry = this.hits.fresh(key, options?.tags)
      if (entry !== undefined && !options?.signal?.aborted) {
        const followUp = this.followUps.of(entry, options?.earlyRefresh, this.hits.hitAtMs)
        if (followUp !== undefined) this.#followUp(entry, followUp, key, loader, options, extras)
        return this.hits.serve<T>(key, entry)
      }
    }
    return this.getOrLoad(key, loader, options, extras)
  }

  /** A closure in {@link getOrSet} itself would cost every hit an allocation. */
  #followUp(entry: LocalEntry, followUp: FollowUp, ...call: Parameters<NamespaceReads['request']>): void {
    this.followUps.start(entry, followUp, () => this.request(...call))
  }

  /** As {@link getOrSet}, for a key without a fresh entry in the local tier. */
  getOrLoad<T>(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions = {},
    extras?: ReadExtras,
  ): Promise<T> {
    try {
      const request = this.request(key, loader, options, extras)
      request.signal?.throwIfAborted()
      const stale = extras?.replaces === undefined ? this.#staleFor(request, options.tags) : undefined
      if (stale !== undefined) return stale.handOut<T>()
      const { storedKey } = request
      if (this.#flights.has(storedKey) || !this.#core.tier.isClearFor(storedKey)) {
        return this.#load<T>(request)
      }
      request.shared?.expect(storedKey)
      return PendingRead.of(this.#core, request, this.#getOrSetAnswers) as Promise<T>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The expired local entry, if it may be served meanwhile. Starts the load of a new value, if no lease is held. */
  #staleFor(request: LoadRequest, tags: readonly string[] | undefined): LocalEntry | undefined {
    const stale = this.hits.stale(request.key, tags)
    if (stale === undefined || !isAccepted(stale.value, request.accepts)) return undefined
    if (this.#core.clock.monotonicMs() >= stale.leasedUntilMs) this.#loads.refresh(request)
    this.#monitor.staleServe(request.key, 'revalidate')
    return stale
  }

  async #load<T>(request: LoadRequest, first?: FirstRead): Promise<T> {
    const { entry, value } = await this.#loads.getOrLoad<T>(request, first)
    if (entry !== undefined) this.followUps.afterFlight(entry, request)
    return value
  }

  /** How a pending read answers a `getOrSet`. */
  readonly #getOrSetAnswers: Answers<LoadRequest, unknown> = {
    fresh: (request, entry, nowMs, caller) => {
      request.shared?.decided(request.storedKey)
      request.signal?.throwIfAborted()
      const followUp = this.followUps.ofBeta(entry, request.policies.earlyBeta, nowMs)
      if (followUp !== undefined) {
        caller.runInAsyncScope(() => this.followUps.startFor(entry, followUp, request))
      }
      return this.#sharedHit(request.key, entry, nowMs)
    },
    other: (request, read) => {
      const { shared, signal, storedKey } = request
      // A caller whose signal has aborted starts no flight, so no flight reports a decision to its batch.
      if (signal?.aborted) shared?.decided(storedKey)
      const flight = this.#flights.get(storedKey)
      const loading = this.#load(request, read)
      // This caller joined a flight that another caller started, and which does not report to this batch.
      if (flight !== undefined && this.#flights.get(storedKey) === flight) shared?.decided(storedKey)
      return loading
    },
    // If the read is slow, a caller with a signal or a timeout goes on to a flight, which honours them.
    waits: ({ calledAtMs, policies }, caller) => {
      if (calledAtMs === undefined) return
      this.#slowReads.watch(caller, calledAtMs, Math.min(policies.softTimeoutMs, policies.hardTimeoutMs))
    },
    answered: ({ calledAtMs }, caller) => {
      if (calledAtMs !== undefined) this.#slowReads.answered(caller)
    },
  }

  #sharedHit<T>(key: string, entry: LocalEntry, nowMs: number): T {
    this.#monitor.sharedHit(key, nowMs)
    return handOut<T>(entry)
  }

  /** Loads the value anew, whatever the cache holds. */
  async refresh<T>(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions,
    extras?: ReadExtras,
  ): Promise<T> {
    const request = this.request(key, loader, options, { ...extras, replaces: 'any' })
    return (await this.#loads.reload<T>(request)).value
  }

  /** As {@link CallChecks.check}. */
  checkOptions(options: unknown, known: KnownOptions): void {
    this.#core.calls.check(options, known)
  }

  /** @throws CacheError if an argument is invalid */
  request(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions = {},
    extras?: ReadExtras,
  ): LoadRequest {
    assertCacheKey(key)
    if (typeof loader !== 'function') {
      throw new CacheError('CACHE_INVALID_ARGUMENT', `The loader must be a function, not ${kindOf(loader)}`)
    }
    this.checkOptions(options, CALL_OPTIONS)
    const { signal } = options
    const policies = resolvePolicies(options, this.#policies)
    const isPatient = signal === undefined && !isBounded(policies)
    const storedKey = this.#space.storedKey(key)
    return {
      space: this.#space,
      monitor: this.#monitor,
      key,
      storedKey,
      generationKeys: this.#core.generationKeys(this.#space, storedKey, checkedTags(options.tags)),
      policies,
      loader,
      accepts: extras?.accepts,
      shared: extras?.shared,
      signal,
      calledAtMs: isPatient ? undefined : this.#core.clock.monotonicMs(),
      replaces: extras?.replaces,
    }
  }

  /**
   * The value in Redis. A failure is reported, and absorbed if the failure mode says so.
   * @param isPastLag whether the result must reflect every invalidation, by any process, that Redis acknowledged before
   * this call
   */
  read<T>(key: string, isPastLag: boolean): Promise<T | undefined> {
    if (isCacheKey(key)) {
      const storedKey = this.#space.storedKey(key)
      const question = { key, storedKey, generationKeys: this.#core.generationKeys(this.#space, storedKey) }
      if (this.#core.tier.isClearFor(question.storedKey)) {
        const reading = isPastLag
          ? PendingRead.pastLag(this.#core, question, this.#getAnswers)
          : PendingRead.of(this.#core, question, this.#getAnswers)
        return reading as Promise<T | undefined>
      }
    }
    return this.#getAfterGate<T>(key, isPastLag)
  }

  /** As {@link read}, for an invalid key, or if the tier is not clear for the key (`isClearFor`). */
  #getAfterGate<T>(key: string, isPastLag: boolean): Promise<T | undefined> {
    return this.#monitor.absorb('get', key, undefined, async () => {
      assertCacheKey(key)
      return this.#counted<T>(key, this.#judgedInRedis(key, isPastLag))
    })
  }

  /** How a pending read answers a `get`. */
  readonly #getAnswers: Answers<Question, unknown> = {
    fresh: ({ key }, entry, nowMs) => this.#sharedHit(key, entry, nowMs),
    other: (question, read) =>
      this.#monitor.absorb('get', question.key, undefined, () => this.#getJudged<unknown>(question, read)),
  }

  /** @throws CacheError */
  #getJudged<T>(question: Question, read: FirstRead): Promise<T | undefined> {
    const judging = async () => judgementFor(await read.judged(), question)
    return this.#counted<T>(question.key, judging())
  }

  async #counted<T>(key: string, judging: Promise<Judgement>): Promise<T | undefined> {
    const judgement = await judging.catch((error) => {
      this.#monitor.miss(key, 'unavailable')
      throw error
    })
    const entry = this.#freshIn(judgement)
    if (entry !== undefined) return this.#sharedHit<T>(key, entry, this.#core.clock.monotonicMs())
    this.#monitor.miss(key, missReasonOf(judgement))
    return undefined
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

  /** The fresh entry, from the local tier or from Redis. @throws CacheError */
  async freshEntry(key: string): Promise<LocalEntry | undefined> {
    assertCacheKey(key)
    return this.hits.fresh(key, NO_TAGS) ?? this.#freshIn(await this.#judgedInRedis(key, false))
  }

  #judgedInRedis(key: string, isPastLag: boolean): Promise<Judgement> {
    const storedKey = this.#space.storedKey(key)
    const wants = { generationKeys: this.#core.generationKeys(this.#space, storedKey) }
    return this.#core.reader.read(storedKey, wants, isPastLag)
  }

  #freshIn(judgement: Judgement): LocalEntry | undefined {
    if (judgement.state !== 'usable') return undefined
    const { entry } = judgement
    return servableAsRead(entry, this.#core.clock.monotonicMs()) === 'fresh' ? entry : undefined
  }
}
