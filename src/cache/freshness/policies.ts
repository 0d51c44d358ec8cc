import { assertCacheKey } from '../../foundation/cache-key.ts'
import { CacheError } from '../../foundation/errors/cache-error.ts'
import { shown } from '../../foundation/errors/shown-value.ts'
import { assertOptions, refusedOption } from '../../foundation/option-checks.ts'
import { LONGEST_TIMER_MS } from '../../foundation/time/clock.ts'
import { type Duration, parseDuration } from '../../foundation/time/duration.ts'
import { type IsOutage, idOfRule } from './outage-rule.ts'
import {
  EARLY_REFRESH_OPTIONS,
  type FreshnessOptions,
  type PolicyOptions,
  STALE_IF_ERROR_OPTIONS,
  type ValueOptions,
  VERIFY_OPTIONS,
} from './policy-options.ts'
import { expiryOf } from './value-expiry.ts'

/** {@link PolicyOptions}, resolved; times are in milliseconds, and `Infinity` if there is no bound. */
export interface Policies {
  readonly ttlMs: number
  /** When the value ceases to be fresh, in milliseconds since 1970; `undefined` if `ttlMs` applies. */
  readonly expiresAtMs: number | undefined
  readonly jitter: number
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  /** Whether the error of a loader is an outage; `undefined` = `isOutageByStatus` decides. */
  readonly isOutage: IsOutage | undefined
  /** How long a load that failed beside a stale value is not tried again; 0 = it may be tried at once. */
  readonly retryAfterErrorMs: number
  /** How long a failed load is remembered; 0 = not at all. */
  readonly errorTtlMs: number
  /** How long it is remembered that the source has no value; 0 = not at all. */
  readonly absentTtlMs: number
  /** 0 = no early refresh. */
  readonly earlyBeta: number
  readonly softTimeoutMs: number
  readonly hardTimeoutMs: number
  /** 0 = no verification. */
  readonly verifySample: number
  readonly verifyGraceMs: number
  /** Whether an entry inherits from those that its loader reads. */
  readonly inherit: boolean
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
    expiresAtMs: undefined,
    jitter: 0,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    isOutage: undefined,
    retryAfterErrorMs: 0,
    errorTtlMs: 0,
    absentTtlMs: 0,
    earlyBeta: 0,
    softTimeoutMs: NO_BOUND,
    hardTimeoutMs: NO_BOUND,
    verifySample: 0,
    verifyGraceMs: 1_000,
    inherit: false,
  })
}

/** The most tags of an entry. */
export const MOST_TAGS = 64
export const NO_TAGS: readonly string[] = []

/**
 * The policies of a call, a namespace or a cache: its own options, and for the rest the policies around it.
 * @throws CacheError `CACHE_INVALID_DURATION`, `CACHE_INVALID_OPTIONS`
 */
export function resolvePolicies(options: PolicyOptions & ValueOptions, around: Policies): Policies {
  if (saysNothing(options)) return around
  const { earlyRefresh, hardTimeout, jitter, softTimeout, staleIfError, staleWhileRevalidate, ttl, verify } =
    options
  const { absentTtl, errorTtl, inherit, retryAfterError } = options
  return {
    ttlMs: ttl === undefined ? around.ttlMs : parseTtl(ttl),
    expiresAtMs: expiryOf(options, around),
    jitter: jitter === undefined ? around.jitter : jitterOf(jitter),
    staleWhileRevalidateMs:
      staleWhileRevalidate === undefined
        ? around.staleWhileRevalidateMs
        : durationOr(0, 'staleWhileRevalidate', staleWhileRevalidate),
    staleIfErrorMs: staleIfError === undefined ? around.staleIfErrorMs : errorWindowOf(staleIfError),
    isOutage: staleIfError === undefined ? around.isOutage : outageRuleOf(staleIfError),
    retryAfterErrorMs:
      retryAfterError === undefined ? around.retryAfterErrorMs : pauseOf('retryAfterError', retryAfterError),
    absentTtlMs: absentTtl === undefined ? around.absentTtlMs : durationOr(0, 'absentTtl', absentTtl),
    errorTtlMs: errorTtl === undefined ? around.errorTtlMs : pauseOf('errorTtl', errorTtl),
    earlyBeta: earlyRefresh === undefined ? around.earlyBeta : betaOf(earlyRefresh),
    softTimeoutMs:
      softTimeout === undefined ? around.softTimeoutMs : durationOr(NO_BOUND, 'softTimeout', softTimeout),
    hardTimeoutMs:
      hardTimeout === undefined ? around.hardTimeoutMs : durationOr(NO_BOUND, 'hardTimeout', hardTimeout),
    verifySample: verify === undefined ? around.verifySample : sampleOf(verify),
    verifyGraceMs: verify === undefined ? around.verifyGraceMs : graceOf(verify),
    inherit: inherit === undefined ? around.inherit : inheritOf(inherit),
  }
}

/** A text that tells these policies from others. Two rules for errors are the same if they are one function. */
export function idOfPolicies(policies: Policies): string {
  const { isOutage } = policies
  const text = JSON.stringify(policies)
  return isOutage === undefined ? text : `${text} ${idOfRule(isOutage)}`
}

/** Most calls have no policy options, and should cost nothing. */
function saysNothing(options: PolicyOptions & ValueOptions): boolean {
  return (
    options.ttl === undefined &&
    options.expiresAt === undefined &&
    options.jitter === undefined &&
    options.staleWhileRevalidate === undefined &&
    options.staleIfError === undefined &&
    options.retryAfterError === undefined &&
    options.errorTtl === undefined &&
    options.absentTtl === undefined &&
    options.earlyRefresh === undefined &&
    options.softTimeout === undefined &&
    options.hardTimeout === undefined &&
    options.verify === undefined &&
    options.inherit === undefined
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
  throw new CacheError('CACHE_INVALID_ARGUMENT', `There may be at most ${MOST_TAGS} tags, not ${count}`)
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

type StaleIfError = Exclude<FreshnessOptions['staleIfError'], undefined>

function errorWindowOf(staleIfError: StaleIfError): number {
  if (typeof staleIfError !== 'object' || staleIfError === null) {
    return durationOr(0, 'staleIfError', staleIfError)
  }
  assertOptions(staleIfError, STALE_IF_ERROR_OPTIONS)
  return parseDuration(staleIfError.for, 'staleIfError.for', 'staleIfError: false turns it off')
}

function outageRuleOf(staleIfError: StaleIfError): IsOutage | undefined {
  if (typeof staleIfError !== 'object') return undefined
  const { when } = staleIfError
  if (when === undefined || typeof when === 'function') return when
  throw refusedOption('staleIfError.when', 'a function', when)
}

/** The longest pause after a failed load: processes ignore a deadline that is further off (T7). */
const LONGEST_PAUSE_MS = 60_000

function pauseOf(name: string, duration: Duration | false): number {
  const ms = durationOr(0, name, duration)
  if (ms <= LONGEST_PAUSE_MS) return ms
  throw refusedOption(name, 'a minute at most', duration)
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

function inheritOf(inherit: unknown): boolean {
  if (typeof inherit === 'boolean') return inherit
  throw refusedOption('inherit', 'true or false', inherit)
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
