import {
  type BoundGeneration,
  hasLease,
  isNobodys,
  leaseDeadlineMs,
  readLease,
} from '../../codec/envelope/entry-meta.ts'
import { HELD_GENERATION, readHold } from '../../codec/envelope/hold-mark.ts'
import { assertCacheKey } from '../../foundation/cache-key.ts'
import { abbreviate } from '../../foundation/errors/cache-error.ts'
import type { CacheCore } from '../core/cache-core.ts'
import { leftUntilExpiry } from '../core/new-lifetimes.ts'
import { localOf } from '../core/read-your-writes.ts'
import { type Accepts, isAccepted } from '../entries/acceptance.ts'
import { admission } from '../flights/admission.ts'
import type { Flight } from '../flights/flight.ts'
import type { Flights } from '../flights/flights.ts'
import { copyTtlOf } from '../freshness/copy-age.ts'
import { maxAgeOf, servableTo } from '../freshness/max-age.ts'
import { checkedTags, type Policies, resolvePolicies } from '../freshness/policies.ts'
import { CALL_OPTIONS, type GetOrSetOptions } from '../freshness/policy-options.ts'
import type { KeySpace } from '../keys/key-space.ts'
import { FailedLoads } from '../loading/failed-loads.ts'
import type { LocalEntry } from '../local/local-entry.ts'
import { LONGEST_LEASE_MS } from '../local/local-times.ts'
import { explainedInvalidation } from './explained-generations.ts'
import { type Asked, explainLocal, explainShared, type SharedFinding, secondsOf } from './explained-tiers.ts'
import type { ExplainedLease, ExplainedLoad, Explanation } from './explanation.ts'
import { explanationNotes } from './explanation-notes.ts'
import { explanationOf } from './explanation-text.ts'
import { inspectShared, type SharedInspection } from './inspect-shared.ts'
import { NO_PAUSE, predict, type SharedSituation } from './prediction.ts'

/** What {@link explain} needs. */
export interface ExplainParts {
  readonly core: CacheCore
  readonly flights: Flights
  readonly space: KeySpace
  readonly policies: Policies
  /** Whether a value may be served. @default every value may be served */
  readonly accepts?: Accepts | undefined
}

/** The options of the `getOrSet` that is asked about; `tags` and `earlyRefresh` matter most. */
export type ExplainOptions = Omit<GetOrSetOptions, 'signal'>

/** As `Cache.explain`. */
export async function explain(
  { accepts, core, flights, policies: around, space }: ExplainParts,
  key: string,
  options: ExplainOptions,
): Promise<Explanation> {
  assertCacheKey(key)
  core.calls.check(options, CALL_OPTIONS)
  const tags = checkedTags(options.tags)
  const policies = resolvePolicies(options, around)
  const maxAgeMs = maxAgeOf(options.maxAge)
  const asksLocal = localOf(options, core.tier)
  const copyTtlMs = copyTtlOf(asksLocal)
  const storedKey = space.storedKey(key)
  const generationKeys = core.generationKeys(space, storedKey, tags)
  const kept = () => core.local.peek(space.localName(key))
  const before = kept()
  const wasAccepted = before === undefined || accepts === undefined || (await accepts(before.value))
  const look = await inspectShared(
    core,
    storedKey,
    [
      ...generationKeys,
      ...(kept()?.generationSet.bound.map((one) => one.storedKey) ?? []),
      ...(flights.get(storedKey)?.generationKeys ?? []),
    ],
    accepts,
    space.isHeld,
  )
  // Nothing is awaited from here on, so all findings below belong to the same moment.
  const nowMs = core.clock.monotonicMs()
  const asked: Asked = {
    ...{ space, storedKey, tags, generationKeys, nowMs, maxAgeMs, copyTtlMs },
    since: asksLocal === false ? core.generations.mark() : undefined,
  }
  const entry = kept()
  const fits = entry === before ? wasAccepted : isAccepted(entry?.value, accepts)
  const flight = flights.get(storedKey)
  const local = explainLocal(core, asked, entry, fits, look)
  const shared = space.isHeld ? unusedShared(entry, look) : explainShared(core, asked, look)
  const isUndelivered = [
    storedKey,
    ...(look.opened?.entry?.generations ?? []).map((one) => one.storedKey),
  ].some((one) => core.outbox.has(one))
  const standing = standingOf(core, asked, flight, look)
  const lease = leaseOf(core, storedKey, flight, look)
  const isReleased = standing === 'replaced' && lease.isOwn && flight?.lease?.isHeld === true
  const next = predict({
    nowMs,
    maxAgeMs,
    local: local.serves === 'nothing' ? undefined : entry,
    flight: standing === 'replaced' ? 'closed' : standing,
    meanwhile: meanwhileOf(core, asked, flight, shared, look),
    isAdmitting: core.breakers.isAdmitting(core.tier.nodeOf(storedKey)),
    shared: situationOf(shared, isUndelivered),
    leaseLeftMs: isReleased || isUndelivered ? 0 : lease.leftMs,
    isOwnLease: lease.isOwn,
    heldTag: heldTagOf(asked, look),
    remembered: rememberedBy(core, { ...asked, accepts, policies }),
    pause: isUndelivered ? NO_PAUSE : { leftMs: lease.pauseLeftMs, isHeeded: heeds(policies, shared) },
    earlyBeta: policies.earlyBeta,
  })
  const invalidation = explainedInvalidation(look.invalidation, core.tier.serverNowMs(storedKey))
  const facts = {
    key: abbreviate(key),
    storedKey: abbreviate(storedKey),
    next,
    local,
    shared: shared.explained,
    ...(invalidation && { invalidation }),
    lease: lease.explained,
    load: loadOf(flight),
    cache: {
      coherence: core.coherence,
      circuit: core.breakers.stateOf(core.tier.nodeOf(storedKey)),
      undelivered: core.outbox.size,
      epoch: core.local.epoch,
    },
  }
  const asksForTtlMs = options.ttl === undefined ? undefined : policies.ttlMs
  const serverNowMs = core.tier.serverNowMs(storedKey)
  const isClockKnown = serverNowMs !== undefined
  const expiresInMs = isClockKnown ? leftUntilExpiry(core.tier, policies, serverNowMs) : undefined
  return explanationOf({
    ...facts,
    notes: explanationNotes(facts, { asksForTtlMs, expiresInMs, isClockKnown, isUndelivered }),
  })
}

