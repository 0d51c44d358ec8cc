import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { NodeRedisClient, NodeRedisClusterClient } from './borrowed-connections.ts'
import { lonelyTlsOption } from './tls.ts'

/** The options of a client or of a node that decide over TLS. */
interface TlsOptions {
  readonly url?: unknown
  readonly socket?: Readonly<Record<string, unknown>> | undefined
}

/** @throws CacheError `CACHE_INVALID_OPTIONS` if the client is of another kind, or has an option that a cache contradicts */
export function assertUsable(client: NodeRedisClient | NodeRedisClusterClient): void {
  if ('getSentinelNode' in client) throw unusable('is a createSentinel(): use the option sentinel instead')
  if ('clientsInUse' in client) throw unusable('is a pool, in which commands overtake one another')
  if (!('withTypeMapping' in client)) throw unusable('is older than version 5')
  const options = ('options' in client && client.options) || {}
  if (options.keyPrefix || ('_keyPrefix' in client && client._keyPrefix))
    throw unusable("has a keyPrefix: use this backend's prefix instead")
  if (options.readonly) throw unusable('is readonly: a cache needs to write')
  assertTlsEverywhere(options as TlsOptions)
  if ('_options' in client) assertClusterTls(client._options as never)
}

function assertTlsEverywhere(options: TlsOptions): void {
  const { socket = {} } = options
  const lonely = usesTls(options) ? undefined : lonelyTlsOption(socket)
  if (lonely !== undefined) throw unusable(`has socket.${lonely}, and connects without TLS`)
}

/** The settings of a root node apply to that node alone, and not to those that it names. */
function assertClusterTls({
  defaults = {},
  rootNodes = [],
}: {
  readonly defaults?: TlsOptions
  readonly rootNodes?: readonly TlsOptions[]
}): void {
  for (const options of [defaults, ...rootNodes]) assertTlsEverywhere(options)
  const isDefault = usesTls(defaults)
  if (
    rootNodes.every(
      (node) => usesTls({ ...node, socket: { ...defaults.socket, ...node.socket } }) === isDefault,
    )
  )
    return
  throw unusable('would reach some nodes without TLS: give defaults.socket.tls, and no node another setting')
}

function usesTls({ socket, url }: TlsOptions): boolean {
  return Boolean(socket?.tls) || /^\s*rediss:/i.test(String(url))
}

function unusable(reason: string): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', `The client of @redis/client ${reason}`)
}
