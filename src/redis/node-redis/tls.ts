import type { TcpNetConnectOpts } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { invalidOptions } from '../../foundation/option-checks.ts'
import type { NodeRedisOptions } from './options.ts'
import type { RedisAddress } from './redis-address.ts'

/** Options of `tls.connect` (Node) that have a meaning only with TLS. The compiler tells if one is missing. */
const TLS_OPTIONS: Readonly<
  Record<Exclude<keyof ConnectionOptions, keyof TcpNetConnectOpts | 'path' | 'socket'>, true>
> = {
  ...{ ALPNCallback: true, ALPNProtocols: true, allowPartialTrustChain: true, ca: true, cert: true },
  ...{ checkServerIdentity: true, ciphers: true, clientCertEngine: true, crl: true, dhparam: true },
  ...{ ecdhCurve: true, enableTrace: true, honorCipherOrder: true, key: true, maxVersion: true },
  ...{ minDHSize: true, minVersion: true, passphrase: true, pfx: true, privateKeyEngine: true },
  ...{ privateKeyIdentifier: true, pskCallback: true, rejectUnauthorized: true, requestCert: true },
  ...{ requestOCSP: true, secureContext: true, secureOptions: true, secureProtocol: true, server: true },
  ...{ servername: true, session: true, sessionIdContext: true, sessionTimeout: true, sigalgs: true },
  ...{ SNICallback: true, ticketKeys: true },
}

/** What somebody may write who means the option `tls`. */
const MISSPELT = ['TLS', 'ssl', 'SSL', 'secure', 'useTLS', 'enableTLS', 'tlsOptions', 'sslOptions'] as const

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

/** The name of an option that means TLS, of a socket without TLS. */
export function lonelyTlsOption(socket: Readonly<Record<string, unknown>>): string | undefined {
  return (
    Object.keys(TLS_OPTIONS).find((name) => socket[name] !== undefined) ??
    MISSPELT.find((name) => Boolean(socket[name]))
  )
}

/** The socket options that concern TLS, for a connection to another server of the same owner. */
export function tlsOptionsIn({ socket = {} }: NodeRedisOptions): object {
  const given = socket as Readonly<Record<string, unknown>>
  return Object.fromEntries(
    Object.keys(TLS_OPTIONS)
      .map((name) => [name, given[name]])
      .filter(([, value]) => value !== undefined),
  )
}
