import { CacheError } from '../../foundation/cache-error.ts'
import { assertCacheKey, isCacheKey } from '../../foundation/cache-key.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { isAccepted } from '../entries/acceptance.ts'
import type { EarlierRead } from '../entries/earlier-read.ts'
import {
  checkedTags,
  type GetOrSetOptions,
  isBounded,
  NO_TAGS,
  type Policies,
  resolvePolicies,
} from '../freshness/policies.ts'
import { Sampler } from '../freshness/sampler.ts'
import type { KeySpace } from '../keys/key-space.ts'
import type { Flights } from '../loading/flights.ts'
import type { Loader } from '../loading/load-context.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { SingleFlight } from '../loading/single-flight.ts'
import { handOut } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { ShadowVerification } from '../monitoring/shadow-verification.ts'
import { type Answers, PendingRead, type Question } from './pending-read.ts'

/** What a {@link NamespaceReads} is made of. */
export interface NamespaceReadsParts {
  readonly core: CacheCore
  readonly flights: Flights
  readonly reads: SingleFlight
  readonly verification: ShadowVerification
  readonly space: KeySpace
  readonly policies: Policies
}

/** What a lookup may be asked beside the options of `getOrSet`. */
export type ReadExtras = Pick<LoadRequest, 'accepts' | 'shared' | 'replaces'>

/** Whether a fresh entry is to be loaded anew, and whether it is to be verified. */
interface Due {
  readonly isDue: boolean
  readonly isSampled: boolean
}

/** Finds the entries of one namespace: in this process, in Redis, or by loading them. */
export class NamespaceReads {
  readonly #core: CacheCore
  readonly #flights: Flights
  readonly #reads: SingleFlight
  readonly #verification: ShadowVerification
  readonly #space: KeySpace
  readonly #policies: Policies
  readonly #sampler: Sampler
  /** What the names in the local tier begin with: nothing, or the namespace. */
  readonly #localPrefix: string
  readonly #isRoot: boolean
  /** When the last hit was found. */
  #hitMs = 0

  constructor({ core, flights, policies, reads, space, verification }: NamespaceReadsParts) {
    this.#core = core
    this.#flights = flights
    this.#reads = reads
    this.#verification = verification
    this.#space = space
    this.#policies = policies
    this.#sampler = new Sampler(policies.verifySample, core.random)
    this.#localPrefix = space.namePrefix
    this.#isRoot = space.namePrefix === ''
  }

