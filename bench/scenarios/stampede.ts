import { tunedByHand } from '../contenders/by-hand.ts'
import { redisLoad } from '../measure/redis-load.ts'
import { interleave } from '../measure/rounds.ts'
import type { Measured, Section } from '../measure/section.ts'
import { Fleet } from '../workers/fleet.ts'
import type { StampedeJob } from '../workers/job.ts'
import { fleetMembers } from './fleets.ts'
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
    let id = 0
    for (const processes of isQuick ? PROCESSES.slice(-1) : PROCESSES) {
      const title = `stampede of ${CALLERS} callers in ${processes === 1 ? 'one process' : `each of ${processes} processes`}`
      progress(title)
      const turns = fleetMembers(run).map(({ contender: { kind, name: contender }, tier }) => ({
        contender,
        kind,
        take: () => {
          const job: StampedeJob = {
            kind: 'stampede',
            url: redis.url,
            ...{ contender, tier, callers: CALLERS, loadMs: LOAD_MS, id: id++ },
          }
          return takeTurn(run, new Array<StampedeJob>(processes).fill(job))
        },
      }))
      sections.push({
        id: `stampede/${processes}`,
        title,
        figure: 'loads',
        baseline: tunedByHand.name,
        rows: await interleave(turns, rounds),
        series: { name: 'loader calls in a stampede', unit: 'processes', size: processes },
      })
    }
    return sections
  },
}

async function takeTurn({ redis }: Run, jobs: readonly StampedeJob[]): Promise<Measured> {
  const fleet = await Fleet.start(jobs)
  try {
    const before = await redisLoad(redis)
    const outcomes = await fleet.turn(0)
    const after = await redisLoad(redis)
    const sum = (name: string) => outcomes.reduce((total, outcome) => total + (outcome[name] ?? 0), 0)
    const calls = jobs.length * CALLERS
    return {
      loads: sum('loads'),
      ms: Math.max(...outcomes.map(({ tookMs = Number.NaN }) => tookMs)),
      nodeMicros: sum('cpuMicros') / calls,
      redisMicros: (after.cpuMicros - before.cpuMicros) / calls,
      commands: (after.commands - before.commands) / calls,
      bytesSent: (after.bytesReceived - before.bytesReceived) / calls,
      bytesReceived: (after.bytesSent - before.bytesSent) / calls,
    }
  } finally {
    await fleet.end()
  }
}
