import { type RedisProcess, startRedisProcesses } from '../../../testbed/redis-process.ts'
import { waitUntil } from '../../../testbed/wait-until.ts'
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import type { Deployment } from './deployment.ts'

/** What clients connect to; the trial tells its processes where it is. */
export const NAME = 'redis.internal'
const ARGS = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0']

/** A primary and its replica, of which clients know one name. */
export interface Pair extends Deployment {
  readonly primary: RedisProcess
  readonly replica: RedisProcess
  /** What stands before each of them, at the address that the name may have. */
  readonly doors: ReadonlyMap<RedisProcess, TcpProxy>
  /** Makes `next` the primary, and the other one its replica if it runs. */
  promote(next: RedisProcess): Promise<void>
}

export async function startPair(): Promise<Pair> {
  const [primary, replica] = (await startRedisProcesses([{ args: ARGS }, { args: ARGS }])) as [
    RedisProcess,
    RedisProcess,
  ]
  // One port at two addresses of this machine.
  const first = await startTcpProxy(primary.port, { host: '127.0.0.1' })
  const second = await startTcpProxy(replica.port, { host: '127.0.0.2', port: first.port })
  await follow(replica, primary)
  return {
    target: { url: `redis://${NAME}:${first.port}` },
    servers: [primary, replica],
    primary,
    replica,
    doors: new Map([
      [primary, first],
      [replica, second],
    ]),
    async promote(next) {
      await next.ask('REPLICAOF', 'NO', 'ONE')
      const other = next === primary ? replica : primary
      if (other.pid !== undefined) await follow(other, next)
    },
    async stop() {
      await Promise.all([first.stop(), second.stop(), primary.stop(), replica.stop()])
    },
  }
}

async function follow(replica: RedisProcess, primary: RedisProcess): Promise<void> {
  await replica.ask('REPLICAOF', primary.host, primary.port)
  const isInSync = async () =>
    String(await replica.ask('INFO', 'replication')).includes('master_link_status:up')
  await waitUntil(isInSync, { what: 'a replica in sync', timeoutMs: 20_000 })
}