  /** What is kept locally and may be served now. */
  fresh(key: string, tags: readonly string[] | undefined): LocalEntry | undefined {
    const name = this.#nameOf(key)
    const { local } = this.#core
    const entry = local.peek(name)
    if (entry === undefined) return undefined
    const nowMs = this.#core.hitClock.monotonicMs()
    if (nowMs >= entry.servableUntilMs || !this.#core.isCoherent(entry, nowMs)) return undefined
    if (!this.#bears(entry, tags)) return undefined
    local.used(name, entry, nowMs)
    this.#hitMs = nowMs
    return entry
  }

  /** The name of a key in the local tier; even to put nothing before it would cost a hit a twentieth of its time. */
  #nameOf(key: string): string {
    return this.#isRoot ? key : this.#localPrefix + key
  }

  /** Whether an entry depends on this namespace and on these tags; a plain value depends on nothing. */
  #bears(entry: LocalEntry, tags: readonly string[] | undefined): boolean {
    return entry.answersTo(this.#space, tags)
  }

  /** Hands out what {@link fresh} has just found. */
  serve<T>(key: string, entry: LocalEntry): Promise<T> {
    this.hit(key)
    return entry.handOut<T>()
  }

  /** Counts and tells what {@link fresh} has just found. */
  hit(key: string): void {
    const { metrics, policy } = this.#core
    metrics.localHit(this.#hitMs)
    if (policy.events.has('hit')) policy.events.emit('hit', { key })
  }

  /** What is kept locally, or what Redis has, or what the loader brings. */
  getOrSet<T>(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions | undefined,
    extras?: ReadExtras,
  ): Promise<T> {
    // A key under which something is kept has been looked at before.
    if (typeof key === 'string') {
      const entry = this.fresh(key, options?.tags)
      if (entry !== undefined && !options?.signal?.aborted) {
        const due = this.dueFor(entry, options?.earlyRefresh)
        if (due !== undefined) this.attend(entry, due, () => this.request(key, loader, options, extras))
        return this.serve<T>(key, entry)
      }
    }
    return this.getOrLoad(key, loader, options, extras)
  }

  /** What is due for what {@link fresh} has just found: nothing, as a rule. */
  dueFor(entry: LocalEntry, early: GetOrSetOptions['earlyRefresh']): Due | undefined {
    return this.#due(entry, early === undefined ? this.#policies.earlyBeta : early ? early.beta : 0)
  }

  #due(entry: LocalEntry, beta: number): Due | undefined {
    const isDue = beta !== 0 && entry.wantsEarlyRefresh(beta, this.#hitMs, this.#core.random)
    const isSampled = this.#sampler.takes()
    return isDue || isSampled ? { isDue, isSampled } : undefined
  }

  /** Begins what is due for a fresh entry. */
  attend(entry: LocalEntry, { isDue, isSampled }: Due, request: () => LoadRequest): void {
    const { background } = this.#core
    try {
      if (isDue) this.#reads.refreshEarly(request(), entry)
      if (isSampled) this.#verification.verify(request(), entry)
    } catch (error) {
      background.failed(isDue ? 'refresh' : 'verify', undefined, error)
    }
  }

  /** The way of a `getOrSet` that the local tier cannot answer with a fresh value. */
  getOrLoad<T>(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions = {},
    extras?: ReadExtras,
  ): Promise<T> {
    try {
      const request = this.request(key, loader, options, extras)
      options.signal?.throwIfAborted()
      const stale = extras?.replaces === undefined ? this.#servableStale(request, options.tags) : undefined
      if (stale !== undefined) return stale.handOut<T>()
      // Who may go before the answer has come is looked after by a flight.
      const isPatient = options.signal === undefined && !isBounded(request.policies)
      if (!isPatient || !PendingRead.isEnough(this.#core, this.#flights, request))
        return this.#load<T>(request, options.signal)
      request.shared?.expect(request.storedKey)
      return PendingRead.at(this.#core, request, this.#loads) as Promise<T>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** What is kept locally past its time to live, and may be served while it is loaded anew. */
  #servableStale(request: LoadRequest, tags: readonly string[] | undefined): LocalEntry | undefined {
    const { clock, metrics, policy } = this.#core
    const stale = this.#core.local.peek(this.#nameOf(request.key))
    if (stale === undefined) return undefined
    const nowMs = clock.monotonicMs()
    if (!stale.isStaleServable(nowMs) || !this.#core.isCoherent(stale, nowMs)) return undefined
    if (!this.#bears(stale, tags) || !isAccepted(stale.value, request.accepts)) return undefined
    if (nowMs >= stale.leasedUntilMs) this.#reads.refresh(request)
    metrics.add('staleServes', 1, nowMs)
    policy.events.emit('stale', { key: request.key, reason: 'revalidate' })
    return stale
  }

  async #load<T>(request: LoadRequest, signal: AbortSignal | undefined, earlier?: EarlierRead): Promise<T> {
    const { entry, value } = await this.#reads.getOrLoad<T>(request, signal, earlier)
    if (entry !== undefined && this.#sampler.takes()) this.#verification.verify(request, entry)
    return value
  }

  /** What becomes of a glance for a `getOrSet`. */
  readonly #loads: Answers<LoadRequest, unknown> = {
    fresh: (request, entry, nowMs) => {
      request.shared?.decided(request.storedKey)
      this.#hitMs = nowMs
      const due = this.#due(entry, request.policies.earlyBeta)
      if (due !== undefined) this.attend(entry, due, () => request)
      return this.#sharedHit(request.key, entry, nowMs)
    },
    other: async (request, found) => {
      const { local } = this.#core
      const flights = this.#flights
      const { shared, storedKey } = request
      const flight = flights.get(storedKey)
      try {
        const loading = this.#load(request, undefined, found)
        // A flight of others tells nothing to this load.
        if (flight !== undefined && flights.get(storedKey) === flight) shared?.decided(storedKey)
        return await loading
      } finally {
        local.forget(storedKey, found)
      }
    },
  }

  #sharedHit<T>(key: string, entry: LocalEntry, nowMs: number): T {
    const { metrics, policy } = this.#core
    metrics.sharedHit(nowMs)
    if (policy.events.has('hit')) policy.events.emit('hit', { key })
    return handOut<T>(entry)
  }

  /** Loads, whatever is there. */
  async refresh<T>(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions,
    extras?: ReadExtras,
  ): Promise<T> {
    const request = this.request(key, loader, options, { ...extras, replaces: 'any' })
    return (await this.#reads.reload<T>(request, options.signal)).value
  }

  /** @throws CacheError for what is wrong with the arguments */
  request(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions = {},
    extras?: ReadExtras,
  ): LoadRequest {
    assertCacheKey(key)
    if (typeof loader !== 'function') {
      throw new CacheError('CACHE_INVALID_ARGUMENT', `The loader must be a function, not a ${typeof loader}`)
    }
    return {
      space: this.#space,
      key,
      storedKey: this.#space.storedKey(key),
      generationKeys: this.#space.generationKeysWith(checkedTags(options.tags)),
      policies: resolvePolicies(options, this.#policies),
      loader,
      accepts: extras?.accepts,
      shared: extras?.shared,
      replaces: extras?.replaces,
    }
  }

  /**
   * The value in Redis; failures are told, and absorbed where that is wanted.
   * @param isPastLag whether it is to be read now, however lately another caller has asked: news of a change may lag
   */
  read<T>(key: string, isPastLag: boolean): Promise<T | undefined> {
    if (isCacheKey(key)) {
      const { generationKeys } = this.#space
      const question = { key, storedKey: this.#space.storedKey(key), generationKeys }
      if (PendingRead.isEnough(this.#core, this.#flights, question)) {
        const glancing = isPastLag
          ? PendingRead.anew(this.#core, question, this.#gets)
          : PendingRead.at(this.#core, question, this.#gets)
        return glancing as Promise<T | undefined>
      }
    }
    return this.#core.policy.absorb('get', key, undefined, () => this.#read<T>(key, undefined))
  }

  /** What becomes of a glance for a `get`. */
  readonly #gets: Answers<Question, unknown> = {
    fresh: ({ key }, entry, nowMs) => this.#sharedHit(key, entry, nowMs),
    other: ({ key }, found) => this.#core.policy.absorb('get', key, undefined, () => this.#read(key, found)),
  }

  /** @throws CacheError */
  async #read<T>(key: string, earlier: EarlierRead | undefined): Promise<T | undefined> {
    assertCacheKey(key)
    const { clock, metrics, policy } = this.#core
    const entry = await this.#entryInRedis(key, earlier).catch((error) => {
      metrics.add('misses', 1, clock.monotonicMs())
      throw error
    })
    if (entry !== undefined) return this.#sharedHit<T>(key, entry, clock.monotonicMs())
    metrics.add('misses', 1, clock.monotonicMs())
    if (policy.events.has('miss')) policy.events.emit('miss', { key, reason: 'absent' })
    return undefined
  }

  /** Seconds that the value stays fresh; `undefined` where there is none. @throws CacheError */
  async ttl(key: string): Promise<number | undefined> {
    const { clock, tier } = this.#core
    const entry = await this.freshEntry(key)
    if (entry === undefined) return undefined
    if (!entry.isPlain) return (entry.freshUntilMs - clock.monotonicMs()) / 1_000
    const ttlMs = await tier.ttlMs(this.#space.storedKey(key))
    return ttlMs === undefined ? undefined : ttlMs / 1_000
  }

  /** The fresh entry, wherever it is. @throws CacheError */
  async freshEntry(key: string): Promise<LocalEntry | undefined> {
    assertCacheKey(key)
    return this.fresh(key, NO_TAGS) ?? (await this.#entryInRedis(key))
  }

  async #entryInRedis(key: string, earlier?: EarlierRead): Promise<LocalEntry | undefined> {
    const { reader } = this.#core
    const { generationKeys } = this.#space
    const storedKey = this.#space.storedKey(key)
    const judgement = await (earlier === undefined
      ? reader.read(storedKey, generationKeys)
      : reader.judge(storedKey, generationKeys, undefined, earlier))
    if (judgement.state !== 'usable') return undefined
    return this.#core.clock.monotonicMs() < judgement.entry.freshUntilMs ? judgement.entry : undefined
  }
}
