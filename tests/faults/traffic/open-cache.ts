import { type Cache, type CreateCacheOptions, createCache } from 'cachewright'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { type Mode, prefixOf, type Target, TIMES } from './setting.ts'

/** A cache, and what closes it with its client. */
export interface OpenCache {
  readonly cache: Cache
  close(): Promise<void>
}

type Lent = NonNullable<CreateCacheOptions['client']> & {
  on(event: 'error', listener: () => void): unknown
  disconnect(): void
}

export function openCache(mode: Mode, target: Target): OpenCache {
  const { commandTimeoutMs, connectTimeoutMs, leaseMs, localTtlMs, trustMs } = TIMES
  const client =
    mode === 'bus, ioredis 5' ? lent5(target) : mode === 'bus, ioredis 6' ? lent6(target) : undefined
  client?.on('error', () => {})
  const cache = createCache({
    prefix: prefixOf(mode),
    ttl: '10m',
    commandTimeout: commandTimeoutMs / 1_000,
    connectTimeout: connectTimeoutMs / 1_000,
    coherence: { mode: client === undefined ? (mode as 'tracking' | 'ttl') : 'bus', trust: trustMs / 1_000 },
    local: { ttl: localTtlMs / 1_000 },
    lease: { ttl: leaseMs / 1_000 },
    ...(client === undefined
      ? { redis: 'cluster' in target ? { cluster: { nodes: target.cluster } } : target }
      : { client }),
  })
  return {
    cache,
    async close() {
      await cache.shutdown()
      client?.disconnect()
    },
  }
}

function lent6(target: Target): Lent {
  if ('url' in target) return new Redis(target.url)
  if ('cluster' in target) return new Cluster([...target.cluster])
  return new Redis(sentinelOptions(target))
}

function lent5(target: Target): Lent {
  if ('url' in target) return new Redis5(target.url)
  if ('cluster' in target) return new Cluster5([...target.cluster])
  return new Redis5(sentinelOptions(target))
}

function sentinelOptions({ sentinel: { name, nodes } }: Extract<Target, { sentinel: object }>) {
  const sentinels = nodes.map((node) => ({ host: new URL(node).hostname, port: Number(new URL(node).port) }))
  return { name, sentinels }
}
