import { CacheError } from '../../foundation/errors/cache-error.ts'
import type { RedisNode } from '../port/redis-port.ts'

/** What to configure for a server that is not a single one, by the `mode` that `HELLO` reports. */
const INSTEAD: ReadonlyMap<unknown, string> = new Map([
  [
    'cluster',
    'The server is in cluster mode: give its URL as cluster: { nodes }, or pass a client made for a cluster (createCluster of @redis/client, Cluster of ioredis)',
  ],
  ['sentinel', 'The server is a Sentinel: give its URL as sentinel: { name, nodes }'],
])

/**
 * Refuses a server that a connection to a single one cannot serve: commands over several keys would fail one by one. A
 * `HELLO` without arguments changes nothing, and a server or a user without it passes.
 * @throws CacheError `CACHE_INVALID_OPTIONS` with the option that is needed
 */
export async function assertSingleServer(node: RedisNode): Promise<void> {
  const reply: unknown = await node.send(['HELLO'], 'text').catch(() => undefined)
  const instead = INSTEAD.get(modeIn(reply))
  if (instead !== undefined) throw new CacheError('CACHE_INVALID_OPTIONS', instead)
}

/** The reply is a map in RESP3, which clients decode in different ways, and a list of names and values in RESP2. */
function modeIn(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply[reply.indexOf('mode') + 1]
  if (reply instanceof Map) return reply.get('mode')
  return (reply as { readonly mode?: unknown } | null | undefined)?.mode
}
