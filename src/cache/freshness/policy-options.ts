import type { BackgroundOptions } from '../../contract/background-hook.ts'
import type { KnownOptions, OptionNames } from '../../foundation/option-checks.ts'
import type { Duration } from '../../foundation/time/duration.ts'

/** The options that say how long a value is served. `false` turns off what the namespace or the cache sets. */
export interface FreshnessOptions {
  /**
   * The time for which a value is fresh: seconds, or with a unit (`'5m'`). `Infinity` keeps it for ever; `false` is refused.
   * A loader that wants nothing stored calls `context.skip()`.
   * @default the namespace's, then the cache's, then CACHEWRIGHT_TTL, then `'1h'`
   */
  readonly ttl?: Duration | undefined
  /**
   * The fraction of `ttl` by which it is shortened at random, from 0 to (but not including) 1, so that values that were
   * stored together do not expire together. `0.1` spreads `'10m'` over 9 to 10 minutes.
   * @default the namespace's, then the cache's, then `false`
   */
  readonly jitter?: number | false | undefined
  /**
   * The time after its `ttl`, in seconds or with a unit (`'5m'`), for which a value is still served while one process
   * loads a new one (RFC 5861). It is stored with the value: a later call with another window does not change it.
   * @default the namespace's, then the cache's, then `false`
   */
  readonly staleWhileRevalidate?: Duration | false | undefined
  /**
   * The time after its `ttl`, in seconds or with a unit (`'5m'`), for which a value is still served if the loader fails
   * (RFC 5861), or is slower than `softTimeout`. It is stored with the value.
   * @default the namespace's, then the cache's, then `false`
   */
  readonly staleIfError?: Duration | false | undefined
}

/** The options that say how long one value is served. */
export interface ValueOptions extends FreshnessOptions {
  /**
   * The moment at which the value ceases to be fresh, in place of `ttl`: a `Date`, or milliseconds since 1970. It is a
   * time of the Redis server's clock, and `jitter` does not change it. Stale windows begin then. A value whose moment has
   * come is not kept: `set` removes the key, a loader's value goes to its callers, and a `fill` is refused. Numbers below
   * 1e11, which count seconds as a rule, are refused.
   * @default none: `ttl` applies
   */
  readonly expiresAt?: Date | number | undefined
}

/** The options that say how long a value is served, and which tags invalidate it. */
export interface EntryOptions extends ValueOptions {
  /** Tags by which the value can be invalidated, at most 64. An entry that lacks one is loaded again. @default none */
  readonly tags?: readonly string[] | undefined
}

/**
 * The options that say when a value is loaded, and how long a caller waits for the load. `false` turns off what the
 * namespace or the cache sets.
 */
export interface LoadOptions {
  /**
   * Refreshes a fresh value in the background before it expires. The nearer the expiry and the longer the last load
   * took, the more likely a hit starts the refresh: XFetch (Vattani, Chierichetti, Lowenstein: "Optimal Probabilistic
   * Cache Stampede Prevention", VLDB 2015). A `beta` of 1 is that of the paper; 2 begins about twice as early.
   * @default the namespace's, then the cache's, then `false`
   */
  readonly earlyRefresh?: { readonly beta: number } | false | undefined
  /**
   * The time, in seconds or with a unit (`'200ms'`), for which a caller waits for a load before it is served a stale
   * value, if there is one within `staleIfError`. The load continues in the background.
   * @default the namespace's, then the cache's, then `false`: no bound
   */
  readonly softTimeout?: Duration | false | undefined
  /**
   * The time, in seconds or with a unit (`'2s'`), for which a caller waits for a load before its call rejects with
   * `CACHE_LOADER_TIMEOUT`, even if there is a stale value (a shorter `softTimeout` serves that). If no other caller waits,
   * the loader's signal aborts.
   * @default the namespace's, then the cache's, then `false`: no bound
   */
  readonly hardTimeout?: Duration | false | undefined
}

/**
 * The default options of the calls of a cache or a namespace. `false` in a namespace turns off what the cache, or the
 * namespace around it, has set.
 */
export interface PolicyOptions extends FreshnessOptions, LoadOptions {
  /**
   * Shadow verification: the fraction of hits (0 to 1) whose value is loaded once more in the background and compared
   * with the served one by content, after both went through the serializer. The `verify` event has the result. A difference counts as stale if the entry is still served
   * after the `grace`, which leaves time for the invalidation of a change that is just being made.
   * @default the namespace's, then the cache's, then `false`; `grace`, in seconds or with a unit, is `'1s'`
   */
  readonly verify?: { readonly sample: number; readonly grace?: Duration | undefined } | false | undefined
}

/** How old a value may be for one caller. */
export interface AgeOptions {
  /**
   * The age, in seconds or with a unit (`'30s'`), beyond which this call treats a value as stale: it is served within its
   * stale windows, counted from that age on, else loaded; the new value replaces it for everybody. An age counts from the
   * beginning of the load. A value whose age is not known (a plain value) is too old. Longer than its `ttl`, it changes
   * nothing.
   * @default none: a value is fresh for its `ttl`
   */
  readonly maxAge?: Duration | undefined
}

/** Options of `getOrSet`. */
export interface GetOrSetOptions extends EntryOptions, LoadOptions, AgeOptions, BackgroundOptions {
  /** Detaches this caller: its promise rejects with the signal's reason. The load continues for other callers. */
  readonly signal?: AbortSignal | undefined
}

export const EARLY_REFRESH_OPTIONS: KnownOptions = {
  of: 'earlyRefresh',
  names: { beta: 'value' } satisfies OptionNames<Exclude<LoadOptions['earlyRefresh'], false | undefined>>,
}

export const VERIFY_OPTIONS: KnownOptions = {
  of: 'verify',
  names: { sample: 'value', grace: 'duration' } satisfies OptionNames<
    Exclude<PolicyOptions['verify'], false | undefined>
  >,
}

const FRESHNESS_NAMES: OptionNames<FreshnessOptions> = {
  ttl: 'duration',
  jitter: 'value',
  staleWhileRevalidate: 'duration',
  staleIfError: 'duration',
}

/** The names of {@link ValueOptions}. */
export const VALUE_NAMES: OptionNames<ValueOptions> = { ...FRESHNESS_NAMES, expiresAt: 'value' }

const LOAD_NAMES: OptionNames<LoadOptions> = {
  earlyRefresh: EARLY_REFRESH_OPTIONS,
  softTimeout: 'duration',
  hardTimeout: 'duration',
}

/** The names of {@link PolicyOptions}. */
export const POLICY_NAMES: OptionNames<PolicyOptions> = {
  ...FRESHNESS_NAMES,
  ...LOAD_NAMES,
  verify: VERIFY_OPTIONS,
}

/** The names of {@link GetOrSetOptions}. */
export const GET_OR_SET_NAMES: OptionNames<GetOrSetOptions> = {
  ...VALUE_NAMES,
  tags: 'value',
  ...LOAD_NAMES,
  maxAge: 'duration',
  signal: 'value',
  background: 'value',
}

/**
 * What the options of a call may contain. Those of a `getOrSet` may also be passed to a `set` or an `explain`, which
 * ignore some of them.
 */
export const CALL_OPTIONS: KnownOptions = { of: 'the call', names: GET_OR_SET_NAMES }

/** What `setOptions` of a loader's context may contain. */
export const SET_OPTIONS: KnownOptions = { of: 'setOptions', names: VALUE_NAMES }
