import type { ModeOutcome, Outcome } from './outcome.ts'

/** What a call may miss its deadline by: the turns of the event loop that its reply waits for. */
const LATE_MS = 100
/** How long a read may take that a fault does not concern. */
const HEALTHY_WITHIN_MS = 1_500
/** Every key has to be loaded again first, one after another, and a restarted node of a cluster refuses commands for two seconds. */
const ALL_HITS_WITHIN_MS = 5_000
const HEAP_BYTES = 8 * 2 ** 20

/** Something that an outcome had to be, and is not. */
export interface MissedBar {
  readonly what: string
  /** Whether it is a time, which a busy machine may have made long. */
  readonly isTime: boolean
}

/** What one mode missed. */
export function missedInMode(outcome: ModeOutcome): MissedBar[] {
  const bars = [...valuesMissed(outcome).map(always), ...timesMissed(outcome).map(ofTime)]
  return bars.map(({ isTime, what }) => ({ isTime, what: `${outcome.mode}: ${what}` }))
}

/** What of an outcome is not as it has to be. Nothing, if all is well. */
export function missedBars({ heapGrowthBytes, modes, unsettled }: Outcome): MissedBar[] {
  const missed = modes.flatMap(missedInMode)
  if (unsettled > 0) missed.push(always(`${unsettled} calls did not settle`))
  if (heapGrowthBytes > HEAP_BYTES)
    missed.push(always(`the heap grew by ${(heapGrowthBytes / 2 ** 20).toFixed(1)} MiB`))
  return missed
}

function valuesMissed({ errors, failed, healthyLoads, wrong, wrongCount }: ModeOutcome): string[] {
  const missed: string[] = []
  if (wrongCount > 0) missed.push(`${wrongCount} wrong values: ${wrong.join('; ')}`)
  if (failed > 0) missed.push(`${failed} calls failed: ${errors.join('; ')}`)
  if (healthyLoads > 0) missed.push(`${healthyLoads} loads of keys that the fault does not concern`)
  return missed
}

function timesMissed(outcome: ModeOutcome): string[] {
  const { allHitsMs, firstHitMs, firstLocalHitMs, healthySlowestMs, hitsWithinMs, lateMs } = outcome
  const missed: string[] = []
  if (lateMs > LATE_MS) missed.push(`a call missed its deadline by ${lateMs.toFixed(0)} ms`)
  if (firstHitMs === undefined || firstHitMs > hitsWithinMs)
    missed.push(`the first hit took ${timeOf(firstHitMs)}`)
  if (allHitsMs === undefined || allHitsMs > ALL_HITS_WITHIN_MS)
    missed.push(`hits for all keys took ${timeOf(allHitsMs)}`)
  if (firstLocalHitMs === undefined || firstLocalHitMs > ALL_HITS_WITHIN_MS)
    missed.push(`the first local hit took ${timeOf(firstLocalHitMs)}`)
  if (healthySlowestMs > HEALTHY_WITHIN_MS)
    missed.push(`a read that the fault does not concern took ${healthySlowestMs.toFixed(0)} ms`)
  return missed
}

const always = (what: string): MissedBar => ({ what, isTime: false })

const ofTime = (what: string): MissedBar => ({ what, isTime: true })

const timeOf = (ms: number | undefined): string => (ms === undefined ? 'too long' : `${ms.toFixed(0)} ms`)
