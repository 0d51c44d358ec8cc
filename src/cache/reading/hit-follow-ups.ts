import type { CacheCore } from '../core/cache-core.ts'
import type { Monitor } from '../core/monitor.ts'
import type { SingleFlight } from '../flights/single-flight.ts'
import type { Policies } from '../freshness/policies.ts'
import type { GetOrSetOptions } from '../freshness/policy-options.ts'
import { Sampler } from '../freshness/sampler.ts'
import type { LoadRequest } from '../loading/load-request.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { ShadowVerification } from '../monitoring/shadow-verification.ts'

/** The background work that follows a hit: an early refresh, a verification, or both. */
export interface FollowUp {
  readonly isRefresh: boolean
  readonly isVerification: boolean
}

/** The parts of {@link HitFollowUps}. */
export interface FollowUpParts {
  readonly core: CacheCore
  readonly monitor: Monitor
  readonly reads: SingleFlight
  readonly verification: ShadowVerification
  readonly policies: Policies
}

/** Work that a hit starts in the background. Most hits start none. */
export class HitFollowUps {
  readonly #core: CacheCore
  readonly #monitor: Monitor
  readonly #flights: SingleFlight
  readonly #verification: ShadowVerification
  readonly #policies: Policies
  readonly #sampler: Sampler

  constructor({ core, monitor, policies, reads, verification }: FollowUpParts) {
    this.#core = core
    this.#monitor = monitor
    this.#flights = reads
    this.#verification = verification
    this.#policies = policies
    this.#sampler = new Sampler(policies.verifySample, core.random)
  }

  /** @param early the option of the call, which overrides the namespace's policy */
  of(entry: LocalEntry, early: GetOrSetOptions['earlyRefresh'], nowMs: number): FollowUp | undefined {
    return this.ofBeta(entry, early === undefined ? this.#policies.earlyBeta : early ? early.beta : 0, nowMs)
  }

  ofBeta(entry: LocalEntry, beta: number, nowMs: number): FollowUp | undefined {
    const isRefresh = beta !== 0 && entry.wantsEarlyRefresh(beta, nowMs, this.#core.random)
    const isVerification = this.#sampler.takes()
    return isRefresh || isVerification ? { isRefresh, isVerification } : undefined
  }

  /** Starts the background work. A failure becomes a `background-error` event. */
  start(entry: LocalEntry, { isRefresh, isVerification }: FollowUp, request: () => LoadRequest): void {
    try {
      if (isRefresh) this.#flights.refreshEarly(request(), entry)
      if (isVerification) this.#verification.verify(request(), entry)
    } catch (error) {
      this.#monitor.failed(isRefresh ? 'refresh' : 'verify', undefined, error)
    }
  }

  /** As {@link start}, for a request that exists already. */
  startFor(entry: LocalEntry, followUp: FollowUp, request: LoadRequest): void {
    this.start(entry, followUp, () => request)
  }

  /** A flight ended with a hit. The flight handles an early refresh itself, so only a verification may follow. */
  afterFlight(entry: LocalEntry, request: LoadRequest): void {
    if (this.#sampler.takes()) this.#verification.verify(request, entry)
  }
}
