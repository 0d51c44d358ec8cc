import { type Cache, type CreateCacheOptions, createCache } from 'cachewright'
import { Redis } from 'ioredis'
import { askRedis, type RedisReply } from '../../testbed/redis-command.ts'

/** What a program is told by its only argument, as JSON. */
export interface Settings {
  readonly server: ServerSettings
  /** One that speaks TLS. */
  readonly tlsServer: ServerSettings
  /** What this runtime takes before the path of a program. */
  readonly runtimeArgs: readonly string[]
}

/** A Redis server that nobody else uses. */
export interface ServerSettings {
  readonly url: string
  readonly socketPath: string
  /** The certificate to trust, in PEM, if it speaks TLS. */
  readonly ca?: string | undefined
}

export const settings = JSON.parse(process.argv[2] as string) as Settings

/** How a cache gets to its server. */
export type Way = 'own client' | 'own client over TLS' | 'ioredis'

/** A cache, and what has to be closed with it. */
export interface OpenCache {
  readonly cache: Cache
  readonly server: ServerSettings
  close(): Promise<void>
}

/** Opens a cache that learns of changes: by tracking with its own client, on the bus over a caller's ioredis. */
export function openCache(way: Way, options: CreateCacheOptions = {}): OpenCache {
  const common: CreateCacheOptions = { prefix: 'p:', commandTimeout: '2s', ttl: '5m', ...options }
  const server = way === 'own client over TLS' ? settings.tlsServer : settings.server
  if (way === 'ioredis') {
    const client = new Redis(server.url)
    client.on('error', () => {})
    const cache = createCache({ ...common, client })
    return {
      cache,
      server,
      close: async () => {
        await cache.shutdown()
        client.disconnect()
      },
    }
  }
  const clientOptions =
    server.ca === undefined ? {} : { clientOptions: { socket: { tls: true as const, ca: server.ca } } }
  const cache = createCache({ ...common, redis: { url: server.url, ...clientOptions } })
  return { cache, server, close: () => cache.shutdown() }
}

/** One command by nobody's client. */
export function ask({ socketPath }: ServerSettings, ...command: readonly string[]): Promise<RedisReply> {
  return askRedis({ path: socketPath }, ...command)
}
