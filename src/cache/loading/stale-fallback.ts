import type { CacheCore } from '../core/cache-core.ts'
import { isAccepted } from '../entries/acceptance.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { LoadingFlight, LoadRequest } from './load-request.ts'
import { type Outcome, served } from './outcome.ts'

/**
 * Stale values that are served where a load fails or takes too long: within `staleIfError`, and only if this process
 * knows of no invalidation.
 */
export class StaleFallback {
  readonly #core: CacheCore

  constructor(core: CacheCore) {
    this.#core = core
  }

  /** In place of a load that takes too long; `undefined` where there is nothing. */
  forSlow(flight: LoadingFlight, request: LoadRequest): Outcome | undefined {
    const { found } = flight
    const entry = found && isAccepted(found.value, request.accepts) ? found : this.#unrefuted(request)
    return entry !== undefined && this.#mayBeServed(entry) ? served(entry, 'timeout') : undefined
  }

  /** In place of a load that failed under a lease. @throws the load's error where there is nothing */
  forFailed(stale: LocalEntry | undefined, error: unknown): Outcome {
    if (stale === undefined || !this.#mayBeServed(stale)) throw error
    return served(stale, 'error', error)
  }

  /** In place of a load that failed without one. @throws the load's error where there is nothing */
  forFailedUncached(request: LoadRequest, stale: LocalEntry | undefined, error: unknown): Outcome {
    return this.forFailed(stale ?? this.#unrefuted(request), error)
  }

  /** What this process still holds, perhaps of an older epoch. */
  #unrefuted({ accepts, generationKeys, storedKey }: LoadRequest): LocalEntry | undefined {
    const entry = this.#core.localEntry(storedKey)
    if (!entry?.generationSet.includes(generationKeys)) return undefined
    return isAccepted(entry.value, accepts) ? entry : undefined
  }

  /** Until `staleIfError` ends, fresh or not. */
  #mayBeServed({ generationSet, staleIfErrorUntilMs }: LocalEntry): boolean {
    return generationSet.isUnrefuted && this.#core.clock.monotonicMs() < staleIfErrorUntilMs
  }
}
