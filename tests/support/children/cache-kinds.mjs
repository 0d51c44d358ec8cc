// What a cache may lie in: clients of a caller's, backends, and connections of the library's own.

const REFUSED = 'redis://127.0.0.1:1'
const quiet = (client) => client.on('error', () => {})

/**
 * The kind of this name: `open` says with which options to make a cache (`isAway` where nothing can be reached, with the deadlines in `patience`), and what
 * to close after it; `clients` are those of the caller's.
 */
export async function cacheKind(kind, servers, library) {
  const { cluster, sentinel, url } = servers
  switch (kind) {
    case 'a single server':
    case 'the bus':
      return own((isAway) => ({ redis: isAway ? REFUSED : url }))
    case 'a cluster':
      return own((isAway) => ({ redis: { cluster: { nodes: isAway ? [REFUSED] : cluster } } }))
    case 'Sentinel':
      return own((isAway) => ({ redis: { sentinel: isAway ? { ...sentinel, nodes: [REFUSED] } : sentinel } }))
    case 'the memory of the process':
      return own(() => ({ redis: false }))
    case 'a backend in memory': {
      const { MemoryCacheBackend } = await import(`${library}/memory/memory-cache-backend.js`)
      return lent(() => new MemoryCacheBackend({ prefix: 'rounds:' }))
    }
    case 'a backend in Redis': {
      const { RedisCacheBackend } = await import(`${library}/redis/redis-cache-backend.js`)
      return lent(
        (isAway, patience) =>
          new RedisCacheBackend({ ...patience, prefix: 'rounds:', url: isAway ? REFUSED : url }),
      )
    }
    default:
      return borrowed(await clientsOf(kind, servers))
  }
}

/** Options of the cache's own; `prefix` and the like may be given beside them. */
function own(optionsOf) {
  return { clients: [], open: (isAway) => ({ options: optionsOf(isAway) }), close: async () => {} }
}

/** A backend that is given to each cache, and is shut down after it. */
function lent(makeBackend) {
  const open = (isAway, patience) => {
    const backend = makeBackend(isAway, patience)
    const ofTheBackend = { prefix: undefined, commandTimeout: undefined, connectTimeout: undefined }
    return { options: { ...ofTheBackend, backend }, close: () => backend.shutdown() }
  }
  return { clients: [], open, close: async () => {} }
}

/** Two clients of the caller's: one that is connected, and one that never is. */
async function borrowed({ client, stranger, close }) {
  return {
    clients: [client, stranger],
    open: (isAway) => ({ options: { client: isAway ? stranger : client } }),
    close,
  }
}

async function clientsOf(kind, { cluster, sentinel, url }) {
  switch (kind) {
    case 'a client of @redis/client': {
      const { createClient } = await import('@redis/client')
      const client = quiet(createClient({ url }))
      await client.connect()
      return { client, stranger: quiet(createClient({ url: REFUSED })), close: () => client.close() }
    }
    case 'a cluster of @redis/client': {
      const { createCluster } = await import('@redis/client')
      const client = quiet(createCluster({ rootNodes: cluster.map((node) => ({ url: node })) }))
      await client.connect()
      const stranger = quiet(createCluster({ rootNodes: [{ url: REFUSED }] }))
      return { client, stranger, close: () => client.close() }
    }
    case 'a client of ioredis 5':
    case 'a client of ioredis 6': {
      const { Redis } = await import(kind.endsWith('5') ? 'ioredis5' : 'ioredis')
      const client = quiet(new Redis(url))
      await client.ping()
      const stranger = quiet(new Redis(REFUSED, { lazyConnect: true }))
      return { client, stranger, close: () => client.quit() }
    }
    case 'a client of ioredis 6 behind Sentinel': {
      const { Redis } = await import('ioredis')
      const client = quiet(new Redis({ name: sentinel.name, sentinels: addressesOf(sentinel.nodes) }))
      await client.ping()
      const stranger = quiet(new Redis(REFUSED, { lazyConnect: true }))
      return { client, stranger, close: () => client.quit() }
    }
    case 'a cluster of ioredis 6': {
      const { Cluster } = await import('ioredis')
      const client = quiet(new Cluster(addressesOf(cluster)))
      await client.set('warm', 1, 'EX', 60)
      // It waits for its next attempt to connect.
      const nowhere = [{ host: '127.0.0.1', port: 1 }]
      const stranger = quiet(new Cluster(nowhere, { clusterRetryStrategy: () => 3_600_000 }))
      await new Promise((resolve) => stranger.once('close', resolve))
      const close = async () => {
        stranger.disconnect()
        await client.quit()
      }
      return { client, stranger, close }
    }
    default:
      throw new Error(`No kind is called ${kind}`)
  }
}

function addressesOf(urls) {
  return urls.map((url) => new URL(url)).map(({ hostname: host, port }) => ({ host, port: Number(port) }))
}
