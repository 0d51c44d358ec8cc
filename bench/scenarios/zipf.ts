import { tunedByHand } from '../contenders/by-hand.ts'
import { redisLoad } from '../measure/redis-load.ts'
import { interleave } from '../measure/rounds.ts'
import type { Measured, Section } from '../measure/section.ts'
import type { Fleet } from '../workers/fleet.ts'
import type { Outcome, ZipfJob } from '../workers/job.ts'
import { type FieldOptions, inParallel, withField } from './field.ts'
import { type FleetMember, fleetMembers, withFleets } from './fleets.ts'
import { keyOf, OBJECT_1K } from './payloads.ts'
import type { Run, Scenario } from './scenario.ts'

const KEYS = 1_000_000
const LOCAL_ENTRIES = 100_000
/** The hottest of the keys, which lie in Redis from the start. */
const PREFILLED = 100_000
const IN_FLIGHT = 16
const PROCESSES = [1, 2, 4]
const WARM_UP_MS = 2_500
const MEASURED_MS = 600

/** Traffic as a service has it, on one to four processes. */
export const zipf: Scenario = {
  name: 'zipf',
  about: 'nine reads to one write by Zipf’s law, over a million keys, in 1, 2 and 4 processes',
  async measure(run) {
    const { isQuick, progress, redis, rounds } = run
    progress('Zipf mix: prefill')
    await redis.ask('FLUSHALL')
    const members = fleetMembers(run)
    for (const member of members) await prefill(run, member)
    const sections: Section[] = []
    for (const processes of isQuick ? PROCESSES.slice(-1) : PROCESSES) {
      const title = `Zipf mix, ${processes} ${processes === 1 ? 'process' : 'processes'}`
      progress(title)
      const jobOf = ({ contender, tier }: FleetMember, process: number): ZipfJob => ({
        kind: 'zipf',
        url: redis.url,
        ...{ contender: contender.name, tier, keys: KEYS, localEntries: LOCAL_ENTRIES },
        ...{ inFlight: IN_FLIGHT, seed: 1 + process * 1_000 },
      })
      const rows = await withFleets(members, processes, jobOf, async (fleets) => {
        for (const { fleet } of fleets) await fleet.turn(WARM_UP_MS)
        const turns = fleets.map(({ contender: { kind, name: contender }, fleet }) => ({
          contender,
          kind,
          take: () => takeTurn(run, fleet),
        }))
        return interleave(turns, rounds)
      })
      sections.push({
        id: `zipf/${processes}`,
        title,
        figure: 'perSecond',
        baseline: tunedByHand.name,
        rows,
        series: { name: 'Zipf mix', unit: 'processes', size: processes },
      })
    }
    return sections
  },
}

/** The tier that will be measured writes, since what the two hold in Redis may differ. */
async function prefill({ redis }: Run, { contender, tier }: FleetMember): Promise<void> {
  const options: FieldOptions = { url: redis.url, payload: OBJECT_1K, tier, localEntries: 1_000 }
  const ids = Array.from({ length: PREFILLED }, (_, id) => id)
  await withField([contender], options, async ([player]) => {
    await inParallel(ids, async (id) =>
      player?.store.set ? player.store.set(keyOf(id), OBJECT_1K.valueOf(id)) : player?.store.get(keyOf(id)),
    )
  })
}

async function takeTurn({ redis }: Run, fleet: Fleet): Promise<Measured> {
  const before = await redisLoad(redis)
  const outcomes = await fleet.turn(MEASURED_MS)
  const after = await redisLoad(redis)
  const sum = (name: string) => outcomes.reduce((total, outcome) => total + (outcome[name] ?? 0), 0)
  const operations = sum('operations')
  const speedOf = ({ operations = 0, tookMs = Number.NaN }: Outcome) => (operations * 1_000) / tookMs
  return {
    perSecond: outcomes.reduce((total, outcome) => total + speedOf(outcome), 0),
    nodeMicros: sum('cpuMicros') / operations,
    redisMicros: (after.cpuMicros - before.cpuMicros) / operations,
    commands: (after.commands - before.commands) / operations,
    bytesSent: (after.bytesReceived - before.bytesReceived) / operations,
    bytesReceived: (after.bytesSent - before.bytesSent) / operations,
  }
}
