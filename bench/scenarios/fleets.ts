import type { Contender } from '../contenders/contender.ts'
import { Fleet } from '../workers/fleet.ts'
import type { Job } from '../workers/job.ts'
import type { Run } from './scenario.ts'

/** Who can share what is cached with other processes, and where it keeps it: in the process too where it can. */
export interface FleetMember {
  readonly contender: Contender
  readonly tier: 'shared' | 'local'
}

/** Those that load what is missing and share it through Redis. */
export function fleetMembers({ contenders }: Run): readonly FleetMember[] {
  return contenders.flatMap((contender): FleetMember[] => {
    if (!contender.loadsMissing) return []
    if (contender.isTiered && contender.openLocal) return [{ contender, tier: 'local' }]
    return contender.openShared ? [{ contender, tier: 'shared' }] : []
  })
}

/** A member and its processes. */
export interface RunningFleet extends FleetMember {
  readonly fleet: Fleet
}

/** Starts the processes of every member, which wait for their turns; ended again when `use` is through. */
export async function withFleets<Result>(
  members: readonly FleetMember[],
  processes: number,
  jobOf: (member: FleetMember, process: number) => Job,
  use: (fleets: readonly RunningFleet[]) => Promise<Result>,
): Promise<Result> {
  const running: RunningFleet[] = []
  try {
    for (const member of members) {
      const jobs = Array.from({ length: processes }, (_, process) => jobOf(member, process))
      running.push({ ...member, fleet: await Fleet.start(jobs) })
    }
    return await use(running)
  } finally {
    for (const { fleet } of running) await fleet.end()
  }
}
