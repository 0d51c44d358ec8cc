import { isTooOld, servableAsReadTo, servableTo } from '../freshness/max-age.ts'
import { servableAsRead } from '../freshness/servable.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { ExplainedNext } from './explanation.ts'

/** What the shared tier holds, as far as a `getOrSet` looks at it. */
export type SharedSituation =
  | { readonly state: 'absent' }
  | { readonly state: 'foreign' }
  /** A change holds the key. */
  | { readonly state: 'changing' }
  /** It cannot be read. */
  | { readonly state: 'unavailable'; readonly why: string }
  /** A value that must not be served. A load replaces it, even if another process holds its lease. */
  | { readonly state: 'unusable'; readonly why: string }
  | { readonly state: 'usable'; readonly entry: LocalEntry }

/** Everything that a `getOrSet` bases its decision on. Times are in milliseconds of this process's monotonic clock. */
export interface Situation {
  readonly nowMs: number
  /** The local entry, if nothing but its times can prevent serving it. */
  readonly local: LocalEntry | undefined
  /** Whether this process has a flight of the key, and whether a newcomer may join it. */
  readonly flight: 'none' | 'open' | 'closed'
  /** The value that newcomers may be served while the flight runs, if its times allow it. */
  readonly meanwhile: LocalEntry | undefined
  /** Whether the circuit lets the read through. */
  readonly isAdmitting: boolean
  readonly shared: SharedSituation
  /** For how long the lease of the key is still held; 0 if it is free. */
  readonly leaseLeftMs: number
  /** Whether this process holds it. */
  readonly isOwnLease: boolean
  /** The tag of the call that a change holds. */
  readonly heldTag: string | undefined
  /** The age beyond which a value is stale for the call. */
  readonly maxAgeMs: number | undefined
  /** How long the last load, which has failed, is not to be tried again, and whether this call heeds that. */
  readonly pause: { readonly leftMs: number; readonly isHeeded: boolean }
  /** What a failed load, which this process remembers, leads to where Redis cannot be asked. */
  readonly remembered: 'stale' | 'error' | undefined
  /** As `earlyRefresh`; 0 = off. */
  readonly earlyBeta: number
}

export const NO_PAUSE: Situation['pause'] = { leftMs: 0, isHeeded: false }

/** What a `getOrSet` would do, by the same decisions as `NamespaceReads.getOrSet` and `SingleFlight`. */
export function predict(situation: Situation): ExplainedNext {
  const { flight, isAdmitting, local, maxAgeMs, nowMs, shared } = situation
  const how = local === undefined ? 'no' : servableTo(maxAgeMs, local, nowMs)
  if (local !== undefined && how === 'fresh') {
    return served('serve-local', 'this process has a fresh copy', local, situation)
  }
  if (local !== undefined && how === 'revalidate') return stale(local, situation)
  if (flight === 'open') return predictNewcomer(situation)
  if (!isAdmitting) {
    return uncached(situation, 'the circuit is open: Redis did not answer, so it is not asked')
  }
  switch (shared.state) {
    case 'unavailable':
      return uncached(situation, `Redis cannot be asked: ${shared.why}`)
    case 'foreign':
      return uncached(situation, 'another program stores a value under this key that is not a string')
    case 'changing':
      return { step: 'load-uncached', reason: 'a change holds the key, so what is loaded is not stored' }
    case 'unusable':
      return load(situation, shared.why)
    case 'absent':
      if (isPaused(situation)) return { step: 'reject', reason: REMEMBERED }
      return waitOr(situation, 'neither this process nor Redis has it')
    case 'usable':
      return predictUsable(shared.entry, situation)
  }
}

function uncached({ remembered }: Situation, why: string): ExplainedNext {
  if (remembered === 'error') return { step: 'reject', reason: `${why}; ${REMEMBERED}` }
  if (remembered === undefined) return { step: 'load-uncached', reason: why }
  return { step: 'serve-stale', refresh: 'paused', reason: `${why}; ${NOT_AGAIN}` }
}

