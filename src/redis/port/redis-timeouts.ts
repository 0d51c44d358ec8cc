import type { FailurePolicy } from '../../backend/assembly/failure-policy.ts'
import type { EnvironmentSettings } from '../../foundation/environment.ts'
import { printable } from '../../foundation/errors/printable.ts'
import { LONGEST_TIMER_MS } from '../../foundation/time/clock.ts'
import { type Duration, parseDuration } from '../../foundation/time/duration.ts'
import type { RedisPortListener } from './redis-port.ts'

/** The two limits on waiting for Redis, in milliseconds, and whether the process waits for idle connections. */
export interface ResolvedTimeouts {
  /** For one command. */
  readonly commandTimeoutMs: number
  /** For connecting, handshake included. */
  readonly connectTimeoutMs: number
  /** Whether a connection without a command in flight lets the process end. @default false */
  readonly isUnref?: boolean
}

/**
 * Parses the two timeouts: the option, else the environment (`commandTimeout` only), else one second and five seconds.
 * @throws CacheError `CACHE_INVALID_DURATION`
 */
export function resolveTimeouts(
  {
    connectTimeout,
    commandTimeout,
    unref = false,
  }: {
    readonly connectTimeout?: Duration | undefined
    readonly commandTimeout?: Duration | undefined
    readonly unref?: boolean | undefined
  },
  environment: EnvironmentSettings,
): ResolvedTimeouts {
  return {
    commandTimeoutMs: Math.min(
      parseDuration(commandTimeout ?? environment.commandTimeout ?? '1s', 'commandTimeout'),
      LONGEST_TIMER_MS,
    ),
    connectTimeoutMs: Math.min(parseDuration(connectTimeout ?? '5s', 'connectTimeout'), LONGEST_TIMER_MS),
    isUnref: unref,
  }
}

/** A listener that emits connection events as the `connect` and `disconnect` events of the backend. */
export function portListener({ events }: FailurePolicy): RedisPortListener {
  return {
    connected: (endpoint) => events.emit('connect', { endpoint: printable(endpoint) }),
    disconnected: (endpoint, reason) =>
      events.emit('disconnect', { endpoint: printable(endpoint), reason: printable(reason) }),
  }
}
