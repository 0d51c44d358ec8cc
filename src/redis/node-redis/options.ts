import type { RedisClientOptions } from '@redis/client'
import { assertObject, refuseGiven } from '../../foundation/option-checks.ts'
import type { RedisAddress } from './redis-address.ts'

/** Options of `@redis/client` that this library decides. */
const DECIDED = [
  'url',
  'RESP',
  'commandOptions',
  'disableOfflineQueue',
  'keyPrefix',
  'modules',
  'functions',
  'scripts',
] as const
/** Those of its socket. */
const DECIDED_SOCKET = ['host', 'port', 'path', 'reconnectStrategy'] as const

const IN_THE_URL = "write it into the URL, as in 'redis://user:password@host:6379/0' (rediss:// for TLS)"

/** What to write in place of the parts of an address, which other clients take one by one. */
export const INSTEAD_OF_ADDRESS_PARTS: Readonly<Record<string, string>> = {
  ...{ host: IN_THE_URL, hostname: IN_THE_URL, port: IN_THE_URL, path: IN_THE_URL, tls: IN_THE_URL },
  ...{ username: IN_THE_URL, password: IN_THE_URL, db: IN_THE_URL, database: IN_THE_URL },
  socket: "it goes into 'clientOptions'",
}

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

/**
 * Refuses the options that would be overwritten in silence. The others are those of `@redis/client`, which are not
 * known here.
 * @throws CacheError `CACHE_INVALID_OPTIONS`
 */
export function assertClientOptions(options: NodeRedisOptions): void {
  assertObject(options, 'clientOptions')
  refuseGiven(options, DECIDED, 'of clientOptions is decided by this library: see url and prefix')
  refuseGiven(options, ['tls'], 'of clientOptions has no effect: write rediss:// in the URL')
  const { socket = {} } = options
  assertObject(socket, 'clientOptions.socket')
  refuseGiven(socket, DECIDED_SOCKET, 'of clientOptions.socket is decided by this library: see url')
}

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
