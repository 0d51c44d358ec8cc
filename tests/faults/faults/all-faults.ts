import type { Fault } from '../trial/fault.ts'
import { CLUSTERS } from './clusters.ts'
import { DATA } from './data.ts'
import { FAILOVERS } from './failovers.ts'
import { NETWORK } from './network.ts'
import { PROCESSES } from './processes.ts'
import { SERVER } from './server.ts'

/** Every fault, in the order of the table. */
export const FAULTS: readonly Fault[] = [
  ...NETWORK,
  ...SERVER,
  ...DATA,
  ...PROCESSES,
  ...FAILOVERS,
  ...CLUSTERS,
]