/** Redis has no value of this namespace. What is here is as good as found there while all of its generations are current. */
function unusedShared(
  entry: LocalEntry | undefined,
  { failure, generations }: SharedInspection,
): SharedFinding {
  const nothing = { tags: [], namespaces: [], isUsable: false }
  if (failure !== undefined) {
    const error = { code: failure.code, message: failure.message }
    const explained = { ...nothing, state: 'unavailable', error } as const
    return { explained, entry: undefined, why: undefined, isUnsure: false }
  }
  const isCurrent = entry?.generationSet.bound.every(
    (one) => generations.get(one.storedKey)?.generation === one.generation,
  )
  const found = isCurrent ? entry : undefined
  return { explained: { ...nothing, state: 'unused' }, entry: found, why: undefined, isUnsure: false }
}

/** The first tag of the call that a change holds. */
function heldTagOf({ space, tags }: Asked, { generations }: SharedInspection): string | undefined {
  const held = tags.find((tag) => generations.get(space.tagKey(tag))?.generation === HELD_GENERATION)
  return held && abbreviate(held)
}

/** What a `getOrSet` would find in Redis. It delivers a pending invalidation of this process before it reads. */
function situationOf(
  { entry, explained, isUnsure, why }: SharedFinding,
  isUndelivered: boolean,
): SharedSituation {
  const { error, state } = explained
  if (state === 'unavailable') return { state: 'unavailable', why: error?.code ?? '' }
  // No invalidation ends a hold.
  if (state === 'changing') return { state: 'changing' }
  if (isUndelivered) {
    const isThere = state !== 'absent' && state !== 'placeholder'
    return isThere
      ? {
          state: 'unusable',
          why: 'this process has invalidated it, and delivers that invalidation to Redis first',
        }
      : { state: 'absent' }
  }
  if (state === 'unused') return entry === undefined ? { state: 'absent' } : { state: 'usable', entry }
  if (state === 'foreign-type') return { state: 'foreign' }
  if (why !== undefined) return { state: 'unusable', why }
  if (isUnsure) return { state: 'unavailable', why: 'a generation that it depends on could not be read' }
  return entry === undefined ? { state: 'absent' } : { state: 'usable', entry }
}

