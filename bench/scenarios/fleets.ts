import type { Contender } from '../contenders/contender.ts'
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
