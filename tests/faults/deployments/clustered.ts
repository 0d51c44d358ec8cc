import { type ClusterOptions, type RedisCluster, startCluster } from '../../../testbed/redis-cluster.ts'
import type { Deployment } from './deployment.ts'

/** A cluster of three masters. */
export interface Clustered extends Deployment {
  readonly cluster: RedisCluster
}

/** Three masters with a replica each. */
export const startClustered = (): Promise<Clustered> => start({})

/** Three masters without replicas. If one dies, the others serve their slots. */
export const startWithoutReplicas = (): Promise<Clustered> =>
  start({ replicasPerMaster: 0, args: ['--cluster-require-full-coverage', 'no'] })

/** Three masters without replicas. If one dies, nothing is served: `CLUSTERDOWN`. */
export const startAllOrNothing = (): Promise<Clustered> =>
  start({ replicasPerMaster: 0, args: ['--cluster-require-full-coverage', 'yes'] })

async function start(options: ClusterOptions): Promise<Clustered> {
  const cluster = await startCluster({ nodeTimeoutMs: 1_000, ...options })
  return { target: { cluster: cluster.urls }, servers: cluster.nodes, cluster, stop: () => cluster.stop() }
}
