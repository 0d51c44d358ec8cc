import { assertCacheKey } from '../../foundation/cache-key.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { kindOf } from '../../foundation/errors/shown-value.ts'
import type { KnownOptions } from '../../foundation/option-checks.ts'
import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import { isAccepted } from '../entries/acceptance.ts'
import type { Flights } from '../flights/flights.ts'
import type { SingleFlight } from '../flights/single-flight.ts'
import { isTooOldFor, maxAgeOf } from '../freshness/max-age.ts'
import { checkedTags, isBounded, type Policies, resolvePolicies } from '../freshness/policies.ts'
import { CALL_OPTIONS, type GetOrSetOptions } from '../freshness/policy-options.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { Loader } from '../loading/load-context.ts'
import type { FirstRead, LoadRequest } from '../loading/load-request.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { ShadowVerification } from '../monitoring/shadow-verification.ts'
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
      const isServed =
        entry !== undefined &&
        !options?.signal?.aborted &&
        !isTooOldFor(entry, this.hits.hitAtMs, options?.maxAge)
      if (isServed) {
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
    const stale = this.hits.stale(request.key, tags, request.maxAgeMs)
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
      return this.gets.sharedHit(request.key, entry, nowMs)
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
      maxAgeMs: maxAgeOf(options.maxAge),
      loader,
      accepts: extras?.accepts,
      shared: extras?.shared,
      signal,
      calledAtMs: isPatient ? undefined : this.#core.clock.monotonicMs(),
      replaces: extras?.replaces,
    }
  }
}
