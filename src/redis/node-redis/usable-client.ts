import { CacheError } from '../../foundation/errors/cache-error.ts'
import { isOff, lonelyTlsOption } from '../port/tls-options.ts'
import type { NodeRedisClient, NodeRedisClusterClient } from './borrowed-connections.ts'

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
  if ('masters' in client) assertClusterTls(clusterOptionsOf(client))
}

/** Clusters of the versions before 5.1.1 keep theirs private. */
function clusterOptionsOf(cluster: NodeRedisClusterClient): ClusterTlsOptions {
  const options = '_options' in cluster ? cluster._options : undefined
  if (typeof options === 'object' && options !== null) return options
  throw unusable(
    'is a cluster whose options cannot be read, as before version 5.1.1: whether it uses TLS is unknown',
  )
}

/** The options of a cluster that decide over TLS. */
interface ClusterTlsOptions {
  readonly defaults?: TlsOptions
  readonly rootNodes?: readonly TlsOptions[]
  /** Sockets in place of the addresses that the nodes report. */
  readonly nodeAddressMap?: unknown
}

function assertTlsEverywhere(options: TlsOptions): void {
  if (usesTls(options)) return
  const { socket = {} } = options
  const lonely = meaningTls(socket)
  if (lonely !== undefined) throw unusable(`has socket.${lonely}, and connects without TLS`)
  assertNoneBesideSocket(options)
}

/** The client ignores them there. */
function assertNoneBesideSocket(options: object): void {
  const lonely = meaningTls(options as Readonly<Record<string, unknown>>)
  if (lonely !== undefined) throw unusable(`has ${lonely} beside socket, and connects without TLS`)
}

/** The client takes `tls: true` alone for TLS. */
function meaningTls(options: Readonly<Record<string, unknown>>): string | undefined {
  return isOff(options.tls) ? lonelyTlsOption(options) : 'tls'
}

/** The settings of a root node, or of a mapped one, apply to that node alone, and not to those that it names. */
function assertClusterTls(options: ClusterTlsOptions): void {
  const { defaults = {}, nodeAddressMap, rootNodes = [] } = options
  for (const one of [defaults, ...rootNodes]) assertTlsEverywhere(one)
  const isDefault = usesTls(defaults)
  if (!isDefault) assertNoneBesideSocket(options)
  const mapped = typeof nodeAddressMap === 'object' ? Object.values(nodeAddressMap ?? {}) : []
  const nodes = [...rootNodes, ...mapped.map((socket) => ({ socket }))]
  if (
    nodes.every((node) => usesTls({ ...node, socket: { ...defaults.socket, ...node.socket } }) === isDefault)
  )
    return
  throw unusable('would reach some nodes without TLS: give defaults.socket.tls, and no node another setting')
}

function usesTls({ socket, url }: TlsOptions): boolean {
  return socket?.tls === true || /^\s*rediss:/i.test(String(url))
}

function unusable(reason: string): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', `The client of @redis/client ${reason}`)
}
