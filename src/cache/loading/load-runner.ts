import type { BoundGeneration, EntryMeta } from '../../codec/envelope/entry-meta.ts'
import { isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import { isTagKey } from '../../foundation/reserved-keys.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { lifetimesAt } from '../core/new-lifetimes.ts'
import { newStamp } from '../core/stamp.ts'
import { absenceOf } from '../freshness/entry-lifetimes.ts'
import { assertTagCount } from '../freshness/policies.ts'
import type { LoadInheritance, Refusal } from '../inheritance/inheritance.ts'
import { handOut, NO_VALUE } from '../local/isolation.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { bindLateTags, type LateTag, type LateTagKey } from '../tags/late-tags.ts'
import { FailedLoads, type LoadFailure } from './failed-loads.ts'
import { inheritedKeys, inheritedMeta, keptOf, ownMeta, type StoredMeta } from './inherited-meta.ts'
import type { LoadLease } from './lease.ts'
import { LeasedFill } from './leased-fill.ts'
import { LoadContext } from './load-context.ts'
import type { LoadingFlight, LoadRequest } from './load-request.ts'
import { loaded, type Outcome, RELEASED } from './outcome.ts'
import type { StaleFallback } from './stale-fallback.ts'
import { staleValueOf } from './stale-value.ts'
import type { WaitForGraph } from './wait-for-graph.ts'

/** What a load under a lease requires. All of it exists before the loader begins. */
export interface LeasedLoad {
  readonly lease: LoadLease
  /** The generations that the entry will be bound to. */
  readonly bound: readonly BoundGeneration[]
  readonly serverNowMs: number
  /** When the lease was asked for, in milliseconds of the monotonic clock: `serverNowMs` came later. */
  readonly askedAtMs: number
}

/** Where the generations of a loaded entry come from: captured, named by its loader, those of a confirmed stale value. */
interface LoadedGenerations {
  readonly bound: readonly BoundGeneration[]
  readonly late: readonly BoundGeneration[]
  readonly kept: readonly BoundGeneration[]
}

/** The result of a loader. */
interface Loaded {
  readonly value: unknown
  readonly context: LoadContext
  readonly durationMs: number
  /** The generations of the stale value if the loader confirmed it, else empty. */
  readonly kept: readonly BoundGeneration[]
  /** What its entry inherits; `undefined` if it inherits nothing. */
  readonly inherited: LoadInheritance | undefined
}

/**
 * Runs loaders. Stores their results only under the token of a lease, and bound to generations that were captured
 * before the loader began.
 */
export class LoadRunner {
  /** What becomes of those that fail. */
  readonly failed: FailedLoads
  readonly #core: CacheCore
  readonly #fallback: StaleFallback
  readonly #fill: LeasedFill
  readonly #waits: WaitForGraph

  constructor(core: CacheCore, fallback: StaleFallback, waits: WaitForGraph) {
    this.#core = core
    this.#fallback = fallback
    this.#waits = waits
    this.#fill = new LeasedFill(core)
    this.failed = new FailedLoads(core)
  }

  /** Whether a loader of this key is running in this process. */
  isLoading(storedKey: string): boolean {
    return this.#waits.isLoading(storedKey)
  }

  /** Stored keys of the generations that must be captured before this load begins (G2). */
  generationKeysOf({ generationKeys, storedKey }: LoadRequest): readonly string[] {
    return this.#core.learnedTags.with(storedKey, generationKeys)
  }

  /**
   * Loads a value under a lease, and stores it.
   * @param stale the value that may be served if the loader fails
   */
  async underLease(
    flight: LoadingFlight,
    request: LoadRequest,
    { askedAtMs, bound, lease, serverNowMs }: LeasedLoad,
    stale: LocalEntry | undefined,
  ): Promise<Outcome> {
    const loaderBeganAt = this.#core.generations.now
    // A loader may ignore its signal. Once every caller has left, other processes must not wait for it.
    flight.onAbandoned(() => void lease.release())
    const result = await this.#load(flight, request, stale, true)
    lease.end()
    if ('error' in result) {
      // Not earlier than the server's present, so that a pause is not shorter than asked for.
      const latestMs = serverNowMs + this.#core.clock.monotonicMs() - askedAtMs
      return this.failed.underLease(request, result, stale, { lease, serverNowMs: latestMs })
    }
    this.#core.failures.forget(request.storedKey)
    if (result.context.isGivenBack) {
      void lease.release()
      return RELEASED
    }
    const { context, durationMs, inherited, kept, value } = result
    const late = bindLateTags(this.#core.generations, request, context.tags, bound, loaderBeganAt)
    const lateTagKeys = [
      ...late.map(asTold),
      ...namedByStale(request, kept),
      ...inheritedKeys(inherited, request),
    ]
    const policies = context.resolve(request.policies)
    if (context.isSkipped || (value === undefined && policies.absentTtlMs === 0)) {
      if (!context.isSkipped) return this.#none(request, lease, stale, lateTagKeys)
      void lease.releaseFruitless()
      return loaded({ value, isCloned: false }, lateTagKeys)
    }
    const lifetimes =
      value === undefined
        ? absenceOf(policies)
        : lifetimesAt(this.#core, policies, {
            createdAtMs: serverNowMs,
            serverNowMs: serverNowMs + durationMs,
          })
    if (this.#core.learnedTags.learn(request.storedKey, late) || lifetimes === undefined) {
      if (value === undefined) return this.#none(request, lease, stale, lateTagKeys)
      void lease.releaseFruitless()
      return loaded(await this.#fill.isolated(request, value), lateTagKeys)
    }
    try {
      const own: EntryMeta = {
        ...lifetimes,
        stamp: newStamp(),
        createdAtMs: serverNowMs,
        loadCostMs: durationMs,
        generations: generationsOf(request, { bound, late, kept }, inherited !== undefined),
      }
      const stored = inherited === undefined ? ownMeta(own) : this.#inheriting(own, inherited, request)
      if ('reason' in stored) {
        request.monitor.inheritRefused(request.key, stored.reason, stored.part)
        if (value === undefined) return this.#none(request, lease, stale, lateTagKeys)
        void lease.releaseFruitless()
        return loaded(await this.#fill.isolated(request, value), lateTagKeys)
      }
      const filled = await this.#fill.store(request, lease, value, stored)
      return loaded(filled.isolated, lateTagKeys, filled)
    } catch (error) {
      void lease.releaseFruitless()
      if (isProgrammingMistake(error)) throw error
      request.monitor.tell('getOrSet', request.key, error)
      return loaded(await this.#fill.isolated(request, value), lateTagKeys, { failure: error })
    }
  }

  #inheriting(own: EntryMeta, inherited: LoadInheritance, request: LoadRequest): StoredMeta | Refusal {
    const nowMs = this.#core.clock.monotonicMs()
    return inheritedMeta(own, inherited, request, { nowMs, serverNowMs: own.createdAtMs + own.loadCostMs })
  }

  /** The source has no value, and that is not stored. */
  async #none(
    request: LoadRequest,
    lease: LoadLease,
    stale: LocalEntry | undefined,
    lateTagKeys: readonly LateTagKey[],
  ): Promise<Outcome> {
    if (stale !== undefined) await this.#fill.retire(request, lease)
    else void lease.releaseFruitless()
    return loaded(NO_VALUE, lateTagKeys)
  }

  /** Loads a value without a lease, so it is not stored (L6). */
  async uncached(
    flight: LoadingFlight,
    request: LoadRequest,
    stale: LocalEntry | undefined = undefined,
  ): Promise<Outcome> {
    const remembered = this.failed.remembered(request, stale)
    if (remembered !== undefined) return remembered
    const loaderBeganAt = this.#core.generations.now
    const copy = stale ?? this.#core.localEntry(request.storedKey)
    const result = await this.#load(flight, request, stale, false)
    if ('error' in result) {
      if (result.isAnswer) this.#dropCopy(request, copy)
      return this.failed.uncached(request, result, stale)
    }
    if (!request.isPast) this.#core.failures.forget(request.storedKey)
    const { context, inherited, kept, value } = result
    if (context.isGivenBack) return RELEASED
    if (value === undefined && !context.isSkipped) this.#dropCopy(request, copy)
    try {
      const late = bindLateTags(this.#core.generations, request, context.tags, [], loaderBeganAt)
      this.#core.learnedTags.learn(request.storedKey, late)
      const isRaw = value === undefined || context.isSkipped
      const isolated = isRaw ? { value, isCloned: false } : await this.#fill.isolated(request, value)
      return loaded(isolated, [
        ...late.map(asTold),
        ...namedByStale(request, kept),
        ...inheritedKeys(inherited, request),
      ])
    } catch (error) {
      if (isProgrammingMistake(error)) throw error
      return this.#fallback.forFailedUncached(request, stale, error)
    }
  }

  /**
   * The source no longer has a value, and Redis cannot be told: at least this process must not serve its copy. What is
   * loaded within a change tells nothing of others, since it may be undone.
   */
  #dropCopy({ isPast, storedKey }: LoadRequest, copy: LocalEntry | undefined): void {
    if (!isPast && copy?.stamp !== undefined) this.#core.dropCopy(storedKey, copy.stamp)
  }

  async #load(
    flight: LoadingFlight,
    request: LoadRequest,
    stale: LocalEntry | undefined,
    isLeased: boolean,
  ): Promise<Loaded | LoadFailure> {
    const { calls, clock, inheritances } = this.#core
    const { key, loader, monitor, policies, shared, storedKey } = request
    if (flight.isAbandoned) flight.signal.throwIfAborted()
    const beganMs = clock.monotonicMs()
    flight.beginLoading(beganMs)
    const inherited = policies.inherit ? inheritances.begin() : undefined
    const call = this.#waits.begin(storedKey, inherited)
    const context = new LoadContext({
      key,
      call,
      calls,
      isLeased,
      signal: () => flight.signal,
      stale:
        stale === undefined || stale.isPlain || stale.value === undefined
          ? undefined
          : () => staleValueOf(stale, request.space, clock.monotonicMs()),
    })
    shared?.decided(storedKey)
    let value: unknown
    try {
      value = await call.run(() => loader(context))
    } catch (error) {
      if (!context.isNotModified) {
        monitor.loaded(key, beganMs, { error })
        return this.failed.judged(flight, request, context, error)
      }
    } finally {
      this.#waits.end(storedKey, call)
      if (inherited !== undefined) inheritances.end(inherited)
    }
    const durationMs = context.isGivenBack ? 0 : monitor.loaded(key, beganMs)
    if (!context.isNotModified || stale === undefined)
      return { context, value, durationMs, kept: [], inherited }
    return { context, value: handOut(stale), durationMs, kept: keptOf(stale, inherited), inherited }
  }
}

function asTold({ isKnown, storedKey }: LateTag): LateTagKey {
  return { isKnown, tagKey: storedKey }
}

/** The tags of a confirmed stale value that the call does not name. */
function namedByStale(
  { generationKeys }: LoadRequest,
  kept: readonly BoundGeneration[],
): readonly LateTagKey[] {
  const named = kept.filter(({ storedKey }) => isTagKey(storedKey) && !generationKeys.includes(storedKey))
  return named.map(({ storedKey }) => ({ tagKey: storedKey, isKnown: true }))
}

/**
 * The generations that a loaded entry depends on. Left out are the tags that were captured because an earlier value had
 * named them, and that this one does not name.
 * @param inherits whether those of a confirmed stale value may be inherited ones, whose number is no mistake of the call
 * @throws CacheError `CACHE_INVALID_ARGUMENT` if the entry has too many tags
 */
function generationsOf(
  { generationKeys }: LoadRequest,
  { bound, kept, late }: LoadedGenerations,
  inherits: boolean,
): readonly BoundGeneration[] {
  const named = bound.filter(({ storedKey }) => generationKeys.includes(storedKey))
  const generations = distinct([...named, ...late, ...kept])
  const ofCall = inherits ? distinct([...named, ...late]) : generations
  assertTagCount(ofCall.filter(({ storedKey }) => isTagKey(storedKey)).length)
  return generations
}

/** The generations without duplicates: the first one of each key. */
function distinct(generations: readonly BoundGeneration[]): BoundGeneration[] {
  const byKey = new Map<string, BoundGeneration>()
  for (const one of generations) if (!byKey.has(one.storedKey)) byKey.set(one.storedKey, one)
  return [...byKey.values()]
}
