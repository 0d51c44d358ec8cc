import { CacheError } from '../foundation/cache-error.ts'
import { assertCacheKey } from '../foundation/cache-key.ts'
import type { CacheCore } from './cache-core.ts'
import { handOut } from './isolation.ts'
import type { KeySpace } from './key-space.ts'
import type { Loader } from './load-context.ts'
import { isAccepted, type LoadRequest } from './load-request.ts'
import type { LocalEntry } from './local-entry.ts'
import { checkedTags, type GetOrSetOptions, type Policies, resolvePolicies } from './policies.ts'
import type { ReadThrough } from './read-through.ts'
import { Sampler } from './sampler.ts'
import type { Verification } from './verification.ts'

export const NO_TAGS: readonly string[] = []

/** What a {@link Lookup} is made of. */
export interface LookupParts {
  readonly core: CacheCore
  readonly reads: ReadThrough
  readonly verification: Verification
  readonly space: KeySpace
  readonly policies: Policies
}

/** What a lookup may be asked beside the options of `getOrSet`. */
export type LookupExtras = Pick<LoadRequest, 'accepts' | 'shared' | 'replaces'>

/** Whether a fresh entry is to be loaded anew, and whether it is to be verified. */
interface Due {
  readonly isDue: boolean
  readonly isSampled: boolean
}

/** Finds the entries of one namespace: in this process, in Redis, or by loading them. */
export class Lookup {
  readonly #core: CacheCore
  readonly #reads: ReadThrough
  readonly #verification: Verification
  readonly #space: KeySpace
  readonly #policies: Policies
  readonly #sampler: Sampler
  /** What the names in the local tier begin with: nothing, or the namespace. */
  readonly #localPrefix: string
  /** When the last hit was found. */
  #hitMs = 0

  constructor({ core, policies, reads, space, verification }: LookupParts) {
    this.#core = core
    this.#reads = reads
    this.#verification = verification
    this.#space = space
    this.#policies = policies
    this.#sampler = new Sampler(policies.verifySample, core.random)
    this.#localPrefix = space.namePrefix
  }

  /** What is kept locally and may be served now. */
  fresh(key: string, tags: readonly string[] | undefined): LocalEntry | undefined {
    const entry = this.#core.local.get(this.#localPrefix + key)
    if (entry === undefined) return undefined
    const nowMs = this.#core.hitClock.monotonicMs()
    if (nowMs >= entry.servableUntilMs || !this.#core.isCoherent(entry, nowMs)) return undefined
    if (!this.#bears(entry, tags)) return undefined
    this.#hitMs = nowMs
    return entry
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
    const { counts, policy } = this.#core
    counts.localHit(this.#hitMs)
    if (policy.events.has('hit')) policy.events.emit('hit', { key })
  }

  /** What is kept locally, or what Redis has, or what the loader brings. */
  getOrSet<T>(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions | undefined,
    extras?: LookupExtras,
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
    const beta = early === undefined ? this.#policies.earlyBeta : early ? early.beta : 0
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
  async getOrLoad<T>(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions = {},
    extras?: LookupExtras,
  ): Promise<T> {
    const request = this.request(key, loader, options, extras)
    options.signal?.throwIfAborted()
    const stale = request.replaces === undefined ? this.#core.localEntry(request.storedKey) : undefined
    const nowMs = this.#core.clock.monotonicMs()
    if (
      stale?.isStaleServable(nowMs) &&
      this.#core.isCoherent(stale, nowMs) &&
      this.#bears(stale, options.tags) &&
      isAccepted(stale, request)
    ) {
      if (nowMs >= stale.leasedUntilMs) this.#reads.refresh(request)
      this.#core.counts.add('staleServes', 1, nowMs)
      this.#core.policy.events.emit('stale', { key, reason: 'revalidate' })
      return stale.handOut<T>()
    }
    const { entry, value } = await this.#reads.getOrLoad<T>(request, options.signal)
    if (entry !== undefined && this.#sampler.takes()) this.#verification.verify(request, entry)
    return value
  }

  /** Loads, whatever is there. */
  async refresh<T>(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions,
    extras?: LookupExtras,
  ): Promise<T> {
    const request = this.request(key, loader, options, { ...extras, replaces: 'any' })
    return (await this.#reads.reload<T>(request, options.signal)).value
  }

  /** @throws CacheError for what is wrong with the arguments */
  request(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions = {},
    extras?: LookupExtras,
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
      ...extras,
    }
  }

  /** The value in Redis. @throws CacheError */
  async read<T>(key: string): Promise<T | undefined> {
    assertCacheKey(key)
    const { clock, counts, policy } = this.#core
    const entry = await this.#entryInRedis(key).catch((error) => {
      counts.add('misses', 1, clock.monotonicMs())
      throw error
    })
    if (entry === undefined) {
      counts.add('misses', 1, clock.monotonicMs())
      if (policy.events.has('miss')) policy.events.emit('miss', { key, reason: 'absent' })
      return undefined
    }
    counts.add('sharedHits', 1, clock.monotonicMs())
    if (policy.events.has('hit')) policy.events.emit('hit', { key })
    return handOut<T>(entry.isolated)
  }

  /** Seconds that the value stays fresh; `undefined` where there is none. @throws CacheError */
  async ttl(key: string): Promise<number | undefined> {
    const { clock, tier } = this.#core
    const entry = await this.freshEntry(key)
    if (entry === undefined) return undefined
    if (entry.meta !== undefined) return (entry.freshUntilMs - clock.monotonicMs()) / 1_000
    const ttlMs = await tier.ttlMs(this.#space.storedKey(key))
    return ttlMs === undefined ? undefined : ttlMs / 1_000
  }

  /** The fresh entry, wherever it is. @throws CacheError */
  async freshEntry(key: string): Promise<LocalEntry | undefined> {
    assertCacheKey(key)
    return this.fresh(key, NO_TAGS) ?? (await this.#entryInRedis(key))
  }

  async #entryInRedis(key: string): Promise<LocalEntry | undefined> {
    const judgement = await this.#core.reader.read(this.#space.storedKey(key), this.#space.generationKeys)
    if (judgement.state !== 'usable') return undefined
    return this.#core.clock.monotonicMs() < judgement.entry.freshUntilMs ? judgement.entry : undefined
  }
}
