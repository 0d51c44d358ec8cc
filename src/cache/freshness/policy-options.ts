import type { BackgroundOptions } from '../../contract/background-hook.ts'
import type { KnownOptions, OptionNames } from '../../foundation/option-checks.ts'
import type { Duration } from '../../foundation/time/duration.ts'

/** Which errors of a loader a stale value hides, and for how long after its `ttl`. */
export interface StaleIfErrorOptions {
  /** The time, in seconds or with a unit (`'5m'`). */
  readonly for: Duration
  /**
   * Whether an error of the loader is an outage of the source (`true`) or its answer (`false`). A stale value hides an
   * outage. After an answer, the call rejects with the error, and what is cached is dropped in all processes, unless
   * somebody has stored a newer value meanwhile. If this function throws or returns anything else, an `error` event tells
   * so, and the default decides.
   * @default an HTTP status from 400 to 499 in `status`, `statusCode` or `response.status` of the error, other than 408,
   * 425 and 429, is an answer; every other error is an outage
   */
  readonly when?: ((error: unknown) => boolean) | undefined
}

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
   * (RFC 5861), or is slower than `softTimeout`. It is stored with the value. An object also says by `when` which errors
   * are answers of the source, which no stale value hides. A given option replaces the one around it as a whole.
   * @default the namespace's, then the cache's, then `false`
   */
  readonly staleIfError?: Duration | StaleIfErrorOptions | false | undefined
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

/** The options that say how long a load that brought no value is not repeated. `false` turns off what is set around. */
export interface LoadPauseOptions {
  /**
   * The time, in seconds or with a unit (`'10s'`), for which no process tries a load again that has failed while a stale
   * value was there. It is served meanwhile. Writes and invalidations of the key end that time, and so does
   * `refresh()`. At most a minute, since every process ignores a lease that claims to last longer.
   * @default the namespace's, then the cache's, then `false`
   */
  readonly retryAfterError?: Duration | false | undefined
  /**
   * The time, in seconds or with a unit (`'5s'`), for which a failed load is remembered where no stale value is there:
   * calls reject without calling the loader. The process that called it throws the same error again, and others a
   * CacheError `CACHE_SOURCE_FAILED`. Writes and removals of the key end that time, and so does `refresh()`. At most a
   * minute, as for `retryAfterError`.
   * @default the namespace's, then the cache's, then `false`
   */
  readonly errorTtl?: Duration | false | undefined
  /**
   * The time, in seconds or with a unit (`'30s'`), for which it is remembered that the source has no value: a loader has
   * returned `undefined`. Calls answer `undefined` without calling the loader. It is an entry with the tags of the call,
   * which invalidations reach as any other.
   * @default the namespace's, then the cache's, then `false`: `undefined` is not cached
   */
  readonly absentTtl?: Duration | false | undefined
}

/**
 * The options that say when a value is loaded, and how long a caller waits for the load. `false` turns off what the
 * namespace or the cache sets.
 */
export interface LoadOptions extends LoadPauseOptions {
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
  /**
   * Whether a loaded value depends on what its loader reads from the same cache: `true` binds its entry to the tags and
   * namespaces of the entries that were read, as they were, and serves it no longer than each of them. A `delete` of a key
   * that was read is not among what reaches it. What the loader reads and the cache does not keep, rules out that the value
   * is stored; the `inherit-refused` event tells why.
   * @default the namespace's, then the cache's, then `false`
   */
  readonly inherit?: boolean | undefined
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

/** What a loader may say of its own load, by `setOptions` of its context. */
export interface ContextOptions extends ValueOptions, LoadPauseOptions {}

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

/** Which copies of a value in this process are good enough for one caller. */
export interface CopyOptions {
  /**
   * The longest time, in seconds or with a unit (`'1s'`), since this process has read the copy from Redis. For this caller
   * an older one does not count, and Redis is asked. The time since its load began is `maxAge`.
   */
  readonly ttl: Duration
}

/** What one call does with the entries that this process keeps. */
export interface LocalReadOptions {
  /**
   * `false` asks Redis, also for what this process knows of the tags of the entry, and keeps nothing of the answer here. The
   * call joins no read and no load that began before it, and neither sees nor stores anything older than an invalidation that
   * was acknowledged to any process before it. It costs one more round trip on a cluster, and on the bus, if the entry has
   * tags. An object says how old a copy here may be; `true` is the default.
   * @default the local tier is asked first, as the namespace says
   */
  readonly local?: CopyOptions | boolean | undefined
  /**
   * A token of `cache.mark()`, also of another process: the answer reflects all that was acknowledged before the token was
   * made. A copy here is served if this process has proof of that, which it seeks at least once within `coherence.trust`;
   * until then, and for any other text, the call is one with `local: false`.
   * @default none
   */
  readonly atLeast?: string | undefined
}

/** Options of `getOrSet`. */
export interface GetOrSetOptions
  extends EntryOptions,
    LoadOptions,
    AgeOptions,
    LocalReadOptions,
    BackgroundOptions {
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

/** What `local` of a call may contain, if it is an object. */
export const COPY_OPTIONS: KnownOptions = {
  of: 'local of a call',
  main: 'ttl',
  names: { ttl: 'duration' } satisfies OptionNames<CopyOptions>,
  instead: {
    maxEntries: 'bounds belong to a namespace, or to the cache',
    maxBytes: 'bounds belong to a namespace, or to the cache',
  },
}

/** What `staleIfError` may contain, if it is an object. */
export const STALE_IF_ERROR_OPTIONS: KnownOptions = {
  of: 'staleIfError',
  main: 'for',
  names: { for: 'duration', when: 'value' } satisfies OptionNames<StaleIfErrorOptions>,
}

const FRESHNESS_NAMES: OptionNames<FreshnessOptions> = {
  ttl: 'duration',
  jitter: 'value',
  staleWhileRevalidate: 'duration',
  staleIfError: STALE_IF_ERROR_OPTIONS,
}

const LOAD_PAUSE_NAMES: OptionNames<LoadPauseOptions> = {
  retryAfterError: 'duration',
  errorTtl: 'duration',
  absentTtl: 'duration',
}

/** The names of {@link ValueOptions}. */
export const VALUE_NAMES: OptionNames<ValueOptions> = { ...FRESHNESS_NAMES, expiresAt: 'value' }

const LOAD_NAMES: OptionNames<LoadOptions> = {
  earlyRefresh: EARLY_REFRESH_OPTIONS,
  softTimeout: 'duration',
  hardTimeout: 'duration',
  inherit: 'value',
  ...LOAD_PAUSE_NAMES,
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
  local: COPY_OPTIONS,
  atLeast: 'value',
  signal: 'value',
  background: 'value',
}

/**
 * What the options of a call may contain. Those of a `getOrSet` may also be passed to a `set` or an `explain`, which
 * ignore some of them.
 */
export const CALL_OPTIONS: KnownOptions = { of: 'the call', names: GET_OR_SET_NAMES }

/** What `setOptions` of a loader's context may contain. */
export const CONTEXT_OPTIONS: KnownOptions = {
  of: 'setOptions',
  names: { ...VALUE_NAMES, ...LOAD_PAUSE_NAMES } satisfies OptionNames<ContextOptions>,
}
