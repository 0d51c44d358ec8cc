import { shown } from '../../foundation/errors/shown-value.ts'
import { invalidOptions, type KnownOptions, type OptionNames } from '../../foundation/option-checks.ts'
import { type Duration, parseDuration } from '../../foundation/time/duration.ts'

/** Options of `delete`, `deleteMany`, `expire`, `invalidateTags` and `clear`. */
export interface InvalidationOptions {
  /**
   * What the invalidation is for, such as `'order.paid'`. `explain` tells it in every process, with the time and the name of
   * this process (`processName`). At most 64 bytes, without control characters; it lies in Redis unencrypted. For keys it
   * costs one more command each, on the same round trip, and is kept for an hour.
   * @default nothing is remembered
   */
  readonly by?: string | undefined
}

/** Options of `expireTags`. */
export interface ExpireTagsOptions extends InvalidationOptions {
  /**
   * The time over which the entries become stale, each at a moment of its own that is the same in every process; at most
   * `'1d'`. So the source is not asked for all of them at once. If a call follows another one of the same tag within a
   * minute, or within the time that this is spread over, the shorter time of the two counts.
   * @default at once
   */
  readonly over?: Duration | undefined
}

const NAMES: OptionNames<InvalidationOptions> = { by: 'value' }
export const INVALIDATION_OPTIONS: KnownOptions = { of: 'the invalidation', names: NAMES }
export const EXPIRE_TAGS_OPTIONS: KnownOptions = {
  of: 'expireTags',
  names: { ...NAMES, over: 'duration' } satisfies OptionNames<ExpireTagsOptions>,
}

const LONGEST_SPREAD_MS = 86_400_000

/** The milliseconds of `over`. @throws CacheError `CACHE_INVALID_DURATION`, `CACHE_INVALID_OPTIONS` */
export function spreadOf({ over }: ExpireTagsOptions): number {
  if (over === undefined) return 0
  const overMs = parseDuration(over, 'over', 'leave it out to expire all at once')
  if (overMs <= LONGEST_SPREAD_MS) return Math.round(overMs)
  throw invalidOptions(`over must be a day at most, not ${shown(over)}`)
}