/** Whether a `getOrSet` would join the flight. The replies of Redis settle the doubts. */
function standingOf(
  core: CacheCore,
  asked: Asked,
  flight: Flight | undefined,
  { bytes, generations }: SharedInspection,
): 'none' | 'open' | 'closed' | 'replaced' {
  // No caller joins an abandoned or overdue flight, and it keeps no caller from loading.
  if (flight === undefined || flight.isAbandoned) return 'none'
  const { nowMs } = asked
  if (flight.isOverdue(nowMs, core.options.longestLoadMs) && flight.epoch === core.local.epoch) return 'none'
  const admitted = admission(flight, asked, nowMs, core)
  const isHeld = () =>
    bytes !== null &&
    hasLease(bytes) &&
    readLease(bytes).token === flight.lease?.token &&
    flight.lease.isValid
  switch (admitted.step) {
    case 'join':
    case 'await-decision':
      return 'open'
    case 'start':
      return 'closed'
    case 'replace':
      return 'replaced'
    case 'check-lease':
      return isHeld() ? 'open' : 'closed'
    case 'check-generations': {
      const areCurrent = admitted.doubtful.every((key) => {
        const current = generations.get(key) ?? undefined
        return current !== undefined && current.generation === flight.boundTo(key)
      })
      if (!areCurrent) return 'replaced'
      if (asked.since !== undefined) return 'closed'
      if (flight.standing !== 'doubted') return flight.standing
      return isHeld() ? 'open' : 'closed'
    }
  }
}

/** The value that others may be served while the flight replaces it: the one it has found, or is about to find. */
function meanwhileOf(
  core: CacheCore,
  { maxAgeMs, nowMs }: Asked,
  flight: Flight | undefined,
  shared: SharedFinding,
  { generations }: SharedInspection,
): LocalEntry | undefined {
  if (flight?.isDeciding) return shared.entry
  const found = flight?.found
  const areCurrent = (bound: readonly BoundGeneration[]) =>
    bound.every((one) => generations.get(one.storedKey)?.generation === one.generation)
  if (found === undefined || !core.isStillCoherent(found, nowMs, areCurrent)) return undefined
  const how = servableTo(maxAgeMs, found, nowMs)
  return how === 'fresh' || how === 'revalidate' ? found : undefined
}

/** What a failed load, which this process remembers, leads to where Redis cannot be asked. */
function rememberedBy(
  core: CacheCore,
  asked: Parameters<FailedLoads['recalled']>[0],
): 'stale' | 'error' | undefined {
  const recalled = new FailedLoads(core).recalled(asked, undefined)
  return recalled && ('standIn' in recalled ? 'stale' : 'error')
}

/** Whether a call with these policies heeds that a load is not to be tried again. */
function heeds({ errorTtlMs, retryAfterErrorMs }: Policies, { entry }: SharedFinding): boolean {
  return (entry === undefined ? errorTtlMs : retryAfterErrorMs) > 0
}

interface LeaseFinding {
  readonly explained: ExplainedLease
  readonly leftMs: number
  readonly isOwn: boolean
  /** How long the last load, which has failed, is not to be tried again. */
  readonly pauseLeftMs: number
}

const NO_LEASE = { leftMs: 0, isOwn: false, pauseLeftMs: 0 } as const

function leaseOf(
  { tier }: CacheCore,
  storedKey: string,
  flight: Flight | undefined,
  { bytes, failure }: SharedInspection,
): LeaseFinding {
  const serverNowMs = tier.serverNowMs(storedKey)
  if (failure !== undefined || (bytes !== null && hasLease(bytes) && serverNowMs === undefined)) {
    return { explained: { holder: 'unknown' }, ...NO_LEASE }
  }
  const isLeasable = bytes !== null && hasLease(bytes) && readHold(bytes) === undefined
  const leftMs = isLeasable ? leaseDeadlineMs(bytes) - (serverNowMs ?? 0) : 0
  // A deadline further off than any lease was written by another clock (T7).
  if (!isLeasable || leftMs <= 0 || leftMs > LONGEST_LEASE_MS) {
    return { explained: { holder: 'nobody' }, ...NO_LEASE }
  }
  if (isNobodys(readLease(bytes).token)) {
    const pausedFor = secondsOf(leftMs) ?? 0
    return { explained: { holder: 'nobody', pausedFor }, ...NO_LEASE, pauseLeftMs: leftMs }
  }
  const isOwn = readLease(bytes).token === flight?.lease?.token
  const holder = isOwn ? 'this-process' : 'another-process'
  return { explained: { holder, remaining: secondsOf(leftMs) ?? 0 }, leftMs, isOwn, pauseLeftMs: 0 }
}

function loadOf(flight: Flight | undefined): ExplainedLoad {
  if (flight === undefined) return { state: 'none', callers: 0 }
  const { phase } = flight
  const state = flight.hasCalledLoader
    ? 'loading'
    : phase === 'waiting' || phase === 'queued'
      ? phase
      : 'reading'
  return { state, callers: flight.callers }
}
