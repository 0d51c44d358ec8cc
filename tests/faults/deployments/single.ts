import { type RedisProcess, startRedisProcess } from '../../../testbed/redis-process.ts'
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import type { Deployment } from './deployment.ts'

const ARGS = ['--save', '', '--appendonly', 'no', '--enable-debug-command', 'yes']

/** One server behind a proxy. */
export interface Single extends Deployment {
  readonly server: RedisProcess
  readonly proxy: TcpProxy
}

export const startSingle = (): Promise<Single> => start(0)

/** Clients select a database other than the first. */
export const startWithDatabase = (): Promise<Single> => start(1)

async function start(database: number): Promise<Single> {
  const server = await startRedisProcess({ args: ARGS })
  const proxy = await startTcpProxy(server.port)
  return {
    target: { url: `${proxy.url}/${database}` },
    servers: [server],
    server,
    proxy,
    async stop() {
      await proxy.stop()
      await server.stop()
    },
  }
}
