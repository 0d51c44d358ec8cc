import { CacheError } from '../../foundation/cache-error.ts'
import type { Duration } from '../../foundation/duration.ts'
import {
  checkedTags,
  defaultPolicies,
  type FreshnessOptions,
  type Policies,
  resolvePolicies,
} from '../freshness/policies.ts'

/** The value that a load replaces: one past its time to live, or about to be. */
export interface StaleValue<T = unknown> {
  /** Must not be changed: it is frozen wherever values are. */
  readonly value: T
  /** Seconds since its load began; `undefined` if it was read before the clock of its server was known. */
  readonly age: number | undefined
  /** Seconds that its load took. */
  readonly loadCost: number
  readonly tags: readonly string[]
}

/** Thrown to end a loader that has found the stale value to be still right. */
const NOT_MODIFIED: Error = Object.assign(
  new Error('The stale value is still right: let this end the loader'),
  {
    name: 'NotModified',
    stack: '',
  },
)

/** What a {@link LoadContext} is made of. */
export interface LoadContextParts {
  readonly key: string
  /** Made when it is first asked for. */
  readonly signal: () => AbortSignal
  /** Made when it is asked for. */
  readonly stale: (() => StaleValue) | undefined
}

/** What a loader may ask, and what it can say of the value that it is about to return. */
export class LoadContext {
  readonly key: string
  readonly #parts: LoadContextParts
  #isSkipped = false
  #isNotModified = false
  #options: FreshnessOptions = {}
  #tags: readonly string[] = []

  /** @internal */
  constructor(parts: LoadContextParts) {
    this.key = parts.key
    this.#parts = parts
  }

  /** Aborts when every caller has left: pass it on to what the loader waits for. */
  get signal(): AbortSignal {
    return this.#parts.signal()
  }

  /**
   * The value that is being replaced, if there is one and it has not been invalidated: for a conditional request
   * (`If-None-Match`, `WHERE version > …`).
   */
  stale<T = unknown>(): StaleValue<T> | undefined {
    return this.#parts.stale?.() as StaleValue<T> | undefined
  }

  /**
   * Says that the {@link stale} value is still right, and ends the loader: the value is stored as if it had been loaded.
   * It throws, so that nothing after it runs. A loader that catches the error need not rethrow it.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` where there is no stale value
   * @example
   * ```ts
   * import { createCache } from 'cachewright'
   *
   * interface Rates { readonly etag: string; readonly usd: number }
   * declare function fetchRates(etag: string | undefined): Promise<Rates | 'unchanged'>
   *
   * const cache = createCache({ ttl: '1m', staleWhileRevalidate: '1h' })
   * const rates = await cache.getOrSet('rates', async (context) => {
   *   const fetched = await fetchRates(context.stale<Rates>()?.value.etag)
   *   if (fetched === 'unchanged') return context.notModified()
   *   return fetched
   * })
   * ```
   */
  notModified(): never {
    this.keepStale()
    throw NOT_MODIFIED
  }

  /** @internal */
  keepStale(): void {
    if (this.#parts.stale === undefined) {
      throw new CacheError(
        'CACHE_INVALID_ARGUMENT',
        'notModified() was called where there is no stale value: ask stale() first',
      )
    }
    this.#isNotModified = true
  }

  /** The value is not cached. All callers that wait get this very value. */
  skip(): void {
    this.#isSkipped = true
  }

  /** How long the value is fresh. @throws CacheError `CACHE_INVALID_DURATION` */
  setTtl(ttl: Duration): void {
    this.setOptions({ ttl })
  }

  /**
   * Time to live, jitter and stale windows of this value, over those of the call.
   * @throws CacheError `CACHE_INVALID_DURATION`, `CACHE_INVALID_OPTIONS`
   */
  setOptions(options: FreshnessOptions): void {
    resolvePolicies(options, defaultPolicies(1))
    this.#options = { ...this.#options, ...options }
  }

  /**
   * Tags that follow from the value. A tag that this process had not met before the loader began cannot be bound safely:
   * the value is then not cached this once, and the tag is known the next time.
   * @throws CacheError `CACHE_INVALID_KEY`, `CACHE_INVALID_ARGUMENT`
   */
  addTags(tags: readonly string[]): void {
    this.#tags = [...this.#tags, ...checkedTags(tags)]
  }

  /** @internal */
  get isNotModified(): boolean {
    return this.#isNotModified
  }

  /** @internal */
  get isSkipped(): boolean {
    return this.#isSkipped
  }

  /** @internal */
  get tags(): readonly string[] {
    return this.#tags
  }

  /** @internal */
  resolve(policies: Policies): Policies {
    return resolvePolicies(this.#options, policies)
  }
}

/** Loads the value of a key; `undefined` is not cached. */
export type Loader<T> = (context: LoadContext) => T | Promise<T>
