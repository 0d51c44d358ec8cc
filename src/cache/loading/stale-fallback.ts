import { isProgrammingMistake } from '../../foundation/errors/cache-error.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { isAccepted } from '../entries/acceptance.ts'
import { servableAsReadTo } from '../freshness/max-age.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { LoadingFlight, LoadRequest } from './load-request.ts'
import { type Outcome, served } from './outcome.ts'

/** What a stale value must suit. */
type Sought = Pick<LoadRequest, 'accepts' | 'generationKeys' | 'isPast' | 'maxAgeMs' | 'since' | 'storedKey'>

/**
 * Finds stale values to serve if a load fails or takes too long. They must be within `staleIfError`, and this process
 * must not know of their invalidation.
 */
export class StaleFallback {
  readonly #core: CacheCore

  constructor(core: CacheCore) {
    this.#core = core
  }

  /** The value to serve if a load takes too long; `undefined` if there is none. */
  forSlow(flight: LoadingFlight, request: LoadRequest): Outcome | undefined {
    const { found } = flight
    const entry = found && isAccepted(found.value, request.accepts) ? found : this.#unrefuted(request)
    if (entry === undefined || !this.#mayBeServed(entry)) return undefined
    const nowMs = this.#core.clock.monotonicMs()
    const how = servableAsReadTo(request.maxAgeMs, entry, nowMs)
    return how === 'no' ? undefined : served(entry, 'timeout')
  }

  /** The stale value to serve if no load may be tried; `undefined` if there is none. */
  forPaused(request: Sought, stale: LocalEntry | undefined): LocalEntry | undefined {
    const entry = stale ?? this.#unrefuted(request)
    if (entry === undefined || !this.#mayBeServed(entry)) return undefined
    const how = servableAsReadTo(request.maxAgeMs, entry, this.#core.clock.monotonicMs())
    return how === 'no' ? undefined : entry
  }

  /** The value to serve if a load under a lease failed. @throws the load's error if there is none */
  forFailed(stale: LocalEntry | undefined, error: unknown): Outcome {
    // A stale value would hide a mistake of the program for as long as its window lasts.
    if (isProgrammingMistake(error) || stale === undefined || !this.#mayBeServed(stale)) throw error
    return served(stale, 'error', error)
  }

  /** The value to serve if a load without a lease failed. @throws the load's error if there is none */
  forFailedUncached(request: LoadRequest, stale: LocalEntry | undefined, error: unknown): Outcome {
    return this.forFailed(stale ?? this.#unrefuted(request), error)
  }

  /** The local entry with the generations and the value that the request needs. It may be of an older epoch. */
  #unrefuted({ accepts, generationKeys, isPast, since, storedKey }: Sought): LocalEntry | undefined {
    if (isPast || since !== undefined) return undefined
    const entry = this.#core.localEntry(storedKey)
    if (!entry?.generationSet.includes(generationKeys)) return undefined
    return isAccepted(entry.value, accepts) ? entry : undefined
  }

  /** Whether an entry, fresh or stale, may be served until `staleIfError` ends: no invalidation of it is known. */
  #mayBeServed({ generationSet, staleIfErrorUntilMs }: LocalEntry): boolean {
    return generationSet.isUnrefuted && this.#core.clock.monotonicMs() < staleIfErrorUntilMs
  }
}
