import { servable, servableAsRead } from '../freshness/servable.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import type { ExplainedNext } from './explanation.ts'

/** What the shared tier holds, as far as it matters to a `getOrSet`. */
export type SharedProspect =
  | { readonly state: 'absent' }
  | { readonly state: 'foreign' }
  /** Nothing that is to be read may be read. */
  | { readonly state: 'unreachable'; readonly why: string }
  /** Something that is replaced, whoever may be refreshing it. */
  | { readonly state: 'unusable'; readonly why: string }
  | { readonly state: 'usable'; readonly entry: LocalEntry }

/** All that a `getOrSet` goes by. Times are of this process's monotonic clock. */
export interface Prospect {
  readonly nowMs: number
  /** What this process keeps, where nothing but its time speaks against serving it. */
  readonly local: LocalEntry | undefined
  /** Whether there is a load in this process that a newcomer may join. */
  readonly flight: 'none' | 'open' | 'closed'
  /** What that load serves to a newcomer meanwhile, as long as its time allows it. */
  readonly meanwhile: LocalEntry | undefined
  /** Whether the circuit lets the read through. */
  readonly isAdmitting: boolean
  readonly shared: SharedProspect
  /** How long the lease of the key is still held, 0 where it is free. */
  readonly leaseLeftMs: number
  /** Whether it is this process that holds it. */
  readonly isOwnLease: boolean
  /** As `earlyRefresh`; 0 = off. */
  readonly earlyBeta: number
}

/** What a `getOrSet` does: the way of `NamespaceReads.getOrSet` and `SingleFlight`, without going it. */
export function nextOf(prospect: Prospect): ExplainedNext {
  const { flight, isAdmitting, local, nowMs, shared } = prospect
  const how = local === undefined ? 'no' : servable(local, nowMs)
  if (local !== undefined && how === 'fresh') {
    return served('serve-local', 'this process keeps it, fresh', local, prospect)
  }
  if (local !== undefined && how === 'revalidate') return stale(local, prospect)
  if (flight === 'open') return nextOfNewcomer(prospect)
  if (!isAdmitting) {
    return {
      step: 'load-uncached',
      reason: 'the circuit is open: Redis has not been answering, and is not asked',
    }
  }
  switch (shared.state) {
    case 'unreachable':
      return { step: 'load-uncached', reason: `Redis cannot be asked: ${shared.why}` }
    case 'foreign':
      return {
        step: 'load-uncached',
        reason: 'another program keeps something under this key that is no string',
      }
    case 'unusable':
      return { step: 'load', reason: shared.why }
    case 'absent':
      return waitOr(prospect, 'neither this process nor Redis has it')
    case 'usable':
      return nextOfUsable(shared.entry, prospect)
  }
}

function nextOfNewcomer(prospect: Prospect): ExplainedNext {
  const { earlyBeta, meanwhile, nowMs } = prospect
  const how = meanwhile === undefined ? 'no' : servable(meanwhile, nowMs)
  if (meanwhile === undefined || (how !== 'fresh' && how !== 'revalidate')) {
    return { step: 'join', reason: 'this process is loading it already' }
  }
  if (how === 'revalidate') return stale(meanwhile, prospect)
  return {
    step: 'serve-shared',
    reason: 'Redis has it, fresh, while this process is loading it anew already',
    ...(earlyBeta > 0 && { earlyRefreshChance: 0 }),
  }
}

function nextOfUsable(entry: LocalEntry, prospect: Prospect): ExplainedNext {
  const { nowMs } = prospect
  const how = servableAsRead(entry, nowMs)
  if (how === 'fresh') return served('serve-shared', 'Redis has it, fresh', entry, prospect)
  if (how === 'revalidate') return stale(entry, prospect)
  const isWanted = entry.staleWhileRevalidateMs > 0
  return waitOr(
    prospect,
    isWanted ? 'its time to live and staleWhileRevalidate have passed' : 'its time to live has passed',
  )
}

function served(
  step: 'serve-local' | 'serve-shared',
  reason: string,
  entry: LocalEntry,
  { earlyBeta, flight, nowMs }: Prospect,
): ExplainedNext {
  if (earlyBeta === 0) return { step, reason }
  const isBeingLoaded = step === 'serve-local' && flight !== 'none'
  return {
    step,
    reason,
    earlyRefreshChance: isBeingLoaded ? 0 : entry.earlyRefreshChance(earlyBeta, nowMs),
  }
}

function stale(entry: LocalEntry, { flight, isOwnLease, nowMs }: Prospect): ExplainedNext {
  const past = 'it is past its time to live, within staleWhileRevalidate;'
  if (nowMs < entry.leasedUntilMs && !isOwnLease) {
    return { step: 'serve-stale', refresh: 'elsewhere', reason: `${past} it is being loaded anew already` }
  }
  if (flight !== 'none' || isOwnLease) {
    return { step: 'serve-stale', refresh: 'here', reason: `${past} this process is loading it anew already` }
  }
  return {
    step: 'serve-stale',
    refresh: 'begins',
    reason: `${past} this call has it loaded anew in the background`,
  }
}

function waitOr({ isOwnLease, leaseLeftMs }: Prospect, why: string): ExplainedNext {
  if (leaseLeftMs <= 0) return { step: 'load', reason: why }
  const who = isOwnLease ? 'an earlier load of this process' : 'another process'
  return { step: 'wait', reason: `${why}; ${who} is loading it, and holds the lease` }
}
