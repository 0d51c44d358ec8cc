import { assertOptions, refusedOption } from '../../foundation/option-checks.ts'
import { parseDuration } from '../../foundation/time/duration.ts'
import { type AgedEntry, isTooOld, maxAgeOf } from './max-age.ts'
import { COPY_OPTIONS, type GetOrSetOptions, type LocalReadOptions } from './policy-options.ts'

/** The part of a local copy that tells how long ago it was read. */
export interface ReadCopy {
  /** In milliseconds of this process's monotonic clock. */
  readonly readAtMs: number
}

/**
 * How long ago a copy may have been read, in milliseconds: 0 for `local: false`, to which no copy is good enough;
 * `undefined` if there is no bound.
 * @throws CacheError `CACHE_INVALID_OPTIONS`, `CACHE_INVALID_DURATION`
 */
export function copyTtlOf(local: LocalReadOptions['local']): number | undefined {
  if (local === undefined || local === true) return undefined
  if (local === false) return 0
  if (typeof local !== 'object') throw refusedOption('local', 'true, false, or an object with a ttl', local)
  assertOptions(local, COPY_OPTIONS)
  const ms = parseDuration(local.ttl, 'local.ttl', 'local: false asks Redis whatever is kept here')
  return ms === Number.POSITIVE_INFINITY ? undefined : ms
}

/** Whether a copy does not count for a caller. */
export function isPassedBy({ readAtMs }: ReadCopy, nowMs: number, copyTtlMs: number | undefined): boolean {
  return copyTtlMs !== undefined && (copyTtlMs === 0 || nowMs - readAtMs > copyTtlMs)
}

/**
 * Whether a fresh copy may be served to a call with these options, which were not checked yet: a call that gets the value
 * nowhere refuses a bad one.
 */
export function isGoodFor(
  copy: ReadCopy & AgedEntry,
  nowMs: number,
  { atLeast, local, maxAge, signal }: Pick<GetOrSetOptions, 'atLeast' | 'local' | 'maxAge' | 'signal'>,
  tier: { hasNewsOf(token: string): boolean },
): boolean {
  if (signal?.aborted) return false
  if (local === undefined && maxAge === undefined && atLeast === undefined) return true
  if (atLeast !== undefined && (typeof atLeast !== 'string' || !tier.hasNewsOf(atLeast))) return false
  try {
    return !isPassedBy(copy, nowMs, copyTtlOf(local)) && !isTooOld(copy, nowMs, maxAgeOf(maxAge))
  } catch {
    return false
  }
}
