import { assertCacheKey } from '../../foundation/cache-key.ts'
import type { KnownOptions } from '../../foundation/option-checks.ts'
import { checkedHook } from '../core/background.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import { localOf } from '../core/read-your-writes.ts'
import { isAccepted } from '../entries/acceptance.ts'
import type { Flights } from '../flights/flights.ts'
import type { SingleFlight } from '../flights/single-flight.ts'
import { copyTtlOf } from '../freshness/copy-age.ts'
import { maxAgeOf } from '../freshness/max-age.ts'
import { checkedTags, isBounded, type Policies, resolvePolicies } from '../freshness/policies.ts'
import { CALL_OPTIONS, type GetOrSetOptions } from '../freshness/policy-options.ts'
import { handOver } from '../inheritance/hand-over.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { Loader } from '../loading/load-context.ts'
import type { FirstRead, LoadRequest } from '../loading/load-request.ts'
import { assertLoader } from '../loading/loader-call.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { ShadowVerification } from '../monitoring/shadow-verification.ts'
import { answeredEntry, type CachedEntry, cachedEntry } from './cached-entry.ts'
import { type FollowUp, HitFollowUps } from './hit-follow-ups.ts'
import { LocalHits } from './local-hits.ts'
import { NamespaceGets } from './namespace-gets.ts'
import { PendingRead } from './pending-read.ts'
import type { SlowReads } from './slow-reads.ts'
import type { Answers } from './waiting-caller.ts'

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

/** What a read answers with: values alone, or entries. */
interface Form {
  readonly stale: (entry: LocalEntry) => Promise<unknown>
  readonly load: (request: LoadRequest, first?: FirstRead) => Promise<unknown>
  readonly answers: Answers<LoadRequest, unknown>
}

/** Reads the entries of one namespace: from the local tier, from Redis, or by loading them. */
export class NamespaceReads {
  readonly hits: LocalHits
  readonly gets: NamespaceGets
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
    this.gets = new NamespaceGets(parts, this.hits)
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
      if (entry !== undefined && (options === undefined || this.hits.isGoodFor(entry, options))) {
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
    options?: GetOrSetOptions,
    extras?: ReadExtras,
  ): Promise<T> {
    return this.#begin(this.#values, key, loader, options, extras) as Promise<T>
  }

  /** As {@link getOrSet}, with what is known of the value. */
  async getOrSetEntry<T>(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions = {},
    extras?: ReadExtras,
  ): Promise<CachedEntry<T>> {
    const entry = this.localHit(key, options)
    const isServed = entry !== undefined && isAccepted(entry.value, extras?.accepts)
    if (!isServed) return this.getOrLoadEntry<T>(key, loader, options, extras)
    return this.serveEntry<T>(entry, await entry.handOut<T>(), [key, loader, options, extras])
  }

  /** The local entry, if a call with these options is served it as fresh. */
  localHit(key: string, options: GetOrSetOptions): LocalEntry | undefined {
    const entry = typeof key === 'string' ? this.hits.fresh(key, options.tags) : undefined
    return entry !== undefined && this.hits.isGoodFor(entry, options) ? entry : undefined
  }

