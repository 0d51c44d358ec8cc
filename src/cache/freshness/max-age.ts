import { type Duration, parseDuration } from '../../foundation/time/duration.ts'
import { type CopyTimes, type EntryTimes, type Servable, servable, servableAsRead } from './servable.ts'

/** The part of an entry that tells how old it is, and for how long it may be served as stale. */
export interface AgedEntry {
  /** When its load began, in milliseconds of this process's monotonic clock; `undefined` if that is not known. */
  readonly bornMs: number | undefined
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
}

/**
 * The milliseconds of a `maxAge`; `undefined` if it is no bound.
 * @throws CacheError `CACHE_INVALID_DURATION`
 */
export function maxAgeOf(maxAge: Duration | undefined): number | undefined {
  if (maxAge === undefined) return undefined
  const ms = parseDuration(maxAge, 'maxAge', 'refresh() loads a value whatever its age')
  return ms === Number.POSITIVE_INFINITY ? undefined : ms
}

/** Whether an entry is too old for a caller. One whose age is not known is. */
export function isTooOld({ bornMs }: AgedEntry, nowMs: number, maxAgeMs: number | undefined): boolean {
  return maxAgeMs !== undefined && (bornMs === undefined || nowMs - bornMs > maxAgeMs)
}

/**
 * How an entry that has just been read may be served to a caller. For one with a `maxAge`, the entry ceases to be fresh
 * when it reaches that age, if it does not before, and its stale windows begin then.
 */
export function servableAsReadTo(
  maxAgeMs: number | undefined,
  entry: AgedEntry & EntryTimes,
  nowMs: number,
): Servable {
  return laterOf(servableAsRead(entry, nowMs), entry, nowMs, maxAgeMs)
}

/** As {@link servableAsReadTo}, for a local copy. */
export function servableTo(
  maxAgeMs: number | undefined,
  copy: AgedEntry & CopyTimes,
  nowMs: number,
): Servable {
  return laterOf(servable(copy, nowMs), copy, nowMs, maxAgeMs)
}

const RANKS: Readonly<Record<Servable, number>> = { fresh: 0, revalidate: 1, error: 2, no: 3 }

function laterOf(how: Servable, entry: AgedEntry, nowMs: number, maxAgeMs: number | undefined): Servable {
  if (maxAgeMs === undefined) return how
  const byAge = servableByAge(entry, nowMs, maxAgeMs)
  return RANKS[how] > RANKS[byAge] ? how : byAge
}

function servableByAge(entry: AgedEntry, nowMs: number, maxAgeMs: number): Servable {
  const { bornMs, staleIfErrorMs, staleWhileRevalidateMs } = entry
  if (bornMs === undefined) return 'no'
  const overMs = nowMs - bornMs - maxAgeMs
  if (overMs <= 0) return 'fresh'
  if (overMs < staleWhileRevalidateMs) return 'revalidate'
  return overMs < staleIfErrorMs ? 'error' : 'no'
}
