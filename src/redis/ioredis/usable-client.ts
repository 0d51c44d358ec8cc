import { CacheError } from '../../foundation/errors/cache-error.ts'
import { isOff, lonelyTlsOption } from '../port/tls-options.ts'
import { type IoredisClient, type IoredisCluster, isIoredisCluster } from './client.ts'

/** The options of `ioredis` that decide over TLS. */
interface TlsOptions {
  readonly tls?: unknown
  readonly sentinels?: unknown
  readonly sentinelTLS?: unknown
  readonly enableTLSForSentinelMode?: unknown
  /** Other addresses in place of those that the servers name. */
  readonly natMap?: unknown
}

/** What turns TLS on where it applies. Here it stands where it does not, or `ioredis` takes its value for off. */
const ONLY_WITH_TLS = ['tls', 'sentinelTLS', 'enableTLSForSentinelMode'] as const

/** @throws CacheError `CACHE_INVALID_OPTIONS` if an option of the client contradicts what a cache needs */
export function assertUsable(client: IoredisClient | IoredisCluster): void {
  if (client.options.keyPrefix) throw unusable("has a keyPrefix: use this backend's prefix instead")
  if (isIoredisCluster(client)) assertClusterTls(client)
  else assertUsableConnection(client as IoredisClient)
}

function assertUsableConnection({ options }: IoredisClient): void {
  if (options.role === 'slave') throw unusable("has role: 'slave': a cache needs the primary")
  if (options.monitor) throw unusable('has monitor: true: a cache cannot send commands on it')
  assertTls(options as TlsOptions)
}

function assertTls(options: TlsOptions): void {
  const { enableTLSForSentinelMode, natMap, sentinels, sentinelTLS, tls } = options
  const places = Array.isArray(sentinels) ? [...sentinels, ...mappedPlaces(natMap)] : []
  if (Array.isArray(sentinels)) {
    const ofPlaces = places.map(tlsOf).filter((one) => one !== undefined)
    const parts = [tls, sentinelTLS, enableTLSForSentinelMode, ...ofPlaces].map(Boolean)
    if (parts.includes(true) && parts.includes(false)) {
      throw unusable(
        'would reach its sentinels or its primary without TLS: give tls, sentinelTLS and enableTLSForSentinelMode together, or none',
      )
    }
  }
  if (!tls) assertNoneMeansTls([options, ...places])
}

/**
 * `ioredis` applies the TLS of a startup node to that node alone, and not to those that it discovers. TLS beside
 * `redisOptions`, or in `natMap`, applies to nothing.
 */
function assertClusterTls(cluster: IoredisCluster): void {
  const { options, startupNodes } = cluster as {
    readonly options: TlsOptions & { readonly redisOptions?: TlsOptions | null }
    readonly startupNodes?: unknown
  }
  const redisOptions = options.redisOptions ?? {}
  assertTls(redisOptions)
  const usesTls = Boolean(redisOptions.tls)
  const nodes: readonly unknown[] = [
    ...(Array.isArray(startupNodes) ? startupNodes : []),
    ...mappedPlaces(options.natMap),
    ...(options.tls === undefined ? [] : [options]),
  ]
  if (nodes.some((node) => (tlsOf(node) ?? usesTls) !== usesTls)) {
    throw unusable('would reach some nodes without TLS: give redisOptions.tls, and no node another setting')
  }
  if (!usesTls) assertNoneMeansTls([options, ...nodes])
}

/** Refuses options that mean TLS, of a client or a place that is reached without TLS. */
function assertNoneMeansTls(places: readonly unknown[]): void {
  for (const place of places.map(optionsOf)) {
    const lonely = ONLY_WITH_TLS.find((name) => !isOff(place[name])) ?? lonelyTlsOption(place)
    if (lonely !== undefined)
      throw unusable(`has ${lonely}, and connects without TLS: give tls, as in tls: {}`)
  }
}

/** The options that a place is given by; those of a URL are its parameters. */
function optionsOf(place: unknown): Readonly<Record<string, unknown>> {
  if (typeof place === 'string') return Object.fromEntries(new URLSearchParams(place.split('?')[1]))
  return typeof place === 'object' && place !== null ? (place as Readonly<Record<string, unknown>>) : {}
}

function mappedPlaces(natMap: unknown): readonly unknown[] {
  return typeof natMap === 'object' && natMap !== null ? Object.values(natMap) : []
}

/** `undefined` for a node that does not say. */
function tlsOf(node: unknown): boolean | undefined {
  if (typeof node === 'string') return /^\s*rediss:|[?&]tls=./i.test(node) ? true : undefined
  const tls = typeof node === 'object' && node !== null ? (node as TlsOptions).tls : undefined
  return tls === undefined ? undefined : Boolean(tls)
}

function unusable(reason: string): CacheError {
  return new CacheError('CACHE_INVALID_OPTIONS', `The ioredis client ${reason}`)
}
