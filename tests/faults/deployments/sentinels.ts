import { type RedisSentinel, startSentinel } from '../../../testbed/redis-sentinel.ts'
import type { Deployment } from './deployment.ts'

/** A primary, its replica and three sentinels. */
export interface Sentinels extends Deployment {
  readonly sentinel: RedisSentinel
}

export async function startSentinels(): Promise<Sentinels> {
  const sentinel = await startSentinel()
  return {
    target: { sentinel: { name: sentinel.name, nodes: sentinel.urls } },
    servers: [sentinel.primary, sentinel.replica],
    sentinel,
    stop: () => sentinel.stop(),
  }
}
