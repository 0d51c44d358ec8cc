import type { TcpNetConnectOpts } from 'node:net'
import type { ConnectionOptions } from 'node:tls'

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

/** What says that TLS is off; texts come from the parameters of a URL. An empty one is that of `?ssl`, which means on. */
const OFF: readonly unknown[] = [undefined, null, false, 0, 'false', '0']

/** Whether the value of an option says that TLS is off. */
export function isOff(value: unknown): boolean {
  return OFF.includes(value)
}

/** The name of an option that means TLS, of a socket without TLS. */
export function lonelyTlsOption(socket: Readonly<Record<string, unknown>>): string | undefined {
  return (
    Object.keys(TLS_OPTIONS).find((name) => socket[name] !== undefined) ??
    MISSPELT.find((name) => !isOff(socket[name]))
  )
}

/** The options of a socket that concern TLS. */
export function tlsOptionsOf(socket: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(
    Object.keys(TLS_OPTIONS)
      .map((name) => [name, socket[name]])
      .filter(([, value]) => value !== undefined),
  )
}
