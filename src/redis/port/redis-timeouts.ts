import type { FailurePolicy } from '../../backend/assembly/failure-policy.ts'
import { LONGEST_TIMER_MS } from '../../foundation/clock.ts'
import { type Duration, parseDuration } from '../../foundation/duration.ts'
import type { EnvironmentSettings } from '../../foundation/environment.ts'
import type { RedisPortListener } from './redis-port.ts'

/** The two limits on waiting for Redis, in milliseconds. */
export interface ResolvedTimeouts {
  /** For one command. */
  readonly timeoutMs: number
  /** For connecting, handshake included. */
  readonly connectTimeoutMs: number
}

/**
 * Parses the two timeouts: the option, else the environment (`timeout` only), else one second and five seconds.
 * @throws CacheError `CACHE_INVALID_DURATION`
 */
export function resolveTimeouts(
  {
    connectTimeout,
    timeout,
  }: { readonly connectTimeout?: Duration | undefined; readonly timeout?: Duration | undefined },
  environment: EnvironmentSettings,
): ResolvedTimeouts {
  return {
    timeoutMs: Math.min(parseDuration(timeout ?? environment.timeout ?? '1s'), LONGEST_TIMER_MS),
    connectTimeoutMs: Math.min(parseDuration(connectTimeout ?? '5s'), LONGEST_TIMER_MS),
  }
}

/** A listener that emits connection events as the `connect` and `disconnect` events of the backend. */
export function portListener({ events }: FailurePolicy): RedisPortListener {
  return {
    connected: (endpoint) => events.emit('connect', { endpoint }),
    disconnected: (endpoint, reason) => events.emit('disconnect', { endpoint, reason }),
  }
}
