import { invalidOptions } from '../../foundation/option-checks.ts'
import { lonelyTlsOption, tlsOptionsOf } from '../port/tls-options.ts'
import type { NodeRedisOptions } from './options.ts'
import type { RedisAddress } from './redis-address.ts'

type Addresses = readonly [RedisAddress, ...RedisAddress[]]

/**
 * The addresses as they are dialled: with TLS if a URL or the socket options ask for it. Whatever sounds like TLS either
 * encrypts every connection, or is refused, so that a slip never sends a password in cleartext.
 * @throws CacheError `CACHE_INVALID_OPTIONS`
 */
export function withTls(addresses: Addresses, options: NodeRedisOptions): Addresses {
  const socket = (options.socket ?? {}) as Readonly<Record<string, unknown>>
  const { tls } = socket
  const isInUrl = addresses[0].socket.tls
  if (tls !== undefined && typeof tls !== 'boolean') {
    throw invalidOptions('clientOptions.socket.tls must be true or false; its options stand beside it')
  }
  if (isInUrl && tls === false) {
    throw invalidOptions('clientOptions.socket.tls is false, and the URL begins with rediss://')
  }
  if (!isInUrl && tls !== true) {
    const lonely = lonelyTlsOption(socket)
    if (lonely === undefined) return addresses
    throw invalidOptions(`clientOptions.socket.${lonely} needs TLS: write rediss:// in the URL`)
  }
  if (addresses.some((one) => 'path' in one.socket)) {
    throw invalidOptions('clientOptions.socket.tls is true, and a unix:// socket has no TLS')
  }
  const [first, ...others] = addresses.map((one) => ({ ...one, socket: { ...one.socket, tls: true } }))
  return [first as RedisAddress, ...others]
}

/** The socket options that concern TLS, for a connection to another server of the same owner. */
export function tlsOptionsIn({ socket = {} }: NodeRedisOptions): object {
  return tlsOptionsOf(socket as Readonly<Record<string, unknown>>)
}
