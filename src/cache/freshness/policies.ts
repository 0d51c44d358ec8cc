import { CacheError } from '../../foundation/cache-error.ts'
import { assertCacheKey } from '../../foundation/cache-key.ts'
import { LONGEST_TIMER_MS } from '../../foundation/clock.ts'
import { type Duration, parseDuration } from '../../foundation/duration.ts'

/** How long a value is served. */
export interface FreshnessOptions {
  /** How long it is fresh. @default the namespace's, then the cache's `ttl` */
  readonly ttl?: Duration | undefined
  /**
   * The part of `ttl` by which it is shortened at random, from 0 to (but not including) 1: so that what was stored
   * together does not expire together. `0.1` spreads `'10m'` over 9 to 10 minutes.
   * @default the namespace's, then the cache's, then 0
   */
  readonly jitter?: number | undefined
  /**
   * How long after its `ttl` it is still served while one process loads a new one (RFC 5861).
   * @default the namespace's, then the cache's, then 0
   */
  readonly staleWhileRevalidate?: Duration | 0 | undefined
  /**
   * How long after its `ttl` it is still served where the loader fails (RFC 5861), or is slower than `softTimeout`.
   * @default the namespace's, then the cache's, then 0
   */
  readonly staleIfError?: Duration | 0 | undefined
}

/** How long a value is served, and what invalidates it. */
export interface EntryOptions extends FreshnessOptions {
  /** Names under which it can be invalidated, at most 64. An entry that lacks one of them is loaded anew. */
  readonly tags?: readonly string[] | undefined
}

/** When a value is loaded, and how long a caller waits for that. */
export interface LoadOptions {
  /**
   * Loads a fresh value anew before it expires, in the background, the more likely the nearer its expiry and the
   * longer its last load took: XFetch (Vattani, Chierichetti, Lowenstein: "Optimal Probabilistic Cache Stampede
   * Prevention", VLDB 2015). `beta` scales how early: 1 is the paper's, 2 begins about twice as early.
   * @default the namespace's, then the cache's, then `false`
   */
  readonly earlyRefresh?: { readonly beta: number } | false | undefined
  /**
   * How long a caller waits for a load before it is served a stale value, where there is one within
   * `staleIfError`; the load goes on in the background.
   * @default the namespace's, then the cache's, then no bound
   */
  readonly softTimeout?: Duration | undefined
  /**
   * How long a caller waits for a load before its call rejects with `CACHE_LOADER_TIMEOUT`. Where no other caller
   * waits, the loader's signal aborts.
   * @default the namespace's, then the cache's, then no bound
   */
  readonly hardTimeout?: Duration | undefined
}

/** What holds for the calls of a cache or a namespace that do not say otherwise. */
export interface PolicyOptions extends FreshnessOptions, LoadOptions {
  /**
   * Shadow verification: the part of hits (0 to 1) whose value is loaded once more in the background and compared
   * with what was served. What comes of it is told by the `verify` event. A difference metrics as stale where the
   * entry is still served `grace` later: time for the invalidation of a change that is just being made.
   * @default the namespace's, then the cache's, then `false`; `grace` is `'1s'`
   */
  readonly verify?: { readonly sample: number; readonly grace?: Duration | undefined } | false | undefined
}

/** Options of `getOrSet`. */
export interface GetOrSetOptions extends EntryOptions, LoadOptions {
  /** Detaches this caller: its promise rejects with the signal's reason. The load goes on for the others. */
  readonly signal?: AbortSignal | undefined
}

/** {@link PolicyOptions} resolved; times in milliseconds, `Infinity` where there is no bound. */
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

/** Whether a caller may lose its patience; a bound that no timer can hold is none. */
export function isBounded({
  hardTimeoutMs,
  softTimeoutMs,
}: Pick<Policies, 'hardTimeoutMs' | 'softTimeoutMs'>): boolean {
  return Math.min(softTimeoutMs, hardTimeoutMs) <= LONGEST_TIMER_MS
}

/** What holds where nobody says anything. */
export function defaultPolicies(ttlMs: number): Policies {
  return Object.freeze({
    ttlMs,
    jitter: 0,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    earlyBeta: 0,
    softTimeoutMs: Number.POSITIVE_INFINITY,
    hardTimeoutMs: Number.POSITIVE_INFINITY,
    verifySample: 0,
    verifyGraceMs: 1_000,
  })
}

const MOST_TAGS = 64
export const NO_TAGS: readonly string[] = []

/**
 * What a call, a namespace or a cache says, over what holds around it.
 * @throws CacheError `CACHE_INVALID_DURATION`, `CACHE_INVALID_OPTIONS`
 */
export function resolvePolicies(options: PolicyOptions, around: Policies): Policies {
  if (saysNothing(options)) return around
  const { earlyRefresh, hardTimeout, jitter, softTimeout, staleIfError, staleWhileRevalidate, ttl, verify } =
    options
  return {
    ttlMs: ttl === undefined ? around.ttlMs : parseDuration(ttl),
    jitter: jitter === undefined ? around.jitter : part('jitter', jitter, jitter < 1),
    staleWhileRevalidateMs: window(staleWhileRevalidate, around.staleWhileRevalidateMs),
    staleIfErrorMs: window(staleIfError, around.staleIfErrorMs),
    earlyBeta: earlyRefresh === undefined ? around.earlyBeta : betaOf(earlyRefresh),
    softTimeoutMs: softTimeout === undefined ? around.softTimeoutMs : parseDuration(softTimeout),
    hardTimeoutMs: hardTimeout === undefined ? around.hardTimeoutMs : parseDuration(hardTimeout),
    ...(verify === undefined
      ? { verifySample: around.verifySample, verifyGraceMs: around.verifyGraceMs }
      : verifyOf(verify)),
  }
}

/** Most calls leave all as it is, and should cost nothing. */
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
  if (tags === undefined || tags.length === 0) return NO_TAGS
  if (!Array.isArray(tags)) throw new CacheError('CACHE_INVALID_ARGUMENT', 'tags must be an array of strings')
  for (const tag of tags) assertCacheKey(tag, 'tag')
  const distinct = [...new Set(tags)]
  if (distinct.length <= MOST_TAGS) return distinct
  throw new CacheError('CACHE_INVALID_ARGUMENT', `An entry may bear at most ${MOST_TAGS} tags`)
}

function window(duration: Duration | 0 | undefined, around: number): number {
  if (duration === undefined) return around
  return duration === 0 ? 0 : parseDuration(duration)
}

function betaOf(earlyRefresh: { readonly beta: number } | false): number {
  if (earlyRefresh === false) return 0
  const beta = earlyRefresh?.beta
  if (Number.isFinite(beta) && beta > 0) return beta
  throw new CacheError('CACHE_INVALID_OPTIONS', 'earlyRefresh must be false or { beta }, a positive number')
}

function verifyOf(
  verify: Exclude<PolicyOptions['verify'], undefined>,
): Pick<Policies, 'verifySample' | 'verifyGraceMs'> {
  if (verify === false) return { verifySample: 0, verifyGraceMs: 0 }
  return {
    verifySample: part('verify.sample', verify?.sample, true),
    verifyGraceMs: parseDuration(verify.grace ?? '1s'),
  }
}

/** A number from 0 to 1. */
function part(name: string, value: unknown, isInRange: boolean): number {
  if (typeof value === 'number' && value >= 0 && value <= 1 && isInRange) return value
  throw new CacheError('CACHE_INVALID_OPTIONS', `${name} must be a number from 0 to 1`)
}
