import { assertCacheKey } from '../../foundation/cache-key.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { shown } from '../../foundation/errors/shown-value.ts'
import {
  assertOptions,
  type KnownOptions,
  type OptionNames,
  refusedOption,
} from '../../foundation/option-checks.ts'
import { LONGEST_TIMER_MS } from '../../foundation/time/clock.ts'
import { type Duration, parseDuration } from '../../foundation/time/duration.ts'

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

/** The options that say how long a value is served, and which tags invalidate it. */
export interface EntryOptions extends FreshnessOptions {
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

/** Options of `getOrSet`. */
export interface GetOrSetOptions extends EntryOptions, LoadOptions {
  /** Detaches this caller: its promise rejects with the signal's reason. The load continues for other callers. */
  readonly signal?: AbortSignal | undefined
}

const EARLY_REFRESH_OPTIONS: KnownOptions = {
  of: 'earlyRefresh',
  names: { beta: 'value' } satisfies OptionNames<Exclude<LoadOptions['earlyRefresh'], false | undefined>>,
}

const VERIFY_OPTIONS: KnownOptions = {
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
  ...FRESHNESS_NAMES,
  tags: 'value',
  ...LOAD_NAMES,
  signal: 'value',
}

/**
 * What the options of a call may contain. Those of a `getOrSet` may also be passed to a `set` or an `explain`, which
 * ignore some of them.
 */
export const CALL_OPTIONS: KnownOptions = { of: 'the call', names: GET_OR_SET_NAMES }

/** What `setOptions` of a loader's context may contain. */
export const FRESHNESS_OPTIONS: KnownOptions = { of: 'setOptions', names: FRESHNESS_NAMES }

/** {@link PolicyOptions}, resolved; times are in milliseconds, and `Infinity` if there is no bound. */
export interface Policies {
  readonly ttlMs: number
  readonly jitter: number
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  /** 0 = no early refresh. */
  readonly earlyBeta: number
  readonly softTimeoutMs: number
  readonly hardTimeoutMs: number
  /** 0 = no verification. */
  readonly verifySample: number
  readonly verifyGraceMs: number
}

/** Whether a caller waits for a limited time. A bound that no timer can hold does not count. */
export function isBounded({
  hardTimeoutMs,
  softTimeoutMs,
}: Pick<Policies, 'hardTimeoutMs' | 'softTimeoutMs'>): boolean {
  return Math.min(softTimeoutMs, hardTimeoutMs) <= LONGEST_TIMER_MS
}

const NO_BOUND = Number.POSITIVE_INFINITY

/** The policies of a cache without options. */
export function defaultPolicies(ttlMs: number): Policies {
  return Object.freeze({
    ttlMs,
    jitter: 0,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    earlyBeta: 0,
    softTimeoutMs: NO_BOUND,
    hardTimeoutMs: NO_BOUND,
    verifySample: 0,
    verifyGraceMs: 1_000,
  })
}

const MOST_TAGS = 64
export const NO_TAGS: readonly string[] = []

/**
 * The policies of a call, a namespace or a cache: its own options, and for the rest the policies around it.
 * @throws CacheError `CACHE_INVALID_DURATION`, `CACHE_INVALID_OPTIONS`
 */
export function resolvePolicies(options: PolicyOptions, around: Policies): Policies {
  if (saysNothing(options)) return around
  const { earlyRefresh, hardTimeout, jitter, softTimeout, staleIfError, staleWhileRevalidate, ttl, verify } =
    options
  return {
    ttlMs: ttl === undefined ? around.ttlMs : parseTtl(ttl),
    jitter: jitter === undefined ? around.jitter : jitterOf(jitter),
    staleWhileRevalidateMs:
      staleWhileRevalidate === undefined
        ? around.staleWhileRevalidateMs
        : durationOr(0, 'staleWhileRevalidate', staleWhileRevalidate),
    staleIfErrorMs:
      staleIfError === undefined ? around.staleIfErrorMs : durationOr(0, 'staleIfError', staleIfError),
    earlyBeta: earlyRefresh === undefined ? around.earlyBeta : betaOf(earlyRefresh),
    softTimeoutMs:
      softTimeout === undefined ? around.softTimeoutMs : durationOr(NO_BOUND, 'softTimeout', softTimeout),
    hardTimeoutMs:
      hardTimeout === undefined ? around.hardTimeoutMs : durationOr(NO_BOUND, 'hardTimeout', hardTimeout),
    verifySample: verify === undefined ? around.verifySample : sampleOf(verify),
    verifyGraceMs: verify === undefined ? around.verifyGraceMs : graceOf(verify),
  }
}

/** Most calls have no policy options, and should cost nothing. */
function saysNothing(options: PolicyOptions): boolean {
  return (
    options.ttl === undefined &&
    options.jitter === undefined &&
    options.staleWhileRevalidate === undefined &&
    options.staleIfError === undefined &&
    options.earlyRefresh === undefined &&
    options.softTimeout === undefined &&
    options.hardTimeout === undefined &&
    options.verify === undefined
  )
}

/** @throws CacheError `CACHE_INVALID_KEY`, `CACHE_INVALID_ARGUMENT` */
export function checkedTags(tags: readonly string[] | undefined): readonly string[] {
  if (tags === undefined) return NO_TAGS
  if (!Array.isArray(tags)) throw invalidTags(tags)
  if (tags.length === 0) return NO_TAGS
  for (const tag of tags) assertCacheKey(tag, 'tag')
  const distinct = [...new Set(tags)]
  assertTagCount(distinct.length)
  return distinct
}

/** @throws CacheError `CACHE_INVALID_ARGUMENT` if an entry cannot have so many tags */
export function assertTagCount(count: number): void {
  if (count <= MOST_TAGS) return
  throw new CacheError('CACHE_INVALID_ARGUMENT', `An entry may have at most ${MOST_TAGS} tags, not ${count}`)
}

/** The error of `tags` that are no array. */
export function invalidTags(tags: unknown): CacheError {
  return new CacheError('CACHE_INVALID_ARGUMENT', `tags must be an array of strings, not ${shown(tags)}`)
}

/**
 * The milliseconds of a `ttl`, which cannot be turned off.
 * @throws CacheError `CACHE_INVALID_DURATION`
 */
export function parseTtl(ttl: Duration): number {
  return parseDuration(ttl, 'ttl', "Infinity keeps a value; a loader's context.skip() does not store it")
}

/** @param off what `false` means */
function durationOr(off: number, name: string, duration: Duration | false): number {
  return duration === false ? off : parseDuration(duration, name, 'false turns it off')
}

function jitterOf(jitter: number | false): number {
  return jitter === false ? 0 : part('jitter', jitter, jitter < 1)
}

function betaOf(earlyRefresh: { readonly beta: number } | false): number {
  if (earlyRefresh === false) return 0
  assertOptions(earlyRefresh, EARLY_REFRESH_OPTIONS)
  const { beta } = earlyRefresh
  if (Number.isFinite(beta) && beta > 0) return beta
  throw refusedOption('earlyRefresh.beta', 'a positive number', beta)
}

type Verify = Exclude<PolicyOptions['verify'], undefined>

function sampleOf(verify: Verify): number {
  if (verify === false) return 0
  assertOptions(verify, VERIFY_OPTIONS)
  return part('verify.sample', verify.sample, true)
}

function graceOf(verify: Verify): number {
  return verify === false ? 0 : parseDuration(verify.grace ?? '1s', 'verify.grace')
}

/** A number from 0 to 1. @throws CacheError `CACHE_INVALID_OPTIONS` */
function part(name: string, value: unknown, isInRange: boolean): number {
  if (typeof value === 'number' && value >= 0 && value <= 1 && isInRange) return value
  throw refusedOption(name, isInRange ? 'a number from 0 to 1' : 'a number from 0 to below 1', value)
}
