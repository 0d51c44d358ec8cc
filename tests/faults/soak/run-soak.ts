import { type Single, startSingle } from '../deployments/single.ts'
import { FAULTS } from '../faults/all-faults.ts'
import { Fleet } from '../traffic/fleet.ts'
import { MODES } from '../traffic/setting.ts'
import { missedInMode } from '../trial/bars.ts'
import type { Fault } from '../trial/fault.ts'
import { Observer } from '../trial/observer.ts'
import { PROCESSES, SETTLED_WITHIN_MS } from '../trial/run-trial.ts'
import { type Sample, steadinessOf } from './steadiness.ts'

const CALM_MS = 3_000
/** Other trials run beside it. What grows does so at any pace. */
const SLOWNESS = 3
const SHORTEST_MS = 500
const LONGEST_MS = 8_000
/** The first faults fill what is filled once: pools, caches of the compiler, tables of their usual size. */
const WARMING_FAULTS = 4

export interface SoakOptions {
  /** URL of the Redis that plays the source. */
  readonly source: string
  readonly minutes: number
}

/** What may happen to one server again and again. */
const CANDIDATES = FAULTS.filter(
  ({ before, deploy, isAwayAtStart, modes }) =>
    deploy === startSingle && before === undefined && !isAwayAtStart && modes === undefined,
)

/**
 * One fleet and one server for a long time: traffic without an end, and random faults, one after another.
 *
 * @returns what was wrong, and what has grown
 */
export async function runSoak({ minutes, source }: SoakOptions): Promise<string[]> {
  const endMs = performance.now() + minutes * 60_000
  const single = await startSingle()
  const fleet = new Fleet(PROCESSES)
  const observer = new Observer(fleet, MODES)
  const samples: Sample[] = []
  const complaints: string[] = []
  try {
    await fleet.start({ target: single.target, modes: MODES, source, trial: 'soak', slowness: SLOWNESS })
    await observer.untilHits(0)
    for (let count = 1; performance.now() < endMs; count++) {
      const fault = CANDIDATES[Math.floor(Math.random() * CANDIDATES.length)] as Fault
      complaints.push(...(await sufferFrom(fault, observer, single, fleet)))
      if (count > WARMING_FAULTS) samples.push(await sampleOf(fleet, single))
    }
    const unsettled = await fleet.stopTraffic(SETTLED_WITHIN_MS)
    if (unsettled > 0) complaints.push(`${unsettled} calls did not settle`)
    complaints.push(...(await lastChangesOf(observer)))
    await fleet.end()
  } finally {
    fleet.kill()
    await single.stop()
  }
  const steadiness = steadinessOf(samples)
  console.log(
    `soak: ${samples.length + WARMING_FAULTS} faults in ${minutes} minutes; medians of the first third and the last`,
  )
  for (const { line } of steadiness) console.log(`    ${line}`)
  return [
    ...complaints,
    ...steadiness.flatMap(({ hasGrown, line }) => (hasGrown ? [`growth of ${line}`] : [])),
  ]
}

async function sufferFrom(fault: Fault, observer: Observer, single: Single, fleet: Fleet): Promise<string[]> {
  const lastsMs = Math.round(SHORTEST_MS + Math.random() * (LONGEST_MS - SHORTEST_MS))
  observer.startAnew()
  const span = await observer.during(() => fault.strike(single, fleet, lastsMs), lastsMs)
  await observer.untilHits(span.endedMs)
  await observer.collectFor(CALM_MS)
  const modes = observer.records.map((record) => record.outcome(span, fault))
  const missed = modes.flatMap(missedInMode)
  const hitsMs = modes.map(({ firstHitMs }) => firstHitMs?.toFixed(0) ?? 'never').join(' ')
  console.log(`soak: ${fault.name}, ${(lastsMs / 1_000).toFixed(1)} s; hits after ${hitsMs} ms`)
  return missed.filter(({ isTime }) => !isTime).map(({ what }) => `${fault.name}: ${what}`)
}

async function sampleOf(fleet: Fleet, { server }: Single): Promise<Sample> {
  return { censuses: await fleet.censuses(), redisKeys: Number(await server.ask('DBSIZE')) }
}

/** The traffic has ended. What of its last changes some process never hears of. */
async function lastChangesOf(observer: Observer): Promise<string[]> {
  observer.startAnew()
  await observer.collect()
  await observer.untilKnown()
  const now = { beganMs: 0, endedMs: 0 }
  return observer.records.flatMap((record) => record.outcome(now).wrong)
}
