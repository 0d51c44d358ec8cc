import type { CacheCore } from '../core/cache-core.ts'
import { isAccepted } from '../entries/acceptance.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { type Flight, type Outcome, served } from './flight.ts'
import type { LoadRequest } from './load-request.ts'

/** Stale values that are served where a load fails or takes too long: within their window, and with nothing known against them. */
export class StaleFallback {
  readonly #core: CacheCore

  constructor(core: CacheCore) {
    this.#core = core
  }

  /** In place of a load that takes too long; `undefined` where there is nothing. */
  forSlow(flight: Flight, request: LoadRequest): Outcome | undefined {
    const found = flight.found && isAccepted(flight.found.value, request.accepts) ? flight.found : undefined
    const entry = found ?? this.#unrefuted(request)
    return entry !== undefined && this.#mayStandIn(entry) ? served(entry, 'timeout') : undefined
  }

  /** In place of a load that failed under a lease. @throws the load's error where there is nothing */
  forFailed(stale: LocalEntry | undefined, error: unknown): Outcome {
    if (stale === undefined || !this.#mayStandIn(stale)) throw error
    return served(stale, 'error', error)
  }

  /** In place of a load that failed without one. @throws the load's error where there is nothing */
  forFailedUncached(request: LoadRequest, stale: LocalEntry | undefined, error: unknown): Outcome {
    return this.forFailed(stale ?? this.#unrefuted(request), error)
  }

  /** What this process still holds of an older epoch: nothing is known against it. */
  #unrefuted(request: LoadRequest): LocalEntry | undefined {
    const entry = this.#core.localEntry(request.storedKey)
    return entry?.generationSet.includes(request.generationKeys) && isAccepted(entry.value, request.accepts)
      ? entry
      : undefined
  }

  #mayStandIn({ generationSet, staleIfErrorMs, staleIfErrorUntilMs }: LocalEntry): boolean {
    return (
      staleIfErrorMs > 0 && generationSet.isUnrefuted && this.#core.clock.monotonicMs() < staleIfErrorUntilMs
    )
  }
}
