import { Fleet } from '../traffic/fleet.ts'
import { MODES } from '../traffic/setting.ts'
import type { Fault } from './fault.ts'
import type { MayBeLost } from './ledger.ts'
import type { Span } from './mode-record.ts'
import { Observer } from './observer.ts'
import type { Outcome } from './outcome.ts'

/** How many processes the traffic comes of. */
export const PROCESSES = 2
/** How long a call may still be under way when the traffic ends. */
export const SETTLED_WITHIN_MS = 15_000
const WARM_MS = 500
const CALM_MS = 1_000
/** Acknowledged changes this long before a failover may be lost with it. */
const LAG_MS = 2_000
/** How long after a failover the processes may take to deliver their latest invalidations again. */
const REPEATED_WITHIN_MS = 8_000

/** How a trial is run. */
export interface TrialOptions {
  /** URL of the Redis that plays the source. */
  readonly source: string
  readonly isFull: boolean
  /** For how long every fault lasts. @default as long as it says itself */
  readonly lastsS?: number | undefined
  /** For how long it is waited for what has to become well, in milliseconds. */
  readonly patienceMs?: number | undefined
}

/** Lets the fault happen under steady traffic, and tells what that came to. */
export async function runTrial(
  fault: Fault,
  { isFull, lastsS, patienceMs, source }: TrialOptions,
): Promise<Outcome> {
  const { healthy, isAwayAtStart, isSilentToAttempts, mayLose, modes = MODES, name, seconds } = fault
  const startMs = performance.now()
  const deployment = await fault.deploy()
  const fleet = new Fleet(PROCESSES)
  const observer = new Observer(fleet, modes, patienceMs)
  try {
    await fault.before?.(deployment, fleet)
    await fleet.start({ target: deployment.target, modes, source, trial: name })
    if (!isAwayAtStart) await observer.untilHits(0)
    await observer.collectFor(WARM_MS)
    const before = await fleet.censuses()
    const lastsMs = (lastsS ?? seconds[isFull ? 1 : 0]) * 1_000
    const span = await observer.during(() => fault.strike(deployment, fleet, lastsMs), lastsMs)
    await observer.untilHits(span.endedMs)
    await observer.collectFor(CALM_MS)
    const unsettled = await fleet.stopTraffic(SETTLED_WITHIN_MS)
    await observer.collect()
    await observer.untilKnown()
    await observer.collect()
    const terms = {
      ...(mayLose && { mayBeLost: lossesOf(span) }),
      isHealthy: await healthy?.(deployment),
      isSilentToAttempts,
    }
    const outcomes = observer.records.map((record) => record.outcome(span, terms))
    const after = await fleet.censuses()
    const growth = after.map(({ heapBytes }, place) => heapBytes - (before[place]?.heapBytes ?? heapBytes))
    await fleet.end()
    return {
      fault: name,
      modes: outcomes,
      unsettled,
      heapGrowthBytes: Math.max(...growth),
      lastedMs: span.endedMs - span.beganMs,
      tookMs: performance.now() - startMs,
    }
  } catch (error) {
    throw new Error(`The trial "${name}" could not be run`, { cause: error })
  } finally {
    fleet.kill()
    await deployment.stop()
  }
}

function lossesOf({ beganMs, endedMs }: Span): MayBeLost {
  return (acknowledgedAtMs, readAtMs) =>
    acknowledgedAtMs > beganMs - LAG_MS &&
    acknowledgedAtMs < endedMs &&
    readAtMs > beganMs &&
    readAtMs < endedMs + REPEATED_WITHIN_MS
}
