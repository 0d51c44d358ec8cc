import type { IoredisConnection } from './client.ts'

/**
 * What differs from the caller's options: all that decides whether a command is sent, in which order and how often, and
 * what its reply looks like. Address, credentials, TLS and the rest are the caller's.
 */
const OWN_OPTIONS: Readonly<Record<string, unknown>> = {
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  commandTimeout: undefined,
  disconnectTimeout: 200,
  enableAutoPipelining: false,
  enableOfflineQueue: false,
  failoverDetector: false,
  keyPrefix: '',
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  readOnly: false,
  reconnectOnError: null,
  replyMapping: 'legacy',
  retryStrategy: null,
  showFriendlyErrorStack: false,
  stringNumbers: false,
}

/** A connection like the caller's, not yet connected, with what this library needs, and `override`. */
export function ownDuplicate(origin: IoredisConnection, override: object = {}): IoredisConnection {
  const duplicate = origin.duplicate({ ...OWN_OPTIONS, ...override })
  quietSentinels(duplicate as { readonly connector?: SentinelConnector | undefined })
  return duplicate
}

/** The part of the connector of `ioredis` that opens connections to sentinels. */
interface SentinelConnector {
  connectToSentinel?(...details: unknown[]): IoredisConnection
}

/** Without a listener for their errors, `ioredis` prints one whenever a sentinel cannot be reached. */
function quietSentinels({ connector }: { readonly connector?: SentinelConnector | undefined }): void {
  const connect = connector?.connectToSentinel
  if (connector === undefined || connect === undefined) return
  connector.connectToSentinel = (...details) => {
    const sentinel = connect.apply(connector, details)
    sentinel.on('error', () => {})
    return sentinel
  }
}
