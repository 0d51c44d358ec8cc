import type { RedisProcess } from '../../../testbed/redis-process.ts'
import type { Target } from '../traffic/setting.ts'

/** Servers, as people run them, and what clients connect to. */
export interface Deployment {
  readonly target: Target
  /** Every server that holds data, whatever its role. */
  readonly servers: readonly RedisProcess[]
  /** Ends all of it. */
  stop(): Promise<void>
}
