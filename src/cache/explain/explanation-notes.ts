import { NO_VALUE_ID } from '../../codec/envelope/envelope-format.ts'
import type { Explanation } from './explanation.ts'
import { spanText } from './explanation-text.ts'

/** Circumstances that the facts of an {@link Explanation} do not contain. */
export interface Circumstances {
  /** The `ttl` of the call. */
  readonly asksForTtlMs: number | undefined
  /** The milliseconds until the `expiresAt` of the call. */
  readonly expiresInMs: number | undefined
  /** Whether the time of the server is known. */
  readonly isClockKnown: boolean
  /** Whether the outbox holds an undelivered invalidation of the key. */
  readonly isUndelivered: boolean
}

/** The largest difference of two times that count as equal, in seconds. */
const TOLERANCE = 1

/** The notes of an explanation: mostly differences between this process and Redis. */
export function explanationNotes(
  { cache, lease, local, next, shared }: Omit<Explanation, 'notes' | 'toString'>,
  { asksForTtlMs, expiresInMs, isClockKnown, isUndelivered }: Circumstances,
): string[] {
  const notes: string[] = []
  if (local.serves !== 'nothing' && local.inShared !== undefined && local.inShared !== 'same') {
    notes.push(
      `The copy in this process differs from Redis: ${DIFFERENCES[local.inShared]}. It is still served: ${LAGS[cache.coherence]}`,
    )
  }
  const lagging = [...shared.tags, ...shared.namespaces].filter(
    ({ isBelieved, verdict }) => isBelieved && !['valid', 'expired', 'lacking', 'unknown'].includes(verdict),
  )
  if (lagging.length > 0 && local.serves === 'nothing') {
    const names = lagging.map(({ name }) => `'${name}'`).join(', ')
    notes.push(`This process still treats ${names} as valid, but Redis does not: ${LAGS[cache.coherence]}`)
  }
  if (isUndelivered)
    notes.push('An invalidation of this key, made in this process, has not reached Redis yet')
  else if (cache.undelivered > 0) notes.push('Invalidations of other keys or tags have not reached Redis yet')
  if (cache.circuit !== 'closed' && shared.state !== 'unavailable' && next.step === 'load-uncached') {
    notes.push(
      'Redis answers again; the circuit lets one attempt through every second, and closes after the first that succeeds',
    )
  }
  const { times } = shared
  if (times !== undefined && !isClockKnown) {
    notes.push("The server's clock is not known yet; until it is, the value in Redis counts as expired")
  } else if (times !== undefined && (times.age ?? 0) < -TOLERANCE) {
    notes.push(
      "It was created later than the server's clock shows, so it counts as stale; another server's clock was probably used",
    )
  }
  if (times !== undefined && asksForTtlMs !== undefined) {
    const asked = asksForTtlMs === Number.POSITIVE_INFINITY ? null : asksForTtlMs / 1_000
    if (asked !== times.ttl) {
      notes.push(
        `It was stored with a ttl of ${spanText(times.ttl)}; the ttl of this call, ${spanText(asked)}, applies from the next load on`,
      )
    }
  }
  if (expiresInMs !== undefined && expiresInMs <= 0) {
    notes.push('The expiresAt of this call has come: what it loads is not stored')
  } else if (expiresInMs !== undefined && times !== undefined) {
    const isOther = times.freshFor === null || Math.abs(times.freshFor - expiresInMs / 1_000) > TOLERANCE
    if (isOther) {
      notes.push(
        `The expiresAt of this call, ${spanText(expiresInMs / 1_000)} from now, applies from the next load on`,
      )
    }
  }
  const { expiresIn } = shared
  if (times !== undefined && typeof expiresIn === 'number') {
    const isShort = times.freshFor === null || expiresIn < times.freshFor - TOLERANCE
    if (isShort) notes.push('Redis removes the key before it is stale: its expiry has been changed')
  }
  if (shared.state === 'plain' && expiresIn === null) {
    notes.push(
      'It never expires, and no tag or clear() of a cache invalidates a plain value before it is reclaimed',
    )
  }
  if (shared.serializer === NO_VALUE_ID) notes.push('It says that the source has no value (absentTtl)')
  if (lease.holder === 'unknown' && shared.state !== 'unavailable')
    notes.push('It is unknown who holds the lease')
  return notes
}

const DIFFERENCES = {
  replaced: 'Redis has another value',
  gone: 'Redis no longer has a value',
  invalidated: 'one of its tags or namespaces was invalidated there',
} as const

const LAGS = {
  tracking: 'the push about the change is on its way',
  bus: 'the message about the change is on its way, or another program made the change, which the bus does not announce',
  ttl: 'changes are not announced in this mode, so a copy lives until its short time is over',
  process: 'the change has just been made',
  none: 'it has no connection to Redis on which it would hear of changes',
} as const