  /** Counts a local hit, does what follows it, and describes it. @param call the call that it answers */
  serveEntry<T>(entry: LocalEntry, value: T, call: Parameters<NamespaceReads['request']>): CachedEntry<T> {
    const [key, , options] = call
    const nowMs = this.#core.clock.monotonicMs()
    const followUp = this.followUps.of(entry, options?.earlyRefresh, nowMs)
    if (followUp !== undefined) this.#followUp(entry, followUp, ...call)
    this.hits.count(key, entry, nowMs)
    return cachedEntry(entry, value, { status: 'hit', tier: 'local', space: this.#space, nowMs })
  }

  /** As {@link getOrSetEntry}, for a key without a fresh entry in the local tier. */
  getOrLoadEntry<T>(...call: Parameters<NamespaceReads['request']>): Promise<CachedEntry<T>> {
    return this.#begin(this.#entries, ...call) as Promise<CachedEntry<T>>
  }

  #begin(
    form: Form,
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions = {},
    extras?: ReadExtras,
  ): Promise<unknown> {
    try {
      const request = this.request(key, loader, options, extras)
      request.signal?.throwIfAborted()
      if (request.isPast) return form.load(request)
      const stale = extras?.replaces === undefined ? this.#staleFor(request, options.tags) : undefined
      if (stale !== undefined) return form.stale(stale)
      const { since, storedKey } = request
      const mayJoin = since === undefined && this.#flights.has(storedKey)
      if (mayJoin || this.#space.isHeld || !this.#core.tier.isClearFor(storedKey)) return form.load(request)
      request.shared?.expect(storedKey)
      return since === undefined
        ? PendingRead.of(this.#core, request, form.answers)
        : PendingRead.pastLag(this.#core, request, form.answers)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The expired local entry, if it may be served meanwhile. Starts the load of a new value, if no lease is held. */
  #staleFor(request: LoadRequest, tags: readonly string[] | undefined): LocalEntry | undefined {
    const stale = this.hits.stale(request.key, tags, request)
    if (stale === undefined || !isAccepted(stale.value, request.accepts)) return undefined
    this.#loads.revalidate(request, stale)
    this.#monitor.staleServe(request.key, 'revalidate')
    handOver(request, stale)
    return stale
  }

  async #load<T>(request: LoadRequest, first?: FirstRead): Promise<T> {
    const { entry, value } = await this.#loads.getOrLoad<T>(request, first)
    if (entry !== undefined) this.followUps.afterFlight(entry, request)
    return value
  }

  async #loadEntry(request: LoadRequest, first?: FirstRead): Promise<CachedEntry> {
    const answer = await this.#loads.getOrLoad<unknown>(request, first)
    if (answer.entry !== undefined) this.followUps.afterFlight(answer.entry, request)
    return answeredEntry(answer, this.#space, this.#core.clock.monotonicMs())
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
      return this.gets.sharedHit(request, entry, nowMs)
    },
    other: (request, read) => this.#loadAfter(request, read, this.#values),
    // If the read is slow, a caller with a signal or a timeout goes on to a flight, which honours them.
    waits: ({ calledAtMs, policies }, caller) => {
      if (calledAtMs === undefined) return
      this.#slowReads.watch(caller, calledAtMs, Math.min(policies.softTimeoutMs, policies.hardTimeoutMs))
    },
    answered: ({ calledAtMs }, caller) => {
      if (calledAtMs !== undefined) this.#slowReads.answered(caller)
    },
  }

  #loadAfter(request: LoadRequest, read: FirstRead, form: Form): Promise<unknown> {
    const { shared, signal, storedKey } = request
    // A caller whose signal has aborted starts no flight, so no flight reports a decision to its batch.
    if (signal?.aborted) shared?.decided(storedKey)
    const flight = this.#flights.get(storedKey)
    const loading = form.load(request, read)
    // This caller joined a flight that another caller started, and which does not report to this batch.
    if (flight !== undefined && this.#flights.get(storedKey) === flight) shared?.decided(storedKey)
    return loading
  }

  readonly #values: Form = {
    stale: (entry) => entry.handOut(),
    load: (request, first) => this.#load(request, first),
    answers: this.#getOrSetAnswers,
  }

  readonly #entries: Form = {
    stale: async (entry) => {
      const nowMs = this.#core.clock.monotonicMs()
      const place = { status: 'stale', tier: 'local', space: this.#space, nowMs } as const
      return cachedEntry(entry, await entry.handOut(), place)
    },
    load: (request, first) => this.#loadEntry(request, first),
    answers: {
      ...this.#getOrSetAnswers,
      fresh: (request, entry, nowMs, caller) => {
        const value = this.#getOrSetAnswers.fresh(request, entry, nowMs, caller)
        return cachedEntry(entry, value, { status: 'hit', tier: 'shared', space: this.#space, nowMs })
      },
      other: (request, read) => this.#loadAfter(request, read, this.#entries),
    },
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
    assertLoader(loader)
    this.checkOptions(options, CALL_OPTIONS)
    const { signal } = options
    const local = localOf(options, this.#core.tier)
    const policies = resolvePolicies(options, this.#policies)
    const storedKey = this.#space.storedKey(key)
    return {
      space: this.#space,
      monitor: this.#monitor,
      key,
      storedKey,
      generationKeys: this.#core.generationKeys(this.#space, storedKey, checkedTags(options.tags)),
      policies,
      maxAgeMs: maxAgeOf(options.maxAge),
      copyTtlMs: copyTtlOf(local),
      since: local === false ? this.#core.generations.mark() : undefined,
      loader,
      accepts: extras?.accepts,
      shared: extras?.shared,
      outer: this.#core.inheritances.current,
      background: checkedHook(options.background),
      signal,
      calledAtMs: signal || isBounded(policies) ? this.#core.clock.monotonicMs() : undefined,
      replaces: extras?.replaces,
      isPast: this.#core.changes.current !== undefined,
    }
  }
}
