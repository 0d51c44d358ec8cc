import type { RedisClientOptions } from '@redis/client'
import type { RedisAddress } from './redis-address.ts'

/** Options of `@redis/client` that a caller may set; what these adapters decide themselves is not among them. */
export type NodeRedisOptions = Omit<
  RedisClientOptions,
  | 'url'
  | 'RESP'
  | 'commandOptions'
  | 'disableOfflineQueue'
  | 'keyPrefix'
  | 'modules'
  | 'functions'
  | 'scripts'
>

/** Longest pause before a lost connection is dialled again. */
export const LONGEST_REDIAL_MS = 2_000

/** A connection that hears nothing for this long, not even the answer to its own pings, is dead. */
const SILENT_SOCKET_MS = 15_000
const PING_INTERVAL_MS = 5_000

/** What every connection that is opened here has in common, beneath and above what the caller asks for. */
export function connectionOptions(
  options: NodeRedisOptions,
  { password, username }: Pick<RedisAddress, 'password' | 'username'>,
): NodeRedisOptions & { readonly disableOfflineQueue: true } {
  return {
    pingInterval: PING_INTERVAL_MS,
    maintNotifications: 'disabled',
    ...options,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    disableOfflineQueue: true,
  }
}

/** The bounds of a connection's socket, beneath what the caller asks for. */
export function socketBounds(connectTimeoutMs: number): {
  readonly connectTimeout: number
  readonly socketTimeout: number
} {
  return { connectTimeout: connectTimeoutMs, socketTimeout: SILENT_SOCKET_MS }
}
