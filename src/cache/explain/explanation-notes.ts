import type { Explanation } from './explanation.ts'
import { spanText } from './explanation-text.ts'

/** Circumstances that the facts of an {@link Explanation} do not contain. */
export interface Circumstances {
  /** The `ttl` of the call. */
  readonly asksForTtlMs: number | undefined
  /** Whether the time of the server is known. */
  readonly isClockKnown: boolean
  /** Whether an invalidation of the key waits in the outbox. */
  readonly isUndelivered: boolean
}

/** The largest difference of two times that count as equal, in seconds. */
const TOLERANCE = 1

/** The notes of an explanation: mostly where this process and Redis differ. */
export function explanationNotes(
  { cache, lease, local, next, shared }: Omit<Explanation, 'notes' | 'toString'>,
  { asksForTtlMs, isClockKnown, isUndelivered }: Circumstances,
): string[] {
  const notes: string[] = []
  if (local.serves !== 'nothing' && local.inRedis !== undefined && local.inRedis !== 'same') {
    notes.push(
      `The copy of this process differs from Redis, ${DIFFERENCES[local.inRedis]}, and is still served: ${LAGS[cache.coherence]}`,
    )
  }
  const lagging = [...shared.tags, ...shared.namespaces].filter(
    ({ isBelieved, verdict }) => isBelieved && (verdict === 'renewed' || verdict === 'missing'),
  )
  if (lagging.length > 0 && local.serves === 'nothing') {
    const names = lagging.map(({ name }) => `'${name}'`).join(', ')
    notes.push(`This process still takes ${names} for valid, and Redis does not: ${LAGS[cache.coherence]}`)
  }
  if (isUndelivered)
    notes.push('An invalidation of this key, made in this process, has not reached Redis yet')
  else if (cache.undelivered > 0) notes.push('Invalidations of other keys or tags have not reached Redis yet')
  if (cache.circuit !== 'closed' && shared.state !== 'unreachable' && next.step === 'load-uncached') {
    notes.push(
      'Redis answers again; the circuit lets a try through every second, and closes with the first that succeeds',
    )
  }
  const { times } = shared
  if (times !== undefined && !isClockKnown) {
    notes.push("The server's clock is not known yet: until it is, what Redis has counts as stale")
  } else if (times !== undefined && (times.age ?? 0) < -TOLERANCE) {
    notes.push(
      "It was stored in the future of the server's clock, by another server's as it seems, and counts as stale",
    )
  }
  if (times !== undefined && asksForTtlMs !== undefined) {
    const asked = asksForTtlMs === Number.POSITIVE_INFINITY ? null : asksForTtlMs / 1_000
    if (asked !== times.ttl) {
      notes.push(
        `It was stored with a ttl of ${spanText(times.ttl)}; the ttl of this call, ${spanText(asked)}, holds from the next load on`,
      )
    }
  }
  const { expiresIn } = shared
  if (times !== undefined && typeof expiresIn === 'number') {
    const isShort = times.freshFor === null || expiresIn < times.freshFor - TOLERANCE
    if (isShort) notes.push('Redis removes the key before it is stale: somebody has changed its expiry')
  }
  if (shared.state === 'plain' && expiresIn === null) {
    notes.push(
      'It never expires, and no tag or clear() of a cache invalidates a plain value before it is reclaimed',
    )
  }
  if (lease.holder === 'unknown' && shared.state !== 'unreachable')
    notes.push('Who holds the lease cannot be told')
  return notes
}

const DIFFERENCES = {
  replaced: 'which has another value by now',
  gone: 'which has none any more',
  invalidated: 'where one of its tags or namespaces has been invalidated',
} as const

const LAGS = {
  tracking: 'the news of the change is on its way',
  bus: 'the news of the change is on its way, or another program made it, of which the bus does not tell',
  ttl: 'nobody tells of changes in this mode, so copies live until their short time is over',
  process: 'the change has just been made',
} as const
