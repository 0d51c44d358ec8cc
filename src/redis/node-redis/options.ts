import type { RedisClientOptions } from '@redis/client'
import type { RedisAddress } from './redis-address.ts'

/** Options of `@redis/client` that a caller may set: all but those that this library decides. */
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

/** A socket that receives nothing for this long, not even the replies to the pings, is closed. */
const SOCKET_TIMEOUT_MS = 15_000
const PING_INTERVAL_MS = 5_000

/** The options of every connection: defaults, then the caller's options, then what this library decides. */
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

/** The default timeouts of a socket, which the caller's options may override. */
export function socketBounds(connectTimeoutMs: number): {
  readonly connectTimeout: number
  readonly socketTimeout: number
} {
  return { connectTimeout: connectTimeoutMs, socketTimeout: SOCKET_TIMEOUT_MS }
}