function predictNewcomer(situation: Situation): ExplainedNext {
  const { earlyBeta, maxAgeMs, meanwhile, nowMs } = situation
  const how = meanwhile === undefined ? 'no' : servableTo(maxAgeMs, meanwhile, nowMs)
  if (meanwhile === undefined || (how !== 'fresh' && how !== 'revalidate')) {
    return { step: 'join', reason: 'this process is already loading it' }
  }
  if (how === 'revalidate') return stale(meanwhile, situation)
  return {
    step: 'serve-shared',
    reason: 'Redis has a fresh value, and this process is already loading a new one',
    ...(earlyBeta > 0 && { earlyRefreshChance: 0 }),
  }
}

function predictUsable(entry: LocalEntry, situation: Situation): ExplainedNext {
  const { maxAgeMs, nowMs } = situation
  const how = servableAsReadTo(maxAgeMs, entry, nowMs)
  if (how === 'fresh') return served('serve-shared', 'Redis has a fresh value', entry, situation)
  if (how === 'revalidate') return stale(entry, situation)
  if (how === 'error' && isPaused(situation) && entry.generationSet.isUnrefuted) {
    return { step: 'serve-stale', refresh: 'paused', reason: `it is within staleIfError; ${NOT_AGAIN}` }
  }
  const isWanted = entry.staleWhileRevalidateMs > 0
  if (isTooOldAlone(entry, situation)) {
    return waitOr(
      situation,
      `it is older than maxAge${isWanted ? ', and staleWhileRevalidate has passed since' : ''}`,
    )
  }
  return waitOr(
    situation,
    isWanted ? 'its time to live and staleWhileRevalidate have passed' : 'its time to live has passed',
  )
}

/** Whether an entry would be fresh for a call without this `maxAge`. */
function isTooOldAlone(entry: LocalEntry, { maxAgeMs, nowMs }: Situation): boolean {
  return servableAsRead(entry, nowMs) === 'fresh' && isTooOld(entry, nowMs, maxAgeMs)
}

function served(
  step: 'serve-local' | 'serve-shared',
  reason: string,
  entry: LocalEntry,
  { earlyBeta, flight, nowMs }: Situation,
): ExplainedNext {
  if (earlyBeta === 0) return { step, reason }
  const isBeingLoaded = step === 'serve-local' && flight !== 'none'
  return {
    step,
    reason,
    earlyRefreshChance: isBeingLoaded ? 0 : entry.earlyRefreshChance(earlyBeta, nowMs),
  }
}

const REMEMBERED = 'its last load has failed, and is remembered (errorTtl)'
const NOT_AGAIN = 'its last load has failed, and is not tried again yet (retryAfterError)'

function isPaused({ pause }: Situation): boolean {
  return pause.isHeeded && pause.leftMs > 0
}

function stale(entry: LocalEntry, situation: Situation): ExplainedNext {
  const { flight, isOwnLease, nowMs, pause } = situation
  const why = isTooOldAlone(entry, situation) ? 'older than maxAge' : 'past its time to live'
  const past = `it is ${why}, within staleWhileRevalidate;`
  if (isPaused(situation) || (pause.leftMs > 0 && nowMs < entry.leasedUntilMs)) {
    return { step: 'serve-stale', refresh: 'paused', reason: `${past} ${NOT_AGAIN}` }
  }
  if (nowMs < entry.leasedUntilMs && !isOwnLease) {
    return {
      step: 'serve-stale',
      refresh: 'elsewhere',
      reason: `${past} a new value is already being loaded`,
    }
  }
  if (flight !== 'none' || isOwnLease) {
    return {
      step: 'serve-stale',
      refresh: 'here',
      reason: `${past} this process is already loading a new value`,
    }
  }
  return {
    step: 'serve-stale',
    refresh: 'begins',
    reason: `${past} this call starts a load in the background`,
  }
}

function load({ heldTag }: Situation, reason: string): ExplainedNext {
  if (heldTag === undefined) return { step: 'load', reason }
  return {
    step: 'load-uncached',
    reason: `${reason}; a change holds the tag '${heldTag}', so what is loaded is not stored`,
  }
}

function waitOr(situation: Situation, why: string): ExplainedNext {
  const { isOwnLease, leaseLeftMs } = situation
  if (leaseLeftMs <= 0) return load(situation, why)
  const who = isOwnLease ? 'an earlier load of this process' : 'another process'
  return { step: 'wait', reason: `${why}; ${who} is loading it, and holds the lease` }
}
