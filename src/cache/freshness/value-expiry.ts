import { isDate } from 'node:util/types'
import { invalidOptions, refusedOption } from '../../foundation/option-checks.ts'
import type { ValueOptions } from './policy-options.ts'

/** A smaller number of milliseconds lies before March 1973, and was meant as seconds. */
const LEAST_MS = 1e11
/** The last time that a `Date` can hold. */
const LAST_MS = 8.64e15

/**
 * When a value ceases to be fresh, in milliseconds since 1970; `undefined` if its `ttl` applies. The options of a loader
 * or a call go over those around them: a `ttl` replaces an `expiresAt`, and the other way round.
 * @throws CacheError `CACHE_INVALID_OPTIONS`, also if both are given
 */
export function expiryOf(
  { expiresAt, ttl }: ValueOptions,
  around: { readonly expiresAtMs: number | undefined },
): number | undefined {
  if (expiresAt === undefined) return ttl === undefined ? around.expiresAtMs : undefined
  if (ttl !== undefined) throw invalidOptions('Either ttl or expiresAt may be given, not both')
  const atMs = isDate(expiresAt) ? expiresAt.getTime() : expiresAt
  const isMoment = typeof atMs === 'number' && Math.abs(atMs) <= LAST_MS
  if (isMoment && (isDate(expiresAt) || atMs >= LEAST_MS)) return atMs
  const isInSeconds = isMoment && atMs > 0
  throw refusedOption(
    'expiresAt',
    `a valid Date, or milliseconds since 1970${isInSeconds ? ' (seconds, times 1000)' : ''}`,
    expiresAt,
  )
}

/**
 * The options of `common` and those of `own`, which go over them unless they are `undefined`. A lifetime of either kind
 * replaces the other.
 */
export function overridden<Common extends ValueOptions, Own extends ValueOptions>(
  common: Common,
  own: Own,
): Common & Own {
  const given = Object.fromEntries(Object.entries(own ?? {}).filter(([, value]) => value !== undefined))
  const isReplaced = given.ttl !== undefined || given.expiresAt !== undefined
  return { ...common, ...(isReplaced && { ttl: undefined, expiresAt: undefined }), ...given } as Common & Own
}
