import type { RedisProcess } from '../../../testbed/redis-process.ts'
import { type RedisSentinel, startSentinel } from '../../../testbed/redis-sentinel.ts'
import type { Deployment } from './deployment.ts'

/** The sentinels and the replica sign in as this user, and nobody else does. */
const USER = { name: 'operator', password: 'secret' }
const ARGS = [
  ...['--user', USER.name, 'on', `>${USER.password}`, '~*', '&*', '+@all'],
  ...['--masteruser', USER.name, '--masterauth', USER.password],
]

/** A primary, its replica and three sentinels. */
export interface Sentinels extends Deployment {
  readonly sentinel: RedisSentinel
}

export async function startSentinels(): Promise<Sentinels> {
  const sentinel = await startSentinel({ args: ARGS, user: USER })
  return {
    target: { sentinel: { name: sentinel.name, nodes: sentinel.urls } },
    servers: [sentinel.primary, sentinel.replica],
    sentinel,
    stop: () => sentinel.stop(),
  }
}

/** Cuts a server off from the sentinels and its replica, while clients go on with it. The answer ends that. */
export async function cutOff(server: RedisProcess): Promise<() => Promise<void>> {
  await server.ask('ACL', 'SETUSER', USER.name, '-@all')
  await server.ask('CLIENT', 'KILL', 'USER', USER.name)
  return async () => {
    await server.ask('ACL', 'SETUSER', USER.name, '+@all')
  }
}
