import { tunedByHand } from '../contenders/by-hand.ts'
import { redisLoad } from '../measure/redis-load.ts'
import { interleave } from '../measure/rounds.ts'
import type { Measured, Section } from '../measure/section.ts'
import type { Fleet } from '../workers/fleet.ts'
import type { StampedeJob } from '../workers/job.ts'
import { type FleetMember, fleetMembers, withFleets } from './fleets.ts'
import type { Run, Scenario } from './scenario.ts'

const CALLERS = 1_000
const LOAD_MS = 50
const PROCESSES = [1, 4]

/** A thousand callers in each process ask at once for what nobody has. */
export const stampede: Scenario = {
  name: 'stampede',
  about: 'a thousand callers in each of 1 and 4 processes ask for one cold key',
  async measure(run) {
    const { isQuick, progress, redis, rounds } = run
    await redis.ask('FLUSHALL')
    const sections: Section[] = []
    for (const processes of isQuick ? PROCESSES.slice(-1) : PROCESSES) {
      const title = `stampede of ${CALLERS} callers in ${processes === 1 ? 'one process' : `each of ${processes} processes`}`
      progress(title)
      const jobOf = ({ contender, tier }: FleetMember): StampedeJob => ({
        kind: 'stampede',
        url: redis.url,
        ...{ contender: contender.name, tier, callers: CALLERS, loadMs: LOAD_MS, firstId: processes * 1_000 },
      })
      const rows = await withFleets(fleetMembers(run), processes, jobOf, async (fleets) => {
        const turns = fleets.map(({ contender: { kind, name: contender }, fleet }) => ({
          contender,
          kind,
          take: () => takeTurn(run, fleet, processes),
        }))
        await interleave(turns, 1) // warms up
        return interleave(turns, rounds)
      })
      sections.push({
        id: `stampede/${processes}`,
        title,
        figure: 'loads',
        baseline: tunedByHand.name,
        rows,
        series: { name: 'loader calls in a stampede', unit: 'processes', size: processes },
      })
    }
    return sections
  },
}

/** A turn, of a key that is new to everybody. */
async function takeTurn({ redis }: Run, fleet: Fleet, processes: number): Promise<Measured> {
  const before = await redisLoad(redis)
  const outcomes = await fleet.turn(0)
  const after = await redisLoad(redis)
  const sum = (name: string) => outcomes.reduce((total, outcome) => total + (outcome[name] ?? 0), 0)
  const calls = processes * CALLERS
  return {
    loads: sum('loads'),
    ms: Math.max(...outcomes.map(({ tookMs = Number.NaN }) => tookMs)),
    nodeMicros: sum('cpuMicros') / calls,
    redisMicros: (after.cpuMicros - before.cpuMicros) / calls,
    commands: (after.commands - before.commands) / calls,
    bytesSent: (after.bytesReceived - before.bytesReceived) / calls,
    bytesReceived: (after.bytesSent - before.bytesSent) / calls,
  }
}
