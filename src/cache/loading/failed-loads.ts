import type { AcquireReply } from '../../backend/seams/shared-tier.ts'
import { abbreviate, CacheError, isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { servableAsReadTo } from '../freshness/max-age.ts'
import { isOutage } from '../freshness/outage-rule.ts'
import type { Policies } from '../freshness/policies.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { LoadLease } from './lease.ts'
import { LeasedFill } from './leased-fill.ts'
import type { LoadContext } from './load-context.ts'
import type { LoadingFlight, LoadRequest } from './load-request.ts'
import { type Outcome, served } from './outcome.ts'
import { StaleFallback } from './stale-fallback.ts'

/** What is asked of a failed load. */
type Failing = Pick<LoadRequest, 'accepts' | 'generationKeys' | 'maxAgeMs' | 'policies' | 'storedKey'>

/** What a loader threw. */
export interface LoadFailure {
  readonly error: unknown
  /** Whether the error is the answer of the source, so that what is cached is out of date. */
  readonly isAnswer: boolean
  /** Whether every caller had left: then the error tells nothing of the source. */
  readonly isAbandoned: boolean
  readonly flight: LoadingFlight
  /** Those of the call, with what the loader has set. */
  readonly policies: Policies
}

/**
 * What becomes of a load that has failed, and of the calls that come after it.
 *
 * | the error is         | what is cached may be served       | otherwise                               |
 * | -------------------- | ---------------------------------- | --------------------------------------- |
 * | an outage            | it is; a pause (`retryAfterError`) | thrown; remembered (`errorTtl`)         |
 * | an answer            | dropped; thrown; remembered        | thrown; remembered                      |
 *
 * The pause and the memory are a lease of nobody with a deadline, which lies in the key as any lease does: whatever
 * touches the key ends it. This process remembers them for itself as well, for when Redis cannot be asked.
 */
export class FailedLoads {
  readonly #core: CacheCore
  readonly #fallback: StaleFallback
  readonly #fill: LeasedFill

  constructor(core: CacheCore) {
    this.#core = core
    this.#fallback = new StaleFallback(core)
    this.#fill = new LeasedFill(core)
  }

  /** Judges the error of a loader by the rule of the call, or by the one that the loader has set. */
  judged(
    flight: LoadingFlight,
    { key, monitor, policies: called }: LoadRequest,
    context: LoadContext,
    error: unknown,
  ): LoadFailure {
    const { isAbandoned } = flight
    const policies = context.resolve(called)
    const isAnswer =
      !isAbandoned && !isOutage(error, policies.isOutage, (cause) => monitor.ruleFailed(key, cause))
    return { error, isAnswer, isAbandoned, flight, policies }
  }

  /** Ends a load under a lease that has failed. @throws the error of the loader, unless a stale value is served */
  async underLease(
    request: LoadRequest,
    failure: LoadFailure,
    stale: LocalEntry | undefined,
    { lease, serverNowMs }: { readonly lease: LoadLease; readonly serverNowMs: number },
  ): Promise<Outcome> {
    const { error, isAbandoned, isAnswer, policies } = failure
    const { errorTtlMs, retryAfterErrorMs } = policies
    if (isAbandoned) {
      void lease.release()
    } else if (!isAnswer && this.#standsBy(stale)) {
      if (retryAfterErrorMs > 0)
        this.#remember(request, failure, { isHidden: true, forMs: retryAfterErrorMs })
      void lease.releaseAndPause(retryAfterErrorMs)
    } else if (errorTtlMs > 0) {
      const deadlineMs = Math.floor(serverNowMs) + errorTtlMs
      const isChanged = !(await this.#fill.retire(request, lease, { deadlineMs, pauseMs: errorTtlMs }))
      if (!isChanged) this.#remember(request, failure, { isHidden: false, forMs: errorTtlMs, deadlineMs })
    } else if (isAnswer && stale !== undefined) {
      await this.#fill.retire(request, lease)
    } else {
      void lease.releaseFruitless()
    }
    if (isAnswer) throw error
    return this.#fallback.forFailed(stale, error)
  }

  /** Ends a load without a lease that has failed. @throws as {@link underLease}, and a programming mistake */
  uncached(request: LoadRequest, failure: LoadFailure, stale: LocalEntry | undefined): Outcome {
    const { error, isAbandoned, isAnswer, policies } = failure
    const { errorTtlMs, retryAfterErrorMs } = policies
    const isThrown = isAnswer || isProgrammingMistake(error)
    const isHidden = !isThrown && this.#fallback.forPaused(request, stale) !== undefined
    const forMs = isHidden ? retryAfterErrorMs : errorTtlMs
    if (forMs > 0 && !isAbandoned && !request.isPast) this.#remember(request, failure, { isHidden, forMs })
    if (isThrown) throw error
    return this.#fallback.forFailedUncached(request, stale, error)
  }

  /**
   * The outcome of a call that comes within the time of a remembered failure, where Redis cannot tell of it; `undefined`
   * if there is none, or the call does not want it.
   * @throws the remembered error
   */
  remembered(request: LoadRequest, stale: LocalEntry | undefined): Outcome | undefined {
    if (request.replaces === 'any' || request.isPast) return undefined
    const recalled = this.recalled(request, stale)
    if (recalled === undefined || 'standIn' in recalled) return recalled && served(recalled.standIn, 'error')
    request.monitor.errorRemembered(request.key)
    throw recalled.error
  }

  /** What {@link remembered} does: it serves a stale value, or throws an error. */
  recalled(
    request: Failing,
    stale: LocalEntry | undefined,
  ): { readonly standIn: LocalEntry } | { readonly error: unknown } | undefined {
    const { errorTtlMs, retryAfterErrorMs } = request.policies
    if (errorTtlMs === 0 && retryAfterErrorMs === 0) return undefined
    const failure = this.#core.failures.recall(request.storedKey)
    if (failure === undefined) return undefined
    const standIn = this.#fallback.forPaused(request, stale)
    if (failure.isHidden) return standIn !== undefined && retryAfterErrorMs > 0 ? { standIn } : undefined
    return standIn === undefined && errorTtlMs > 0 ? { error: failure.error } : undefined
  }

  /** Whether a call with this entry in Redis, if any, heeds that a load is not to be tried again. */
  heedsPause({ maxAgeMs, policies, replaces }: LoadRequest, entry: LocalEntry | undefined): boolean {
    if (replaces === 'any') return false
    return entry === undefined
      ? policies.errorTtlMs > 0
      : policies.retryAfterErrorMs > 0 && this.#standsBy(entry, maxAgeMs)
  }

  /**
   * The outcome of a call to whom Redis has said that the load is not to be tried again. `undefined` if the entry may no
   * longer be served.
   * @throws the error of the failed load if this process has run it, otherwise CacheError `CACHE_SOURCE_FAILED`
   */
  paused(
    { key, maxAgeMs, monitor, storedKey }: LoadRequest,
    { pauseMs = 0, remainingMs, serverNowMs }: AcquireReply,
    entry: LocalEntry | undefined,
  ): Outcome | undefined {
    if (entry !== undefined) {
      const how = servableAsReadTo(maxAgeMs, entry, this.#core.clock.monotonicMs())
      if (how === 'fresh' || how === 'revalidate') return served(entry, 'revalidate')
      return this.#standsBy(entry, maxAgeMs) ? served(entry, 'error') : undefined
    }
    monitor.errorRemembered(key)
    const own = this.#core.failures.recallOf(storedKey, serverNowMs + remainingMs)
    if (own !== undefined) throw own.error
    const agoMs = Math.max(0, pauseMs - remainingMs)
    throw new CacheError(
      'CACHE_SOURCE_FAILED',
      `The load of ${abbreviate(key)} failed ${inSeconds(agoMs)} ago in another process, and is not tried again for ${inSeconds(remainingMs)}`,
      { operation: 'getOrSet', key },
    )
  }

  /** What changes a key ends what is remembered of it: so does a change that came before the end of the load. */
  #remember(
    { storedKey }: LoadRequest,
    { error, flight }: LoadFailure,
    { forMs, ...facts }: { readonly isHidden: boolean; readonly forMs: number; readonly deadlineMs?: number },
  ): void {
    if (flight.isClosed) return
    const { clock, failures } = this.#core
    failures.remember(storedKey, { error, ...facts, untilMs: clock.monotonicMs() + forMs })
  }

  /** Whether the entry is served in one way or another although its load has failed. */
  #standsBy(entry: LocalEntry | undefined, maxAgeMs?: number): boolean {
    if (entry === undefined || !entry.generationSet.isUnrefuted) return false
    return servableAsReadTo(maxAgeMs, entry, this.#core.clock.monotonicMs()) !== 'no'
  }
}

function inSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
