import type { CallChecks } from '../../backend/assembly/call-checks.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { KnownOptions } from '../../foundation/option-checks.ts'
import type { Duration } from '../../foundation/time/duration.ts'
import { checkedTags, defaultPolicies, type Policies, resolvePolicies } from '../freshness/policies.ts'
import { CONTEXT_OPTIONS, type ContextOptions } from '../freshness/policy-options.ts'
import { overridden } from '../freshness/value-expiry.ts'
import type { Frozen } from '../local/isolation.ts'
import type { LoaderCall } from './loader-call.ts'
import type { StaleValue } from './stale-value.ts'

/** Thrown to end a loader that has confirmed the stale value. */
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
  /** The call of the loader that gets this context. */
  readonly call: LoaderCall
  readonly calls: CallChecks
  /** Creates the signal at the first call. */
  readonly signal: () => AbortSignal
  /** Whether the key is leased, so that the value may be stored. */
  readonly isLeased: boolean
  /** Returns the stale value; `undefined` if there is none. */
  readonly stale: (() => StaleValue) | undefined
}

/** Tells a loader about its load, and takes settings for the value that the loader is about to return. */
export class LoadContext {
  /** The key, as the caller passed it. */
  readonly key: string
  readonly #parts: LoadContextParts
  #isSkipped = false
  #isNotModified = false
  #isGivenBack = false
  #options: ContextOptions = {}
  #tags: readonly string[] = []

  /** @internal */
  constructor(parts: LoadContextParts) {
    this.key = parts.key
    this.#parts = parts
  }

  /**
   * Aborts when every caller has left, and in the background after `lease.longestLoad` or at shutdown. Pass it on to the
   * requests that the loader makes.
   */
  get signal(): AbortSignal {
    return this.#parts.signal()
  }

  /**
   * The value that the load replaces, if there is one and it has not been invalidated. For conditional requests
   * (`If-None-Match`, `WHERE version > …`).
   */
  stale<T = unknown>(): StaleValue<Frozen<T>> | undefined {
    return this.#parts.stale?.() as StaleValue<Frozen<T>> | undefined
  }

  /**
   * Declares that the {@link stale} value is still right, and ends the loader. The cache stores that value as if it had
   * been loaded. This method throws, so no code after it runs. A loader that catches the error need not rethrow it.
   * @throws CacheError `CACHE_INVALID_ARGUMENT` if there is no stale value
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

  /** Prevents the value from being cached. All waiting callers get this very value. */
  skip(): void {
    this.#isSkipped = true
  }

  /** Declares that there is no value, and that another caller may load it. @internal */
  giveBack(): void {
    this.#isGivenBack = true
  }

  /** Sets how long, in seconds or with a unit (`'5m'`), the value is fresh. @throws CacheError `CACHE_INVALID_DURATION` */
  setTtl(ttl: Duration): void {
    this.setOptions({ ttl })
  }

  /**
   * Sets the moment at which the value ceases to be fresh, on the Redis server's clock: a `Date`, or milliseconds since
   * 1970. If that moment has come when the loader ends, the value goes to the callers and is not stored.
   * @throws CacheError `CACHE_INVALID_OPTIONS`
   */
  setExpiresAt(expiresAt: Date | number): void {
    this.setOptions({ expiresAt })
  }

  /**
   * Sets the time to live (`ttl` or `expiresAt`), jitter and stale windows of this value, and what follows if this load
   * brings none (`staleIfError.when`, `retryAfterError`, `errorTtl`, `absentTtl`). They take precedence over the options of
   * the call; `false` turns one off.
   * @throws CacheError `CACHE_INVALID_DURATION`, `CACHE_INVALID_OPTIONS`
   */
  setOptions(options: ContextOptions): void {
    this.#parts.calls.check(options, CONTEXT_OPTIONS)
    resolvePolicies(options, defaultPolicies(1))
    this.#options = overridden(this.#options, options)
  }

  /**
   * Adds tags that only the loaded value reveals; with those of the call they may be 64. If this process did not know a tag before the loader began, it cannot
   * bind the value to that tag safely. The value is then not cached this time; the next load knows the tag.
   * @throws CacheError `CACHE_INVALID_KEY`, `CACHE_INVALID_ARGUMENT`
   */
  addTags(tags: readonly string[]): void {
    this.#tags = checkedTags([...this.#tags, ...checkedTags(tags)])
  }

  /** As {@link CallChecks.check}. @internal */
  check(options: unknown, known: KnownOptions): void {
    this.#parts.calls.check(options, known)
  }

  /** @internal */
  get call(): LoaderCall {
    return this.#parts.call
  }

  /** @internal */
  get isNotModified(): boolean {
    return this.#isNotModified
  }

  /** @internal */
  get isLeased(): boolean {
    return this.#parts.isLeased
  }

  /** @internal */
  get isGivenBack(): boolean {
    return this.#isGivenBack
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

/** Loads the value of a key. `undefined` is not cached. */
export type Loader<T> = (context: LoadContext) => T | Promise<T>
