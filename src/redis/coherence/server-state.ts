import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { PortConnection } from '../port/redis-port.ts'
import { infoField } from '../port/server-info.ts'

/** What a server says of itself. What the user may not ask for, or what the server does not tell, is taken to be well. */
export interface ServerState {
  /** `'replica'`: what it pushes is as old as what it has been sent; while it waits for its primary, it pushes nothing. */
  readonly role: 'primary' | 'replica'
  /** Whether the node serves its slots: it does not while it is cut off from the majority of the masters. */
  readonly isServing: boolean
  /** The `master_replid`; `undefined` if the user may not ask for it. */
  readonly replicationId: string | undefined
}

/** Asks a server whether it is the one to ask: `INFO replication`, on a cluster also `CLUSTER INFO`. One round trip. */
export async function askServerState(connection: PortConnection, isCluster: boolean): Promise<ServerState> {
  const [replication, cluster] = await Promise.all([
    ask(connection, ['INFO', 'replication']),
    isCluster ? ask(connection, ['CLUSTER', 'INFO']) : '',
  ])
  return {
    role: infoField(replication, 'role') === 'slave' ? 'replica' : 'primary',
    isServing: infoField(cluster, 'cluster_state') !== 'fail',
    replicationId: infoField(replication, 'master_replid'),
  }
}

/** `''` if the server refuses the command. */
async function ask(connection: PortConnection, command: readonly string[]): Promise<string> {
  try {
    return String(await connection.send(command, 'text'))
  } catch (error) {
    if (error instanceof CacheError && error.replyCode !== undefined) return ''
    throw error
  }
}
